"""``tune_on_amt``: the same spec, call and result as with our own engine; here against our own engine, which
plays AMT behind the simulated service."""

from __future__ import annotations

import io
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from amt.scripted_amt import Plan, how, opened, scripted_world
from amt_flows.amt import HandedOff, follow
from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.errors import TuningInterrupted, TuningJobFailed
from amt_flows.events import Outcome, TuningStatus
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import RunningTuningJob
from amt_flows.ports import Journal
from amt_flows.results import TuningResult
from amt_flows.run import attach_to_amt, tune_on_amt
from amt_flows.show.progress.lines import Lines
from amt_flows.spec import TuningSpec
from amt_flows.testing.sagemaker import Credentials, End, JobScript, SimulatedSageMaker
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from backends.sagemaker_world import own_level, session, spec


def asked(**changes: Any) -> TuningSpec:
    return spec(early_stopping={"type": "Auto"}, seed=3, **changes)


def tune(world: SimulatedSageMaker, one: TuningSpec, **options: Any) -> TuningResult:
    return tune_on_amt(
        one, **{"journal": MemoryJournal(), "session": session(), "how": how(world), **options}
    )


# -- the same as our own engine -----------------------------------------------------------------------------


def test_a_spec_comes_to_the_same_on_amt_as_on_our_own_backend() -> None:
    limits = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 12}
    clock = VirtualClock()
    here = Tuning.open(asked(limits=limits), SimulatedBackend(clock, own_level), MemoryJournal(), clock=clock)
    drive(here)
    with SimulatedSageMaker(own_level, tunes=True) as world:
        result = tune(world, asked(limits=limits))
        assert [job.name for job in world.jobs] == list(here.ledger.jobs)
    by_name = {job.name: job for job in result.jobs}
    assert any(job.outcome is Outcome.STOPPED_EARLY for job in here.ledger.jobs.values())
    for job in here.ledger.jobs.values():
        there = by_name[job.name]
        assert there.outcome == (job.outcome and job.outcome.value)
        assert there.hyperparameters == here.ledger.trials[job.trial].configuration
        assert there.objective_value == pytest.approx(job.final_value, rel=1e-6)
        assert there.epochs == len(job.curve)
    assert result.best is not None
    assert here.ledger.best is not None
    assert result.best.name == here.ledger.best.name
    assert [reason.rule for reason in result.reasons] == [reason.rule for reason in here.ledger.reasons]
    assert result.status is here.ledger.status is TuningStatus.COMPLETED


def test_warm_start_is_amts_own() -> None:
    with SimulatedSageMaker(own_level, tunes=True) as world:
        first = tune(world, asked().named("first"))
        assert first.best is not None
        warm = {"type": "IdenticalDataAndAlgorithm", "parents": ["first"]}
        plan = Plan([{"learning_rate": "0.5"}])
    with scripted_world(own_level, plan) as world:
        second = tune(world, asked(warm_start=warm))
        [tuning] = world.tuning_jobs
        assert tuning.request["WarmStartConfig"] == {
            "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "first"}],
            "WarmStartType": "IdenticalDataAndAlgorithm",
        }
        assert len(second.jobs) == 1


# -- the call -----------------------------------------------------------------------------------------------


def test_it_shows_progress_and_calls_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    begun: list[RunningTuningJob] = []
    ticks: list[int] = []
    with SimulatedSageMaker(own_level, tunes=True) as world:
        result = tune(
            world,
            asked(),
            journal=DirectoryJournal(tmp_path / "journal"),
            progress=True,
            on_open=begun.append,
            on_tick=lambda followed, news: ticks.append(len(followed.ledger.ended)),
        )
    assert [one.ledger.name for one in begun] == ["demo"]
    assert ticks == sorted(ticks)
    assert ticks[-1] == len(result.jobs) == 10
    shown = capsys.readouterr().err
    assert re.search(r"\[ 1/10\] demo-\d{3}-\w{8} completed: accuracy 0\.\d+ after 8 epochs", shown)
    assert "stopped early: accuracy" in shown
    assert "demo ended: Completed, best accuracy" in shown
    assert result.journal == DirectoryJournal(tmp_path / "journal").location


def test_a_finished_one_is_returned_at_once_and_one_that_exists_is_attached() -> None:
    journal = MemoryJournal()
    with SimulatedSageMaker(own_level, tunes=True) as world:
        first = tune(world, asked(), journal=journal)
        before = world.calls.copy()
        assert tune(world, asked(), journal=journal) == first
        assert world.calls == before
        other = attach_to_amt("demo", journal=MemoryJournal(), session=session(), how=how(world))
        assert [job.name for job in other.jobs] == [job.name for job in first.jobs]
        assert other.best is not None
        assert first.best is not None
        assert (other.best.name, other.best.artifact) == (first.best.name, first.best.artifact)


def test_it_may_be_behind_a_url() -> None:
    world = SimulatedSageMaker(own_level, tunes=True)
    with world.serve(credentials=Credentials("test", "test")) as url:
        result = tune(world, asked(), region="eu-west-1", endpoint_url=url)
        assert len(result.jobs) == len(world.jobs) == 10


def test_a_spec_without_a_name_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMT_FLOWS_HOME", str(tmp_path))
    values = asked().to_json()
    del values["name"]
    with SimulatedSageMaker(own_level, tunes=True) as world:
        result = tune(world, TuningSpec(**values), journal=None)
        assert [tuning.name for tuning in world.tuning_jobs] == [result.name]
    assert (tmp_path / result.name / "journal").is_dir()


def test_a_failed_one_raises_with_amts_reason() -> None:
    with SimulatedSageMaker(JobScript([], end=End.FAIL), tunes=True) as world:
        with pytest.raises(TuningJobFailed, match=r"\d training jobs failed and none succeeded") as caught:
            tune(world, asked())
        result = caught.value.result
    assert isinstance(result, TuningResult)
    assert result.status is TuningStatus.FAILED


# -- Ctrl-C -----------------------------------------------------------------------------------------------


def after(ticks: int) -> Any:
    """A callback that presses Ctrl-C when it is called for the n-th time."""
    count = iter(range(1, 10**6))

    def on_tick(followed: RunningTuningJob, news: object) -> None:
        if next(count) == ticks:
            signal.raise_signal(signal.SIGINT)

    return on_tick


def test_ctrl_c_has_amt_stop_it_and_keeps_the_best() -> None:
    with SimulatedSageMaker(own_level, tunes=True) as world:
        result = tune(world, asked(), on_tick=after(60))
        assert result.status is TuningStatus.STOPPED
        assert result.reasons[0].message == "stopped by SIGINT"
        assert result.best is not None
        assert world.live == ()


def test_a_second_ctrl_c_ends_the_wait_and_leaves_the_rest_to_amt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amt_flows.tuning.interrupts.ONE_REQUEST_SECONDS", 0.0)
    journal = MemoryJournal()

    def twice(followed: RunningTuningJob, news: object) -> None:
        if followed.ledger.jobs:
            signal.raise_signal(signal.SIGINT)

    with SimulatedSageMaker(own_level, tunes=True) as world:
        with pytest.raises(TuningInterrupted, match="left to AMT"):
            tune(world, asked(), journal=journal, on_tick=twice)
        with pytest.raises(TuningJobFailed, match="stopped before any training job could be the best"):
            tune(world, asked(), journal=journal)
        assert Ledger.replay(journal.read()).status is TuningStatus.STOPPED


# -- the surface that others use ----------------------------------------------------------------------------


def test_our_engine_and_amts_follower_have_the_same_surface() -> None:
    def surface(one: RunningTuningJob) -> tuple[Ledger, Journal, float, str | None]:
        return one.ledger, one.journal, one.now(), one.held_up_by

    clock = VirtualClock()
    tuning = Tuning.open(asked(), SimulatedBackend(clock, own_level), MemoryJournal(), clock=clock)
    with SimulatedSageMaker(own_level, tunes=True) as world:
        handed_off = opened(world, asked())
        for one in (surface(tuning), surface(handed_off)):
            assert isinstance(one[0], Ledger)
            assert one[3] is None
        assert isinstance(handed_off, HandedOff)
        written = io.StringIO()
        lines = Lines(lambda line: print(line, file=written))
        follow(handed_off, on_tick=lines.show)
        assert "demo started" in written.getvalue()
