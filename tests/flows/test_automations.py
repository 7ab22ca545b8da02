"""The shipped automations on a real server: an event or a silence makes the right flow run."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml
from prefect import Flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.events import emit_event
from prefect.flows import load_flow_from_entrypoint
from prefect.states import Crashed, Running

from amt_flows.errors import SpecError
from amt_flows.flows import automations, tune
from amt_flows.flows.automations import PREFIX
from amt_flows.flows.promotion.promote import promote
from amt_flows.flows.tuning.clean_up import Remedy, clean_up
from amt_flows.flows.tuning.liveness import last_heartbeat
from flows.deployed import DEPLOYMENTS, runs_of, script
from flows.flow_runs import deployed_run, read, run_called, started, state_of, tuning_in_a_process
from flows.local_jobs import eventually, workers

FILE = """
[clean-up]
deployment = "clean-up-after-flow-run/{tag}"
remedy = "end the tuning job"

[promote.{tag}]
deployment = "promote/{tag}"
tuning_jobs = "{tag}-*"
parameters = {{ min_improvement = 0.5, target = {{ place = "local", directory = "/models" }} }}
"""


def deployment(flow: Flow[..., Any], name: str) -> UUID:
    """A deployment that waits for a worker which never comes."""
    made: Any = flow.to_deployment(name)
    found = made.apply()
    assert isinstance(found, UUID)
    return found


@pytest.fixture
def tag() -> str:
    return f"t{uuid4().hex[:8]}"


@pytest.fixture
def registering() -> ModuleType:
    return script("automations")


@pytest.fixture
def removed() -> Iterator[None]:
    """No automation outlives a test."""
    yield
    with get_client(sync_client=True) as client:
        for one in client.read_automations():
            if one.name.startswith(PREFIX):
                client.delete_automation(one.id)


pytestmark = [pytest.mark.usefixtures("removed"), pytest.mark.long]


def tell(event: str, name: str, *, step: str = "no", **payload: Any) -> None:
    emit_event(
        event,
        resource={"prefect.resource.id": f"amt.tuning.{name.lower()}", "amt.step-of-a-flow": step},
        payload={"name": name, **payload},
    )


def answered(happens: Callable[[], None], answer: Callable[[], bool], timeout: float = 120) -> bool:
    """Whether something is answered in time. The server takes up an automation a moment after it was saved,
    and what happens before that goes unheard: so it happens again every few seconds."""
    give_up_at = time.monotonic() + timeout
    while time.monotonic() < give_up_at:
        happens()
        if eventually(answer, 10):
            return True
    return False


def only_run(of: UUID, timeout: float = 90) -> FlowRun:
    assert eventually(lambda: bool(runs_of(of)), timeout)
    (run,) = runs_of(of)
    return run


def test_a_completed_tuning_job_is_promoted_and_no_other(
    registering: ModuleType, tag: str, tmp_path: Path
) -> None:
    promoting = deployment(promote, tag)
    deployment(clean_up, tag)
    file = tmp_path / "automations.toml"
    file.write_text(FILE.format(tag=tag))
    registering.register(file)

    def news() -> None:
        tell("amt.tuning.stopped", f"{tag}-stopped")
        tell("amt.tuning.completed", f"{tag}-in-a-pipeline", step="yes")
        tell("amt.tuning.completed", "another-model")
        tell("amt.tuning.completed", f"{tag}-Digits")

    assert answered(news, lambda: bool(runs_of(promoting)))
    for run in runs_of(promoting):
        assert run.parameters == {
            "tuning_job": f"{tag}-Digits",
            "min_improvement": 0.5,
            "target": {"place": "local", "directory": "/models"},
        }


def test_the_file_can_be_registered_twice(registering: ModuleType, tag: str, tmp_path: Path) -> None:
    deployment(promote, tag)
    deployment(clean_up, tag)
    file = tmp_path / "automations.toml"
    file.write_text(FILE.format(tag=tag))
    names, others = registering.register(file, check=True)
    assert (len(names), others) == (3, [])
    with get_client(sync_client=True) as client:
        assert not [one for one in client.read_automations() if one.name in names]
        assert registering.register(file) == (names, [])
        first = {one.name: one.id for one in client.read_automations()}
        file.write_text(
            FILE.format(tag=tag).replace("end the tuning job", "go on with it").partition("[prom")[0]
        )
        assert registering.register(file) == (names[:2], names[2:])
        again = {one.name: one for one in client.read_automations()}
    assert {name: one.id for name, one in again.items()} == first
    action: Any = again[names[0]].actions[0]
    assert action.parameters["remedy"] == Remedy.RESUME.value


def test_the_file_of_the_project_names_deployments_of_the_project() -> None:
    tables = yaml.safe_load((DEPLOYMENTS / "prefect.yaml").read_text())["deployments"]
    flows: dict[str, Any] = {
        table["name"]: load_flow_from_entrypoint(table["entrypoint"]) for table in tables
    }
    text = (DEPLOYMENTS / "automations.toml").read_text()
    named = re.findall(r'^deployment = "(.+)/(.+)"$', text, re.MULTILINE)
    assert len(named) == 2
    for flow_name, name in named:
        assert flows[name].name == flow_name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[nonsense]", "is no kind of automation; the kinds are clean-up, promote, notify"),
        ("[notify]\nblock = 'slack-webhook/nobody'", "there is no block slack-webhook/nobody"),
        ("[notify]", "needs block"),
        ("[clean-up]\ndeployment = 'a/b'\nremedi = 1", "there is no field remedi"),
        ("[promote.x]\ndeployment = 'promote/none'", "there is no deployment promote/none"),
        ("promote = 3", "must be a table"),
        ("not toml", "can't be read"),
    ],
)
def test_a_bad_file_saves_nothing(registering: ModuleType, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(SpecError, match=said):
        registering.register(file)


# -- after a death ------------------------------------------------------------------------------------


def test_a_crashed_run_is_cleaned_up_after_a_delay(tag: str) -> None:
    cleaning = deployment(clean_up, tag)
    automations.clean_up_after_crash(cleaning, remedy=Remedy.END).create()
    crashed: list[str] = []

    def crash() -> None:
        tuning = deployed_run(tune, spec={"name": tag, "objective": {"metric_name": "accuracy"}})
        crashed.append(str(tuning))
        other = deployed_run(promote, tuning_job="x", target={})
        with get_client(sync_client=True) as client:
            for run_id in (other, tuning):
                client.set_flow_run_state(run_id, Running())
                client.set_flow_run_state(run_id, Crashed())

    assert answered(crash, lambda: bool(runs_of(cleaning)))
    for run in runs_of(cleaning):
        assert run.parameters["flow_run_id"] in crashed
        assert run.parameters["remedy"] == "end the tuning job"
        assert run.expected_start_time is not None
        assert run.created is not None
        # Reckoned from before the run is made, which may take a busy server seconds.
        assert timedelta(0) < run.expected_start_time - run.created < timedelta(seconds=20)


def heard_of(name: str) -> bool:
    with get_client(sync_client=True) as client:
        return last_heartbeat(client, run_called(name)) is not None


@pytest.mark.slow
def test_a_killed_script_becomes_crashed_and_leaves_nothing_running(home: Path, tag: str) -> None:
    """The server would have it run for ever: there is no runner that could tell."""
    cleaning = deployment(clean_up, tag)
    # 10 seconds are the least that the server waits; a run that lives sends a heartbeat every 30 at least.
    automations.clean_up_when_silent(cleaning, silent_seconds=10, delay=timedelta(0)).create()
    with tuning_in_a_process(tag, home) as process:
        # The automation waits for the next sign of life after one: a run without any is none of its business.
        assert eventually(lambda: heard_of(tag))
        process.kill()
        process.wait()
    run = run_called(tag)
    assert len(workers(home)) >= 2
    scheduled = only_run(cleaning, timeout=90)
    assert scheduled.parameters["flow_run_id"] == str(run.id)
    assert state_of(run.id) == "Running"
    assert started(clean_up, scheduled.id).is_completed()
    assert read(run.id).state_name == "Crashed"
    assert not workers(home)


# -- news -----------------------------------------------------------------------------------------


class Inbox(BaseHTTPRequestHandler):
    received: list[bytes]

    def do_POST(self) -> None:
        self.received.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *values: Any) -> None:
        pass


@pytest.fixture
def inbox() -> Iterator[tuple[str, list[bytes]]]:
    """A web hook: its address, and what was sent there."""
    received: list[bytes] = []
    handler = type("Received", (Inbox,), {"received": received})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/news", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_news_are_sent_by_a_block(
    registering: ModuleType, tmp_path: Path, tag: str, inbox: tuple[str, list[bytes]]
) -> None:
    address, received = inbox
    hook: dict[str, Any] = {"name": tag, "url": address, "json_data": {"text": "{{subject}} | {{body}}"}}
    CustomWebhookNotificationBlock(**hook).save(tag, overwrite=True)
    file = tmp_path / "automations.toml"
    file.write_text(f'[notify]\nblock = "custom-webhook/{tag}"\n')
    assert registering.register(file)[0] == [f"{PREFIX}notify"]

    def news() -> None:
        tell("amt.training-job.stopped-early", tag, training_job="j-0")
        tell(
            "amt.tuning.new-best",
            tag,
            training_job="j-1",
            objective_value=0.97,
            hyperparameters={"a": 1},
            previous=None,
        )

    assert answered(news, lambda: bool(received))
    for text in received:
        assert f"amt.tuning.new-best: {tag}".encode() in text
        assert b"objective_value: 0.97" in text
        assert b"j-0" not in text
