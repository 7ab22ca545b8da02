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
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_DATABASE_CONNECTION_URL,
    PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY,
    PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL,
    PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL,
    temporary_settings,
)

from flows import ready_processes
from flows.local_jobs import end_all

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.prefect)


@pytest.fixture(scope="session", autouse=True)
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # Late: it loads the whole server, which processes without flows do without.
    from prefect.testing.utilities import prefect_test_harness

    ours = {
        PREFECT_LOCAL_STORAGE_PATH: tmp_path_factory.mktemp("results"),
        PREFECT_SERVER_ANALYTICS_ENABLED: False,
        # What is told to the server it tells others up to five seconds later, as it comes.
        PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL: 0.5,
        # Whole seconds: less is 0 to Prefect, and its recorder keeps a core busy asking whether it is time.
        PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL: 1,
        PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY: timedelta(seconds=1),
    }
    with (
        temporary_settings(ours),
        prefect_test_harness(server_startup_timeout=120),
    ):
        yield
        ready_processes.end()


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
def nothing_known_of_other_files(prefect_server: None) -> Iterator[None]:
    """The server tells where a name's tuning job is kept; of those of other files it is to tell nothing."""
    yield
    # A deployment's own run may still publish; what it adds bears a name of its own file's. The API deletes
    # one after another, which takes seconds.
    file = str(PREFECT_SERVER_DATABASE_CONNECTION_URL.value()).partition(":///")[2]
    with closing(sqlite3.connect(file, timeout=120)) as database, database:
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
