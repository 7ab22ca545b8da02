"""Training jobs on a Ray cluster: the conformance suite, and what only an engine elsewhere can do to them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from amt_flows.backends.attended.backend import AttendedBackend
from amt_flows.backends.local import LocalBackend
from amt_flows.backends.local.controller import process_here
from amt_flows.backends.local.process import read_json
from amt_flows.backends.places import open_journal, place_at
from amt_flows.backends.ray.engine import RayEngine
from amt_flows.cli import main
from amt_flows.errors import BackendError, CapacityUnavailable, NameTaken
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.names import training_job_name
from amt_flows.ports import Backend, JobRequest, JobState, Launch
from amt_flows.spec import Resources, TrainingJobTemplate, TuningSpec
from amt_flows.testing import BackendConformance, Behaviour
from amt_flows.testing.backend_conformance import CURVE, TUNING_JOB, curve
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from backends.ray_head import RayHead, ray_head
from backends.test_local_conformance import SCRIPTS
from worlds import drive_until

CLUSTER = "AMT_FLOWS_TEST_RAY"


def backend_on(url: str, place: Path) -> AttendedBackend:
    return AttendedBackend(RayEngine(url), place, lease_seconds=2)


def template(behaviour: Behaviour, grace: float = 0.5) -> TrainingJobTemplate:
    return TrainingJobTemplate(command=("/bin/sh", "-c", SCRIPTS[behaviour]), stop_grace_seconds=grace)


@pytest.fixture(scope="module")
def one_head() -> Iterator[RayHead]:
    with ray_head() as head:
        yield head


class OnRay(BackendConformance):
    """What all tests here start from: a head that knows no job yet."""

    head: RayHead

    @pytest.fixture(autouse=True)
    def _a_fresh_head(self, one_head: RayHead) -> None:
        type(self).head = one_head
        one_head.forget()

    def make(self, place: Path) -> AttendedBackend:
        return backend_on(self.head.url, place)

    def template(self, behaviour: Behaviour) -> TrainingJobTemplate:
        return template(behaviour)


class TestRayConformance(OnRay):
    """Against a head of this process."""


@pytest.mark.long
@pytest.mark.skipif(CLUSTER not in os.environ, reason=f"${CLUSTER} names no head of a cluster")
class TestRealRayConformance(BackendConformance):
    """Against the cluster that ``AMT_FLOWS_TEST_RAY`` names; it must have this machine's disk."""

    patience_seconds = 120.0
    run = ""

    def request(self, behaviour: Behaviour, **changes: Any) -> JobRequest:
        """Of a name that the cluster has never seen; within a test the same."""
        request = super().request(behaviour, **changes)
        hyperparameters = {**request.hyperparameters, "run": self.run}
        name = training_job_name(TUNING_JOB, request.trial, hyperparameters, request.attempt)
        return replace(request, name=name, hyperparameters=hyperparameters)

    @pytest.fixture(autouse=True)
    def _its_own_names(self) -> None:
        type(self).run = secrets.token_hex(4)

    def make(self, place: Path) -> Backend:
        return AttendedBackend(RayEngine(os.environ[CLUSTER]), place, lease_seconds=10)

    def template(self, behaviour: Behaviour) -> TrainingJobTemplate:
        need = Resources(cpus=0.1)
        return template(behaviour, 1.5).model_copy(update={"resources": need})


@pytest.fixture
def suite(one_head: RayHead, tmp_path: Path) -> Iterator[OnRay]:
    """Its requests and controllers, for the tests below."""
    suite = OnRay()
    OnRay.head = one_head
    one_head.forget()
    yield suite
    one_head.starts, one_head.away, one_head.nodes = True, False, [{"CPU": 64.0, "memory": 64e9}]
    controller = suite.controller(tmp_path)
    left = [job.name for job in controller.backend.find(TUNING_JOB) if not job.state.terminal]
    controller.backend.stop(TUNING_JOB, left, kill=True)
    controller.until(lambda reports: all(r.state.terminal for r in reports.values()), *left)


def test_a_job_that_waits_is_stopped_for_good_and_never_starts(suite: OnRay, tmp_path: Path) -> None:
    suite.head.starts = False
    controller, request = suite.controller(tmp_path), suite.request(Behaviour.SUCCEED)
    controller.backend.launch(request)
    assert controller.poll(request.name)[request.name].state is JobState.STARTING
    controller.backend.stop(TUNING_JOB, [request.name])
    assert controller.until_ended(request.name).state is JobState.STOPPED
    (job,) = suite.head.jobs.values()
    assert job["status"] == "STOPPED"
    # A cluster that starts it all the same finds it taken.
    assert os.waitstatus_to_exitcode(os.system(job["entrypoint"] + " > /dev/null")) == 70
    assert controller.values(request.name) == []


def test_no_more_are_submitted_than_the_nodes_have_room_for(suite: OnRay, tmp_path: Path) -> None:
    suite.head.nodes = [{"CPU": 1.0}, {"CPU": 8.0, "GPU": 2.0}]
    suite.head.starts = False
    controller = suite.controller(tmp_path)
    need = Resources(gpus=1, cpus=1)
    one = template(Behaviour.RUN).model_copy(update={"resources": need})
    requests = [suite.request(Behaviour.RUN, trial=trial) for trial in (1, 2, 3)]
    requests = [replace(request, template=one) for request in requests]
    for request in requests[:2]:
        controller.backend.launch(request)
    with pytest.raises(CapacityUnavailable, match="waits for 1 CPU, 1 GPU"):
        controller.backend.launch(requests[2])
    assert len(suite.head.jobs) == 2
    room = suite.make(tmp_path).room(need)
    assert (room.at_once, "2 GPU" in room.why) == (2, True)
    spec = TuningSpec.parse(
        {
            "objective": {"metric_name": "score"},
            "continuous": [{"name": "x", "min_value": 0, "max_value": 1}],
            "limits": {"max_number_of_training_jobs": 1},
            "training_job": {"command": ["true"], "resources": {"gpus": 3}},
        }
    )
    assert "no node of the cluster" in next(
        p.message for p in controller.backend.check(spec) if p.field == "training_job.resources"
    )


def test_a_head_that_is_away_keeps_no_value_back_and_loses_no_launch(suite: OnRay, tmp_path: Path) -> None:
    controller, request = suite.controller(tmp_path), suite.request(Behaviour.SUCCEED)
    suite.head.away = True
    with pytest.raises(CapacityUnavailable):
        controller.backend.launch(request)
    suite.head.away = False
    controller.backend.launch(request)
    suite.head.away = True
    assert controller.until_ended(request.name).state is JobState.COMPLETED
    assert controller.values(request.name) == curve(CURVE)


def test_who_goes_on_with_a_tuning_job_need_not_wait_for_the_head(suite: OnRay, tmp_path: Path) -> None:
    spec = TuningSpec.parse(
        {
            "name": TUNING_JOB,
            "objective": {"metric_name": "score"},
            "continuous": [{"name": "x", "min_value": 0, "max_value": 1}],
            "limits": {"max_number_of_training_jobs": 1},
            "training_job": {"command": ["true"]},
        }
    )
    backend = suite.make(tmp_path)
    suite.head.away = True
    assert "can't be reached" in next(p.message for p in backend.check(spec) if p.field == "backend")
    suite.head.away = False
    backend.launch(suite.request(Behaviour.SUCCEED))
    suite.head.away = True
    assert [problem for problem in backend.check(spec) if problem.field == "backend"] == []


def test_an_answer_that_was_lost_starts_no_second_job(suite: OnRay, tmp_path: Path) -> None:
    controller, request = suite.controller(tmp_path), suite.request(Behaviour.SUCCEED)
    suite.head.starts = False
    controller.backend.launch(request)
    assert controller.backend.launch(request) is Launch.ATTACHED
    assert suite.make(tmp_path).launch(request) is Launch.ATTACHED
    assert len(suite.head.jobs) == 1
    # The name of a job whose directory is gone is somebody else's.
    with pytest.raises(NameTaken, match="another job with the name"):
        suite.make(tmp_path / "elsewhere").launch(request)


def test_what_a_head_forgot_is_lost_once_its_worker_has_ended(suite: OnRay, tmp_path: Path) -> None:
    controller, request = suite.controller(tmp_path), suite.request(Behaviour.IGNORE_STOP)
    controller.backend.launch(request)
    controller.until_values(request.name, 2)
    directory = tmp_path / TUNING_JOB / "jobs" / request.name
    training = (read_json(directory / "process.json") or {})["pid"]
    suite.head.forget()
    assert controller.until_ended(request.name).state is JobState.LOST
    with pytest.raises(ProcessLookupError):
        os.kill(training, 0)


def test_a_node_that_dies_takes_the_training_with_it(suite: OnRay, tmp_path: Path) -> None:
    controller, request = suite.controller(tmp_path), suite.request(Behaviour.RUN)
    controller.backend.launch(request)
    controller.until_values(request.name, 2)
    (attendant,) = suite.head.processes.values()
    os.kill(attendant.pid, signal.SIGKILL)
    assert controller.until_ended(request.name).state is JobState.LOST


def test_values_cost_no_request(suite: OnRay, tmp_path: Path) -> None:
    controller, request = suite.controller(tmp_path), suite.request(Behaviour.SUCCEED)
    controller.backend.launch(request)
    controller.until_ended(request.name)
    submits = [line for line in suite.head.requests if line == "POST /api/jobs/"]
    assert len(submits) == 1
    assert len(suite.head.requests) <= 5, suite.head.requests


def test_the_same_spec_comes_to_the_same_here_and_there(suite: OnRay, tmp_path: Path) -> None:
    spec = TuningSpec.parse(
        {
            "name": "parity",
            "objective": {"metric_name": "acc"},
            "continuous": [{"name": "x", "min_value": 0, "max_value": 1}],
            "seed": 7,
            "limits": {"max_number_of_training_jobs": 4},
            "training_job": {
                "command": ["sh", "-c", 'echo "amt-report acc=$SM_HP_X;"; echo "amt-report acc=0.5;"'],
                "hyperparameters_as_arguments": False,
            },
        }
    )
    seen = []
    for backend in (LocalBackend(tmp_path / "here"), suite.make(tmp_path / "there")):
        tuning = Tuning.open(spec, backend, MemoryJournal())
        drive(tuning)
        jobs = tuning.ledger.jobs.values()
        seen.append([(job.name, job.outcome, list(job.curve)) for job in jobs])
    assert seen[0] == seen[1]


def test_a_record_leads_back_to_the_cluster(suite: OnRay, tmp_path: Path) -> None:
    address = suite.make(tmp_path).address
    assert address == f"ray:{suite.head.url}"
    assert place_at(address, tmp_path).address == address


def on_another_machine(*words: str, home: Path, code: int = 0) -> str:
    """A command that knows a tuning job by its name alone."""
    done = CliRunner().invoke(main, [*words, "--home", str(home)])
    assert done.exit_code == code, done.output
    return done.output


def test_another_machine_needs_the_name_alone(suite: OnRay, tmp_path: Path) -> None:
    spec = TuningSpec.parse(
        {
            "name": "by-name",
            "objective": {"metric_name": "validation:accuracy"},
            "continuous": [{"name": "x", "min_value": 0, "max_value": 1}],
            "limits": {"max_number_of_training_jobs": 2},
            "training_job": {
                "command": ["sh", "-c", SCRIPTS[Behaviour.SUCCEED]],
                "working_directory": str(tmp_path),
            },
        }
    )
    journal = open_journal("by-name", tmp_path)
    first = Tuning.open(spec, suite.make(tmp_path), journal)
    drive_until(first, lambda: bool(first.ledger.jobs))
    (job,) = first.ledger.jobs
    # Somewhere else nobody has its directory, and no job is taken for lost and begun again.
    with pytest.raises(BackendError, match="AMT_FLOWS_SHARED"):
        suite.make(tmp_path / "elsewhere").poll("by-name", [job])
    with pytest.raises(BackendError, match="AMT_FLOWS_SHARED"):
        suite.make(tmp_path / "elsewhere").stop("by-name", [job], kill=True)

    assert "InProgress" in on_another_machine("status", "by-name", "--json", home=tmp_path)
    on_another_machine("resume", "by-name", "--quiet", home=tmp_path)
    assert len(suite.head.jobs) == 2
    assert "validation:accuracy" in on_another_machine("logs", job, home=tmp_path)
    shutil.rmtree(tmp_path / "by-name" / "journal")
    (tmp_path / "spec.json").write_text(json.dumps(spec.to_json()))
    recover = ("recover", str(tmp_path / "spec.json"), "--backend", f"ray:{suite.head.url}")
    assert "2" in on_another_machine(*recover, home=tmp_path)
    assert len(suite.head.jobs) == 2

    dead = process_here(2**22 + 1)
    journal = open_journal("to-stop", tmp_path)
    second = Tuning.open(spec.named("to-stop"), suite.make(tmp_path), journal, controller=dead)
    drive_until(second, lambda: bool(second.ledger.jobs))
    on_another_machine("stop", "to-stop", "--kill", home=tmp_path)
    assert Ledger.replay(open_journal("to-stop", tmp_path).read()).finished
