"""What `doctor` finds of a machine, each thing made to be so."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from moto import mock_aws
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_KEY,
    PREFECT_API_URL,
    temporary_settings,
)

from amt_flows.cli import checkup
from amt_flows.cli.checkup import Finding, findings
from commands import cli

NO_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")


@pytest.fixture(autouse=True)
def plain_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in NO_CREDENTIALS:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AMT_FLOWS_HOME", str(tmp_path / "home"))
    with temporary_settings(
        set_defaults={}, restore_defaults={PREFECT_API_URL, PREFECT_API_KEY, PREFECT_API_AUTH_STRING}
    ):
        yield


def about(what: str, home: str | None = None) -> list[Finding]:
    return [one for one in findings(home) if one.about == what]


def only(what: str, home: str | None = None) -> Finding:
    (found,) = about(what, home)
    return found


def test_a_plain_machine_may_tune_and_is_told_what_it_does_without(tmp_path: Path) -> None:
    done = cli("doctor")
    assert done.exit_code == 0, done.output
    assert "Nothing of this keeps you from tuning." in done.stdout
    told = {one["about"]: one["state"] for one in json.loads(cli("doctor", "--json").stdout)}
    assert told["Prefect"] == told["AWS"] == "look"
    assert not (tmp_path / "home").exists(), "nothing is written"


def test_a_package_of_another_version_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    really = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.151.0" if name == "fastapi" else really(name))
    found = only("packages")
    assert (found.state, found.remedy) == ("bad", "pip install 'fastapi<0.151'")
    assert cli("doctor").exit_code == 1


def full(path: object) -> SimpleNamespace:
    return SimpleNamespace(free=50_000_000)


def test_a_home_that_is_none_or_full_or_everybodys_is_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    assert "can't be written" in only("home", str(tmp_path / "file")).says
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert only("home", str(tmp_path / "open")).remedy.startswith("chmod o-w")
    assert only("home", str(tmp_path / "new/below")).state == "ok"
    monkeypatch.setattr(shutil, "disk_usage", full)
    assert only("home").state == "bad"


@contextmanager
def server(status: int, body: str, told: list[str | None] | None = None) -> Iterator[str]:
    """A Prefect server's answer to whoever asks for its version, and who they say that they are; the URL has
    a password."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if told is not None:
                told.append(self.headers["Authorization"])
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as at:
        thread = threading.Thread(target=at.serve_forever)
        thread.start()
        try:
            yield f"http://user:hunter2@127.0.0.1:{at.server_port}/api"
        finally:
            at.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "state", "said"),
    [
        (200, json.dumps(metadata.version("prefect")), "ok", "answers; it is Prefect"),
        (200, '"2.1.0"', "look", "Prefect 2.1.0, and here is"),
        (404, "", "bad", "answers 404"),
        (200, "<html>", "bad", "answers what is no JSON"),
    ],
)
def test_the_server_that_is_set_up_is_asked_for_its_version(
    status: int, body: str, state: str, said: str
) -> None:
    with server(status, body) as url, temporary_settings({PREFECT_API_URL: url}):
        found = only("Prefect")
    assert found.state == state
    assert said in found.says
    assert "hunter2" not in found.says


def test_a_server_that_wants_to_know_who_asks_is_told() -> None:
    told: list[str | None] = []
    with server(200, json.dumps(metadata.version("prefect")), told) as url:
        for setting in ({PREFECT_API_KEY: "key"}, {PREFECT_API_AUTH_STRING: "user:word"}):
            with temporary_settings({PREFECT_API_URL: url.replace("user:hunter2@", ""), **setting}):
                assert only("Prefect").state == "ok"
    assert told == ["Bearer key", "Basic dXNlcjp3b3Jk"]


def test_a_server_that_is_away_is_bad() -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        found = only("Prefect")
    assert (found.state, found.says) == (
        "bad",
        "the server at http://127.0.0.1:9/api doesn't answer: ConnectError",
    )


def test_an_aws_account_is_named_and_a_bucket_is_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in NO_CREDENTIALS[:2]:
        monkeypatch.setenv(variable, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        assert only("AWS").says.endswith("in eu-west-1")
        missing, _ = about("home", "s3://nobodys/tunings")
        assert missing.state == "bad"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    away = only("AWS")
    assert away.state == "bad"
    assert "credentials" in away.says


def test_a_price_table_that_is_none_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prices.toml").write_text("local = 'cheap'")
    monkeypatch.setenv("AMT_FLOWS_PRICES", str(tmp_path / "prices.toml"))
    assert only("prices").state == "bad"
    (tmp_path / "prices.toml").write_text("currency = 'EUR'\nlocal = 0.5\n")
    assert only("prices").state == "ok"


def test_a_check_that_fails_is_a_finding_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[Finding]:
        raise RuntimeError("no such luck")

    checks: list[Callable[[], Iterator[Finding]]] = [broken]
    monkeypatch.setattr(checkup, "_machine", checks[0])
    assert only("machine") == Finding("machine", "bad", "RuntimeError: no such luck")
    assert about("AWS")
