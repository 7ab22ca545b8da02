"""``run_tuning``: a tuning job inside a flow run, seen from the server."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import TaskRun
from prefect.exceptions import MissingContextError

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.simulated import Script, SimulatedBackend
from amt_flows.errors import BackendError, Problem, SpecError, TuningJobFailed, TuningJobNotFound
from amt_flows.events import Outcome, TuningStatus
from amt_flows.flows import load_result, run_tuning
from amt_flows.flows.tuning.bar_states import TASK_KEY
from amt_flows.flows.tuning.budget import TaskRunBudget
from amt_flows.flows.tuning.stages import STAGES
from amt_flows.ports import JobRequest, JobState, Launch
from amt_flows.results import TuningResult
from amt_flows.spec import TuningSpec
from flows.local_jobs import eventually, local_spec
from flows.simulated import World, artifact, artifacts, flow_run_id, task_runs
from worlds import rising, spec


def test_a_tuning_is_shown_as_its_four_stages_and_ends_completed() -> None:
    world = World()
    # Ten jobs of virtual seconds are over in an instant, which no burst is meant for.
    world.budget = TaskRunBudget(burst=120)
    state = world.tune(spec(name="Shown", early_stopping={"type": "Auto"}))
    result = state.result()
    assert state.is_completed()
    assert result.status is TuningStatus.COMPLETED
    assert len(result.jobs) == len(world.backend.launches) == 10

    runs = task_runs(flow_run_id(state), world.budget.started)
    assert len(runs) == world.budget.started
    stages = [run for run in runs if run.task_key != TASK_KEY]
    assert all(run.state is not None and run.state.is_completed() for run in stages)
    names = [run.name for run in stages]
    assert names[:4] == ["propose-001..002", "launch-001..002", "propose-003", "early-stop check of 001..002"]
    assert names[-1] == "completion check after 10"
    assert {run.task_key for run in stages} == {task.task_key for task in STAGES}
    assert [task.name for task in STAGES] == ["propose", "launch", "early-stop check", "completion check"]
    _check_what_they_decided(stages)
    _check_bars([run for run in runs if run.task_key == TASK_KEY], result)
    _check_artifacts(result)


def _check_what_they_decided(stages: Sequence[TaskRun]) -> None:
    said = {run.name: str(run.state and run.state.message) for run in stages}
    assert said["launch-001..002"].startswith("Launched Shown-001-")
    assert "learning_rate=" in said["propose-001..002"]
    assert said["completion check after 10"].startswith("The tuning job ends by MaxNumberOfTrainingJobs")
    for name in (name for name in said if name.startswith("stop-")):
        assert "is worse than" in said[name]


def _check_bars(bars: Sequence[TaskRun], result: TuningResult) -> None:
    """Each training job is a bar from its start to its end, in a state that says how it ended, and why."""
    jobs = {job.name: job for job in result.jobs}
    assert {bar.dynamic_key for bar in bars} == set(jobs)
    for bar in bars:
        job, state = jobs[bar.dynamic_key], bar.state
        assert state is not None
        assert bar.name.startswith(f"{job.trial:03d} learning_rate=")
        assert bar.start_time is not None
        assert bar.end_time is not None
        assert bar.start_time.timestamp() == pytest.approx(job.started_at, abs=0.01)
        assert bar.end_time.timestamp() == pytest.approx(job.ended_at, abs=0.01)
        early = job.outcome == Outcome.STOPPED_EARLY.value
        assert state.name == ("StoppedEarly" if early else "Completed")
        assert ("is worse than" if early else "accuracy") in str(state.message)


def _check_artifacts(result: TuningResult) -> None:
    """The artifacts of a tuning job that ended are its result, in four ways."""
    name = result.name.lower()
    assert artifact("progress", name).data == 100
    rows = json.loads(str(artifact("leaderboard", name).data))
    assert result.best is not None
    assert rows[0]["Training job"] == result.best.name
    assert len(rows) == len(result.jobs)
    assert str(artifact("report", name).data).startswith(f"# {result.name}: completed")
    assert str(artifact("pictures", name).data).startswith("data:image/svg+xml;base64,")
    for kind in ("progress", "leaderboard", "report", "pictures", "result"):
        assert artifact(kind, name).description == result.headline

    @flow
    def deploy() -> TuningResult:
        return load_result(result.name.upper())

    assert deploy() == result


def test_what_is_published_holds_no_infinity_and_no_nan() -> None:
    odd = iter([math.inf, math.nan, -math.inf])

    def train(hyperparameters: Mapping[str, str]) -> Script:
        return Script([*rising(hyperparameters).values, next(odd, 0.5)])

    result = World(train=train).tune(spec(name="odd-values")).result()
    assert sum(job.latest_value == math.inf for job in result.jobs) == 1
    strictly(str(artifact("leaderboard", "odd-values").data))
    loaded = load_result("odd-values")
    assert loaded.model_dump_json() == result.model_dump_json()


def strictly(text: str) -> object:
    """JSON as other languages read it, which know no NaN and no Infinity."""
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def test_a_big_tuning_stays_within_its_task_runs_and_each_is_recorded() -> None:
    def long(hyperparameters: Mapping[str, str]) -> Script:
        return Script([*rising(hyperparameters).values] * 2)

    # A burst so large that only the number of jobs limits it: on the virtual clock no time passes.
    world = World(train=long, budget=TaskRunBudget(burst=10_000))
    limits = {"max_parallel_training_jobs": 4, "max_number_of_training_jobs": 30}
    state = world.tune(spec(name="big", limits=limits, early_stopping={"type": "Auto"}))
    assert state.is_completed()
    assert world.budget.inline > 0
    assert 60 < world.budget.started <= 5 * 30
    recorded = task_runs(flow_run_id(state), world.budget.started)
    assert len(recorded) == world.budget.started
    assert len({run.id for run in recorded}) == world.budget.started


def test_a_tuning_that_fails_fails_its_flow_run_and_leaves_its_artifacts() -> None:
    def broken(hyperparameters: Mapping[str, str]) -> Script:
        return Script([], startup_seconds=1.0, end=JobState.FAILED, failure="no such file: data.csv")

    state = World(train=broken).tune(spec(name="broken"))
    assert state.is_failed()
    assert "no such file: data.csv" in str(state.message)
    with pytest.raises(TuningJobFailed) as raised:
        state.result()
    assert isinstance(raised.value.result, TuningResult)
    assert load_result("broken") == raised.value.result
    assert "no such file: data.csv" in str(artifact("report", "broken").data)


class Refusing(SimulatedBackend):
    def check(self, spec: TuningSpec) -> Sequence[Problem]:
        return [Problem("training_job.command", "no-such-program", "is not here")]


def test_a_spec_that_cannot_run_here_launches_nothing() -> None:
    world = World()
    state = world.tune(spec(name="unsupported"), Refusing(world.backend.clock, rising))
    assert state.is_failed()
    assert "no-such-program" in str(state.message)
    with pytest.raises(SpecError):
        state.result()
    assert not world.backend.launches
    with pytest.raises(TuningJobNotFound, match="unsupported"):
        load_result("unsupported")


class BreaksOnce(SimulatedBackend):
    """Loses its connection at one launch, after the job was started."""

    def launch(self, request: JobRequest) -> Launch:
        launch = super().launch(request)
        if len(self.launches) == 5 and launch is Launch.STARTED:
            raise BackendError("The connection was lost.")
        return launch


def test_a_retry_of_the_flow_run_goes_on_with_the_same_tuning_job() -> None:
    world = World()
    backend = BreaksOnce(world.clock, rising)
    nameless = spec(name=None)
    names: list[str] = []

    @flow(name="retried", retries=1, retry_delay_seconds=0)
    def retried() -> TuningResult:
        result = run_tuning(nameless, backend=backend, journal=world.journal, clock=world.clock)
        names.append(result.name)
        return result

    state = retried(return_state=True)
    result = state.result()
    assert len(backend.launches) == len(set(backend.launches)) == 10
    assert {job.name for job in result.jobs} == set(backend.launches)
    assert names == [f"retried-{flow_run_id(state).hex[-12:]}"]
    assert eventually(lambda: bars_of(flow_run_id(state)) == set(backend.launches)), "both attempts' bars"


def bars_of(run: UUID) -> set[str]:
    """The training jobs that have ended bars in a flow run's graph."""
    found = [bar for bar in task_runs(run, 0) if bar.task_key == TASK_KEY]
    return {bar.dynamic_key for bar in found if bar.state is not None and bar.state.is_final()}


def test_two_flow_runs_of_a_spec_without_a_name_are_two_tuning_jobs() -> None:
    first, second = World().tune(spec(name=None)).result(), World().tune(spec(name=None)).result()
    assert first.name != second.name
    assert first.name.startswith("simulated-")


def test_a_finished_tuning_job_is_answered_from_its_record() -> None:
    world = World()
    first = world.tune(spec(name="again")).result()
    second = world.tune(spec(name="again"))
    assert second.result() == first
    assert len(world.backend.launches) == 10
    assert len(artifacts("result", "again")) == 2


class StoppedMeanwhile(SimulatedBackend):
    """Somebody stops the tuning job by its name once so many training jobs were launched."""

    def __init__(self, world: World, after: int) -> None:
        super().__init__(world.clock, world.train)
        self.journal, self.after = world.journal, after

    def launch(self, request: JobRequest) -> Launch:
        launch = super().launch(request)
        if len(self.launches) == self.after:
            self.journal.ask_to_stop("enough")
        return launch


def test_a_tuning_job_stopped_by_its_name_lets_the_pipeline_go_on_with_its_best() -> None:
    world = World()
    state = world.tune(spec(name="enough"), StoppedMeanwhile(world, after=6))
    assert state.is_completed()
    result = state.result()
    assert result.status is TuningStatus.STOPPED
    assert result.best is not None


def test_one_that_is_stopped_before_there_is_a_best_stays_stopped_and_the_pipeline_ends() -> None:
    world = World()
    state = world.tune(spec(name="too-soon"), StoppedMeanwhile(world, after=1))
    assert state.is_failed()
    assert "was stopped before any training job could be the best: enough" in str(state.message)
    with pytest.raises(TuningJobFailed) as raised:
        state.result()
    assert load_result("too-soon") == raised.value.result
    assert load_result("too-soon").status is TuningStatus.STOPPED
    again = world.tune(spec(name="too-soon"))
    assert again.is_failed(), "a retry or another run of it has no model either"


def test_what_cannot_be_published_is_a_warning_and_no_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(client: object, artifact: object) -> None:
        raise OSError("no artifacts today")

    monkeypatch.setattr(SyncPrefectClient, "create_artifact", refuse)
    with caplog.at_level(logging.WARNING):
        state = World().tune(spec(name="unpublished"))
    assert state.is_completed()
    warnings = [record for record in caplog.records if "no artifacts today" in record.getMessage()]
    assert len(warnings) == 1


def test_outside_of_a_flow_it_says_what_to_use_instead() -> None:
    world = World()
    with pytest.raises(MissingContextError, match=r"amt_flows\.tune"):
        run_tuning(spec(), backend=world.backend, journal=world.journal)


def test_what_a_plan_warns_of_is_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    patient = {"completion": {"max_number_of_training_jobs_not_improving": 20}}
    world, asked = World(), spec(**patient)
    with caplog.at_level(logging.WARNING):
        world.tune(asked)
        world.tune(asked)
    told = {record.getMessage() for record in caplog.records if "Worth a look" in record.getMessage()}
    (line,) = told
    assert line.startswith("Worth a look: completion.max_number_of_training_jobs_not_improving: can't act")
    # A record may reach the log by two handlers; the second run says nothing of its own.
    runs = {getattr(record, "flow_run_id", "") for record in caplog.records if record.getMessage() == line}
    assert len(runs) == 1


PARTIAL = 'echo "accuracy=0.95;"; echo "accuracy=0.5;"'


def logged(flow_run: UUID) -> list[str]:
    """The log of a flow run, as the server has it."""
    asked = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run]))
    with get_client(sync_client=True) as client:
        return [line.message for line in client.read_logs(asked)]


def test_what_a_run_notes_of_metrics_is_in_the_log_of_its_own_flow_run(home: Path) -> None:
    asked = local_spec("noted", PARTIAL, jobs=1).to_json()
    asked["training_job"]["metric_definitions"][0]["regex"] = r"accuracy=([0-9]\.[0-9])"

    @flow
    def noting() -> TuningResult:
        return run_tuning(TuningSpec.parse(asked), backend=LocalBackend(home))

    first, second = noting(return_state=True), World().tune(spec(name="says-nothing"))
    assert first.is_completed()
    noted = "only a part of"
    assert eventually(lambda: any(noted in line for line in logged(flow_run_id(first))))
    assert sum(noted in line for line in logged(flow_run_id(first))) == 1
    assert not any(noted in line for line in logged(flow_run_id(second)))
