"""One Prefect server for all tests of the flows (that a process runs)."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import (
    PREFECT_API_SSL_CERT_FILE,
    PREFECT_API_URL,
    PREFECT_CLIENT_CSRF_SUPPORT_ENABLED,
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY,
    PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL,
    PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL,
    get_current_settings,
    temporary_settings,
)

from flows import ready_processes
from flows.local_jobs import end_all
from flows.prefect_servers import everywhere, one_authority, send_what_waits, serving
from new_database import left_by_the_first

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.prefect)


@pytest.fixture(scope="package", autouse=True)
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of its database."""
    new = left_by_the_first(tmp_path_factory.getbasetemp())
    database = tmp_path_factory.mktemp("prefect") / "prefect.db"
    ours = {
        PREFECT_API_SSL_CERT_FILE: one_authority(tmp_path_factory.mktemp("tls") / "one.pem"),
        # Every client would ask for a token first, and be told that there are none.
        PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: False,
        PREFECT_LOCAL_STORAGE_PATH: tmp_path_factory.mktemp("results"),
        PREFECT_SERVER_ANALYTICS_ENABLED: False,
        # What is told to the server it tells others up to five seconds later, as it comes.
        PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL: 0.5,
        # Whole seconds: less is 0 to Prefect, and its recorder keeps a core busy asking whether it is time.
        PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL: 1,
        PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY: timedelta(seconds=1),
    }
    with temporary_settings(ours):
        variables = get_current_settings().to_environment_variables(exclude_unset=True)
        with (
            serving(database, new, variables) as url,
            temporary_settings({PREFECT_API_URL: url}),
            everywhere(),
        ):
            yield database
            ready_processes.end()
            send_what_waits()


class _ShortNaps:
    """The module ``time`` as Prefect's flow engine has it, but for naps of a second."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.05))


@pytest.fixture(scope="session", autouse=True)
def flows_end_at_once() -> Iterator[None]:
    """Prefect's engine waits at each flow's end until the thread that sends heartbeats has slept out its
    second, which would be half of what these tests take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("prefect.flow_engine.time", _ShortNaps())
        yield


@pytest.fixture(scope="module", autouse=True)
def nothing_known_of_other_files(prefect_server: Path) -> Iterator[None]:
    """The server tells where a name's tuning job is kept; of those of other files it is to tell nothing."""
    yield
    # A deployment's own run may still publish; what it adds bears a name of its own file's. The API deletes
    # one after another, which takes seconds.
    with closing(sqlite3.connect(prefect_server, timeout=120)) as database, database:
        database.execute("DELETE FROM artifact_collection")
        database.execute("DELETE FROM artifact")


@pytest.fixture(autouse=True)
def a_deadline_is_taken_up_at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the tests that wait for one, nobody minds if the server has not heard of it."""
    if "deadline" not in request.node.keywords:
        monkeypatch.setattr("amt_flows.flows.promotion.approval.TAKEN_UP_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where this test's tuning jobs are kept. Nothing that belongs to them outlives the test."""
    monkeypatch.setenv("AMT_FLOWS_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    end_all(tmp_path / "home")
