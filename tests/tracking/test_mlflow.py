"""MLflow's real server (SQLite) shows a tuning job while it runs; the contract of trackers, there too."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amt_flows import TuningSpec, read_record, tune
from amt_flows.backends.local import LocalBackend
from amt_flows.errors import TrackerUnavailable, TrackingError
from amt_flows.ports import RunStatus, Tracker
from amt_flows.testing import TrackerConformance
from amt_flows.tracking import beside
from amt_flows.tracking.mlflow_client import open_client
from amt_flows.tracking.mlflow_tracker import MlflowTracker
from commands import cli, ok
from tracking.memory_tracker import Kept, MemoryTracker
from tracking.mlflow_server import DATABASE, mlflow_server

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def kept_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="module")
def server(kept_in: Path) -> Iterator[str]:
    with mlflow_server(kept_in) as address:
        yield address


# -- the contract -------------------------------------------------------------------------------------


class OnMlflow(TrackerConformance):
    uri: str

    def make(self) -> Tracker:
        return MlflowTracker(self.uri, "conformance")

    def status_of(self, run_id: str) -> RunStatus:
        return RunStatus(open_client(self.uri).get_run(run_id).info.status)


class TestOnAServer(OnMlflow):
    @pytest.fixture(autouse=True)
    def _at(self, server: str) -> None:
        self.uri = server


class TestInAFile(OnMlflow):
    """As on a laptop without a server."""

    @pytest.fixture(autouse=True)
    def _at(self, server: str, kept_in: Path) -> None:
        self.uri = f"sqlite:///{kept_in / DATABASE}"


class TestInMemory(TrackerConformance):
    @pytest.fixture(autouse=True)
    def _runs(self) -> None:
        self.runs: dict[str, Kept] = {}

    def make(self) -> Tracker:
        return MemoryTracker(self.runs)

    def status_of(self, run_id: str) -> RunStatus:
        return self.runs[run_id].status


def test_a_server_that_is_away_may_be_there_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackerUnavailable, match=r"127\.0\.0\.1:9 can't be used now: .*refused") as away:
        MlflowTracker("http://127.0.0.1:9", "x").find({"a": "b"})
    assert "tracking.mlflow" in away.value.remedy


def test_a_deleted_experiment_is_said(server: str) -> None:
    client: Any = open_client(server)
    client.delete_experiment(client.create_experiment("deleted"))
    with pytest.raises(TrackingError, match="deleted"):
        MlflowTracker(server, "deleted").create(TestInMemory().run("job", {"a": "b"}))


# -- whole tuning jobs --------------------------------------------------------------------------------

SCRIPT = """
import json, os, sys, urllib.request
from amt_flows.reporting import report

rate = float(sys.argv[sys.argv.index("--rate") + 1])
for epoch in (1, 2, 3):
    report(epoch=epoch, accuracy=epoch / 3 - rate, loss=rate / epoch)
run_id = os.environ.get("MLFLOW_RUN_ID")
if run_id:
    assert os.environ["MLFLOW_EXPERIMENT_NAME"] == "digits"
    mine = {"run_id": run_id, "key": "mine", "value": 7, "timestamp": 1, "step": 1}
    url = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/runs/log-metric"
    head = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(mine).encode(), head)).read()
if rate > 0.9:
    sys.exit("the loss exploded")
"""
READ = [{"name": name, "regex": f"{name}=([-+.0-9a-z]+)"} for name in ("accuracy", "loss")]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AMT_FLOWS_HOME", str(tmp_path / "home"))
    (tmp_path / "train.py").write_text(SCRIPT)

    def spec(name: str, uri: str) -> TuningSpec:
        return TuningSpec(
            name=name,
            objective={"metric_name": "accuracy"},
            continuous=[{"name": "rate", "min_value": 0.0, "max_value": 1.0}],
            strategy="Random",
            first_configurations=[{"rate": 0.25}, {"rate": 0.95}],
            limits={"max_number_of_training_jobs": 3, "max_parallel_training_jobs": 2},
            training_job={
                "command": ["python", "train.py"],
                "working_directory": str(tmp_path),
                "metric_definitions": READ,
            },
            tracking={"mlflow": uri, "experiment": "digits"},
        )

    return spec


def runs_of(server: str, name: str) -> tuple[Any, dict[str, Any]]:
    """The tuning job's run, and those of its training jobs by their names."""
    client = open_client(server)
    experiment = client.get_experiment_by_name("digits").experiment_id
    runs = client.search_runs([experiment], f"tags.\"amt.tuning_job\" = '{name}'")
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {run.info.run_name: run for run in runs if run is not parent}
    assert len(children) == len(runs) - 1, "a training job has two runs"
    assert {run.data.tags["mlflow.parentRunId"] for run in children.values()} == {parent.info.run_id}
    return parent, children


def curve(server: str, run: Any, metric: str) -> list[tuple[int, float]]:
    return [(one.step, one.value) for one in open_client(server).get_metric_history(run.info.run_id, metric)]


@pytest.mark.slow
def test_a_tuning_job_is_shown_and_its_training_jobs_add_to_their_own_runs(
    server: str, asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "LAUNCH_SECONDS", 120.0)  # a busy machine is no server that is away
    monkeypatch.setattr(beside, "BEGIN_SECONDS", 120.0)
    monkeypatch.setattr(beside, "END_SECONDS", 120.0)
    lines: list[str] = []
    result = tune(asked("shown", server), LocalBackend(tmp_path / "home"), tell=lines.append)
    parent, children = runs_of(server, "shown")
    assert parent.info.status == "FINISHED"
    assert result.best is not None
    assert parent.data.tags["amt.best_training_job"] == result.best.name
    assert any(parent.info.run_id in line for line in lines), lines
    ledger = read_record(result.name).ledger
    assert children.keys() == {job.name for job in result.jobs}
    for job in result.jobs:
        run = children[job.name]
        assert run.info.status == ("FAILED" if job.failed else "FINISHED")
        assert run.data.params == {"rate": str(job.hyperparameters["rate"])}
        assert curve(server, run, "accuracy") == list(ledger.jobs[job.name].curve)
        assert [step for step, _ in curve(server, run, "loss")] == [1, 2, 3]
        assert curve(server, run, "mine") == [(1, 7.0)], "what the script itself sent"
        assert job.log is not None
        assert run.data.tags["amt.log"] == job.log
    assert any("the loss exploded" in run.data.tags.get("amt.reason", "") for run in children.values())


@pytest.mark.long
def test_a_server_that_is_away_delays_nothing_and_gets_the_rest_by_a_command(
    server: str, kept_in: Path, asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "END_SECONDS", 0.5)
    monkeypatch.setenv("MLFLOW_RUN_ID", "the-run-within-which-this-is-tuned")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody else gets it, and nobody answers
        port = taken.getsockname()[1]
        lines: list[str] = []
        uri = f"http://127.0.0.1:{port}"
        result = tune(asked("away", uri), LocalBackend(tmp_path / "home"), tell=lines.append)
    assert len(result.jobs) == 3
    assert result.best is not None, "a script logged to the run of whoever tunes"
    assert any("is launched without a run of its own" in line for line in lines)
    assert "amt-flows track away" in lines[-1]
    assert result.jobs[0].name in lines[-1]
    told = cli("track", "away", "--wait", "1")
    assert told.exit_code == TrackingError.exit_code
    assert "refused" in told.stderr
    assert "amt-flows track away" in told.stderr
    with mlflow_server(kept_in, port):
        for _ in range(2):  # once more changes nothing
            assert "has all that is known" in ok("track", "away")
    parent, children = runs_of(server, "away")
    assert parent.info.status == "FINISHED"
    ledger = read_record(result.name).ledger
    assert children.keys() == {job.name for job in result.jobs}
    for job in result.jobs:
        assert curve(server, children[job.name], "accuracy") == list(ledger.jobs[job.name].curve)
        assert [step for step, _ in curve(server, children[job.name], "loss")] == [1, 2, 3]
