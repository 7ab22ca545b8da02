"""One spec means the same wherever its training jobs run.

What parity can honestly demand depends on time. Two places never run in step: which of two jobs ends first,
how far a job has come when it is stopped, whether its last epoch was seen before its end, is chance, and
through them all that is decided from the state of things. So order is forced:

- In scripted time no two things happen at the same moment, and every event is looked at. All is demanded:
  configurations, curves, each decision of the early-stopping rule with its numbers, ends, reasons.
- Where processes really run, a turnstile lets one job go on by one epoch (or to its end), and the next one
  when the engine has dealt with that. The same is demanded, and the order of all that is in the journal, with
  one job at a time and with two, for strategies that learn from results, too.
- Where a job goes on by several epochs at once in one place only, as it does while nobody looks, it runs
  beyond the epoch that condemns it. Then of a stopped job the one curve is to begin as the other; all else is
  to be the same, decisions included, since epochs are judged one by one. That needs a strategy that doesn't
  look at results, since the last value of a stopped job is one, and jobs that don't fail on their way.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.sagemaker import SageMakerBackend
from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.events import Ended, Judged, Launched, Observed, Outcome, Proposed, StopAsked, TuningStatus
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import News
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.ports import Backend, Clock
from amt_flows.space.space import hyperparameter_texts
from amt_flows.spec import TuningSpec
from amt_flows.spec.amt_request import to_amt_request
from amt_flows.testing.chaos.engines import EngineJobs, engine_plan_of, time_of
from amt_flows.testing.sagemaker import Command, SimulatedSageMaker
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from backends.sagemaker_world import IMAGE, REGION, backend, client, early, own_level, spec, verbatim

EPOCHS = 6


class Remembering(MemoryJournal):
    """A journal that tells what happened, without times."""

    def decisions(self) -> list[tuple[Any, ...]]:
        """Every judgement of the early-stopping rule, in order."""
        return [
            (j.job, j.epoch, j.value, j.median, j.compared, j.stop, j.why)
            for entry in self.read()
            for event in entry
            if isinstance(event, Judged)
            for j in event.judgements
        ]

    def course(self) -> list[tuple[Any, ...]]:
        """What was done, seen and decided, in order."""
        steps: list[tuple[Any, ...]] = []
        for entry in self.read():
            for event in entry:
                match event:
                    case Proposed():
                        steps.append(
                            ("proposed", event.trial, event.configuration, event.source, event.reason)
                        )
                    case Launched():
                        steps.append(("launched", event.job))
                    case Observed():
                        steps.append(("observed", comparable(event.points)))
                    case Judged():
                        steps.append(("judged", [(j.job, j.epoch, j.stop) for j in event.judgements]))
                    case StopAsked():
                        steps.append(("stopped", event.jobs, event.early))
                    case Ended():
                        steps.append(("ended", event.job, event.outcome))
        return steps


def comparable(value: Any) -> Any:
    """NaN is not equal to itself, but its text is."""
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    if isinstance(value, Mapping):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [comparable(item) for item in value]
    return value


def told(ledger: Ledger) -> dict[str, Any]:
    """What a tuning job came to, without times and places."""
    return {
        "configurations": {number: dict(t.configuration) for number, t in ledger.trials.items()},
        "sources": {number: (t.source, t.reason) for number, t in ledger.trials.items()},
        "curves": {job.name: comparable(tuple(job.curve)) for job in ledger.jobs.values()},
        "final values": {job.name: comparable(job.final_value) for job in ledger.jobs.values()},
        "outcomes": {job.name: job.outcome for job in ledger.jobs.values()},
        "order of ends": [job.name for job in ledger.ended],
        "best": None if ledger.best is None else (ledger.best.name, ledger.best.metrics["accuracy"]),
        "status": ledger.status,
        "reasons": [(reason.rule, reason.message) for reason in ledger.reasons],
    }


def by_job(decisions: Sequence[tuple[Any, ...]]) -> dict[str, list[tuple[Any, ...]]]:
    return {job: [one for one in decisions if one[0] == job] for job in sorted({d[0] for d in decisions})}


# -- in scripted time ------------------------------------------------------------------------------------


def run(asked: TuningSpec, where: Backend, clock: Clock) -> tuple[Ledger, Remembering]:
    journal = Remembering()
    tuning = Tuning.open(asked, where, journal, clock=clock)
    drive(tuning)
    return tuning.ledger, journal


SCRIPTED = [("Random", 1), ("QuasiRandom", 2), ("Bayesian", 2)]


@pytest.mark.parametrize(("strategy", "parallel"), SCRIPTED)
def test_scripted_jobs_mean_the_same_on_our_simulation_and_on_sagemaker(strategy: str, parallel: int) -> None:
    limits = {"max_parallel_training_jobs": parallel, "max_number_of_training_jobs": 10}
    asked = early(strategy=strategy, seed=7, limits=limits)
    clock = VirtualClock()
    one, here = run(asked, SimulatedBackend(clock, own_level), clock)
    with SimulatedSageMaker(own_level) as world:
        # Asked at every event, as our own simulation is; a poll that sees two epochs at once may let a job
        # that is to be stopped run for one more.
        asking = backend(
            world, poll_seconds=0.001, launch_seconds=0.0, sleep=lambda s: to_next_event(world, s)
        )
        other, there = run(asked, asking, world.clock)
    if strategy == "Random":  # what the others propose may change, and may be good
        assert any(job.outcome is Outcome.STOPPED_EARLY for job in one.jobs.values())
    assert here.decisions()
    assert told(other) == told(one)
    assert by_job(there.decisions()) == by_job(here.decisions())


class Engine(EngineJobs):
    """An engine of others that begins with each job at once and whose machines do what ``own_level`` says."""

    def train(self, hyperparameters: Mapping[str, str]) -> Script:
        return own_level(hyperparameters)


@pytest.mark.parametrize(
    ("strategy", "parallel", "refuses"),
    [("Random", 1, True), ("Bayesian", 2, False)],
    ids=["as Ray", "as a work pool"],
)
def test_scripted_jobs_mean_the_same_on_an_engine_of_others(
    strategy: str, parallel: int, refuses: bool, tmp_path: Path
) -> None:
    limits = {"max_parallel_training_jobs": parallel, "max_number_of_training_jobs": 10}
    asked = early(strategy=strategy, seed=7, limits=limits, training_job={"command": ["train"]})
    clock = VirtualClock()
    one, here = run(asked, SimulatedBackend(clock, own_level), clock)
    clock = VirtualClock()
    with time_of(clock):
        plan = replace(engine_plan_of(0), capacity=parallel, kinds=())
        engine = Engine(plan, clock, tmp_path, Counter(), asked.name or "", most_delay=0.0)
        engine.refuses = refuses
        other, there = run(asked, engine.backend(engine.advance), clock)
    assert here.decisions()
    assert told(other) == told(one)
    assert by_job(there.decisions()) == by_job(here.decisions())


def to_next_event(world: SimulatedSageMaker, seconds: float) -> None:
    due = world.next_event()
    world.advance(seconds if due is None else max(seconds, due - world.clock.now()))


@pytest.mark.parametrize(("strategy", "parallel"), SCRIPTED[:1] + SCRIPTED[2:])
def test_a_tuning_job_of_the_simulated_service_is_the_same_as_ours(strategy: str, parallel: int) -> None:
    """Through CreateHyperParameterTuningJob and back, by AMT's words alone."""
    limits = {"max_parallel_training_jobs": parallel, "max_number_of_training_jobs": 14}
    definition = {"name": "accuracy", "regex": "accuracy=([-+.e0-9]+|nan)"}
    template = {"sagemaker": verbatim(), "metric_definitions": [definition], "max_retry_attempts": 0}
    asked = spec(
        strategy=strategy, seed=7, limits=limits, early_stopping={"type": "Auto"}, training_job=template
    )
    clock = VirtualClock()
    ours, journal = run(asked, SimulatedBackend(clock, own_level), clock)
    with SimulatedSageMaker(own_level, tunes=True) as world:
        client("sagemaker").create_hyper_parameter_tuning_job(**to_amt_request(asked))
        world.run()
        name = {"HyperParameterTuningJobName": asked.name}
        described = client("sagemaker").describe_hyper_parameter_tuning_job(**name)
        answer = client("sagemaker").list_training_jobs_for_hyper_parameter_tuning_job(MaxResults=100, **name)
        emitted = {job.name: [emission.value for emission in job.emissions] for job in world.jobs}
    entries = {entry["TrainingJobName"]: entry for entry in answer["TrainingJobSummaries"]}
    assert journal.decisions()
    assert described["HyperParameterTuningJobStatus"] == ours.status.value
    assert described["BestTrainingJob"]["TrainingJobName"] == (ours.best.name if ours.best else None)
    assert emitted == {job.name: [v for _, v in job.curve] for job in ours.jobs.values()}
    assert {name: entry["TrainingJobStatus"] for name, entry in entries.items()} == {
        job.name: "Completed" if job.outcome is Outcome.COMPLETED else "Stopped" for job in ours.jobs.values()
    }
    runtime = (ours.finished_at or 0.0) - ours.opened_at
    assert described["ConsumedResources"]["RuntimeInSeconds"] == int(runtime)


# -- at other paces --------------------------------------------------------------------------------------


class Faster:
    """The clock of a world that runs ``pace`` times as fast as the controller's."""

    def __init__(self, controllers: VirtualClock, pace: float) -> None:
        self._controllers, self._pace, self._began = controllers, pace, controllers.now()

    def now(self) -> float:
        return self._began + (self._controllers.now() - self._began) * self._pace


def at_pace(pace: float, asked: TuningSpec, **polling: float) -> tuple[Ledger, Remembering]:
    """In a world of which every event is looked at, or one that is asked as ``polling`` says."""
    clock = VirtualClock(1e6)  # so early that a float has microseconds to spare
    with SimulatedSageMaker(own_level, clock=Faster(clock, pace)) as world:

        def to_next_event(seconds: float) -> None:
            due = world.next_event()
            clock.advance(seconds if due is None else max(seconds, (due - world.clock.now()) / pace))

        if not polling:
            polling = {"poll_seconds": 0.01 / pace, "launch_seconds": 0.0}
            return run(asked, backend(world, clock=clock, sleep=to_next_event, **polling), clock)
        return run(asked, backend(world, clock=clock, sleep=clock.advance, **polling), clock)


def test_at_every_pace_a_tuning_is_the_same_where_all_is_looked_at() -> None:
    """One job at a time: of two, the reader of a fast clock's log may be an epoch behind with either."""
    limits = {"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 6}
    asked = early(strategy="Random", seed=7, limits=limits)
    one, here = at_pace(1, asked)
    assert any(job.outcome is Outcome.STOPPED_EARLY for job in one.jobs.values())
    for pace in (60, 3600):
        other, there = at_pace(pace, asked)
        assert told(other) == told(one)
        theirs = by_job(there.decisions())
        for job, judged in by_job(here.decisions()).items():
            # Epochs that are seen with their job's end are judged no more.
            assert theirs[job] == judged[: len(theirs[job])]
            assert len(theirs[job]) >= len(judged) - 2


@pytest.mark.parametrize("pace", [60, 3600])
def test_jobs_that_pass_between_two_looks_lose_no_epoch(pace: float) -> None:
    """They take three minutes, and a look every 20 s is one every 20 minutes, or every 20 hours."""
    limits = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 4}
    other, _ = at_pace(pace, spec(seed=7, limits=limits), poll_seconds=20, launch_seconds=0.2)
    assert {name: job.outcome for name, job in other.jobs.items()} == dict.fromkeys(
        other.jobs, Outcome.COMPLETED
    )
    for job in other.jobs.values():
        script = own_level(hyperparameter_texts(other.trials[job.trial].configuration))
        assert [value for _, value in job.curve] == list(script.values)


# -- processes that really run ---------------------------------------------------------------------------

SCRIPT = """
import argparse, os, pathlib, random, sys, time

arguments = argparse.ArgumentParser()
arguments.add_argument("--learning_rate", required=True)
arguments.add_argument("--gate", required=True)
arguments.add_argument("--epochs", type=int, required=True)
arguments.add_argument("--failing", type=float, required=True)
given = arguments.parse_args()
gate = pathlib.Path(given.gate, os.environ["TRAINING_JOB_NAME"])
chance = random.Random(given.learning_rate)
level, fate = chance.uniform(0.1, 1.0), chance.random()

def pass_through(step):
    until = time.monotonic() + 60
    while not gate.exists() or int(gate.read_text()) < step:
        if time.monotonic() > until:
            sys.exit("nobody opened the gate")
        time.sleep(0.002)

for epoch in range(1, given.epochs + 1):
    pass_through(epoch)
    if fate < given.failing and epoch == 3:
        pathlib.Path(os.environ["SM_OUTPUT_DIR"], "failure").write_text("the loss exploded")
        sys.exit(1)
    value = level * (1 - 0.3**epoch) + chance.uniform(-0.02, 0.02)
    if fate > 0.85 and epoch > 3:
        value = float("nan")
    print(f"amt-report epoch={epoch}; accuracy={value!r};", flush=True)
pass_through(given.epochs + 1)
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(given.learning_rate)
"""


class Turnstile:
    """Lets one training job go on at a time: by ``lump`` epochs, or to its end. Jobs with an odd number take
    twice as long as the others."""

    def __init__(self, gate: Path, lump: int) -> None:
        self._gate, self._lump = gate, lump
        self._passed: dict[str, int] = {}
        self._awaited: str | None = None

    def __call__(self, tuning: Tuning, news: News) -> None:
        ledger = tuning.ledger
        if ledger.concluding or any(job.stop_asked_at is not None for job in ledger.live):
            return
        if self._awaited is not None and not self._has_arrived(ledger.jobs[self._awaited]):
            return
        turn = min(ledger.live, key=self._order, default=None)
        if turn is not None:
            self._let_through(turn.name)

    def _order(self, job: TrainingJob) -> tuple[int, int]:
        return self._passed.get(job.name, 0) * (1 + job.trial % 2), job.trial

    def _has_arrived(self, job: TrainingJob) -> bool:
        return not job.live or job.curve.last_epoch >= self._passed[job.name]

    def _let_through(self, name: str) -> None:
        passed = self._passed.get(name, 0)
        step = min(passed + self._lump, EPOCHS) if passed < EPOCHS else EPOCHS + 1
        self._passed[name], self._awaited = step, name
        new = self._gate / f".{name}"
        new.write_text(str(step))
        new.replace(self._gate / name)  # never half written


@pytest.fixture
def really(tmp_path: Path) -> Any:
    return Really(tmp_path)


class Really:
    """Runs a tuning job with real processes, here and there."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._script = place / "train.py"
        self._script.write_text(SCRIPT)

    def asked(self, *, failing: float = 0.15, **changes: Any) -> TuningSpec:
        """The same spec for both: a command for here, an image for there, and a gate in the same place.
        ``failing`` is the share of configurations whose jobs fail."""
        static = {"gate": str(self._place / "gate"), "epochs": str(EPOCHS), "failing": str(failing)}
        values: dict[str, Any] = {
            "static_hyperparameters": static,
            "training_job": {
                "command": [sys.executable, str(self._script)],
                "sagemaker": verbatim(),
                "max_retry_attempts": 0,
            },
            "seed": 50,
        }
        return early(**{**values, **changes})

    def here(self, asked: TuningSpec, lump: int = 1) -> tuple[Ledger, Remembering]:
        return self._run(asked, LocalBackend(self._place / "root"), lump)

    def there(self, asked: TuningSpec, lump: int = 1) -> tuple[Ledger, Remembering]:
        command = Command([sys.executable, str(self._script)], hyperparameters_as_arguments=True)
        with SimulatedSageMaker(commands={IMAGE: command}):
            session = boto3.Session("test", "test", region_name=REGION)
            where = SageMakerBackend(session, poll_seconds=0.02, launch_seconds=0.0)
            return self._run(asked, where, lump)

    def _run(self, asked: TuningSpec, where: Backend, lump: int) -> tuple[Ledger, Remembering]:
        gate = Path(asked.static_hyperparameters["gate"])
        gate.mkdir(exist_ok=True)
        for ticket in gate.iterdir():
            ticket.unlink()
        journal = Remembering()
        tuning = Tuning.open(asked, where, journal)
        drive(tuning, on_tick=Turnstile(gate, lump))
        return tuning.ledger, journal


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parallel", "changes", "last"),  # and how at least one job ends, where that can be known
    [
        (1, {"strategy": "Random"}, Outcome.FAILED),
        (1, {"strategy": "Bayesian"}, None),
        (2, {"strategy": "Bayesian"}, None),
        (2, {"strategy": "Random", "completion": {"target_objective_metric_value": 0.88}}, Outcome.STOPPED),
    ],
)
def test_real_jobs_mean_the_same_here_and_on_sagemaker(
    really: Really, parallel: int, changes: dict[str, Any], last: Outcome | None
) -> None:
    limits = {"max_parallel_training_jobs": parallel, "max_number_of_training_jobs": 12}
    asked = really.asked(limits=limits, **changes)
    one, here = really.here(asked)
    other, there = really.there(asked)
    assert one.status is TuningStatus.COMPLETED
    assert told(other) == told(one)
    assert comparable(there.decisions()) == comparable(here.decisions())
    assert there.course() == here.course()
    for name, job in one.jobs.items():
        if job.outcome is Outcome.FAILED:
            assert "the loss exploded" in (job.failure or "")
            assert "the loss exploded" in (other.jobs[name].failure or "")
    if last is not None:
        outcomes = {job.outcome for job in one.jobs.values()}
        assert outcomes >= {Outcome.COMPLETED, Outcome.STOPPED_EARLY, Outcome.FAILED, last}
        assert "nan" in told(one)["final values"].values()


@pytest.mark.slow
def test_decisions_are_the_same_though_a_job_ran_on_until_somebody_looked(really: Really) -> None:
    limits = {"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 12}
    asked = really.asked(strategy="Random", limits=limits, failing=0.0)
    one, here = really.here(asked)
    other, there = really.there(asked, lump=4)
    assert comparable(by_job(there.decisions())) == comparable(by_job(here.decisions()))
    short, long = told(one), told(other)
    ran_on = []
    for name, curve in short["curves"].items():
        assert long["curves"][name][: len(curve)] == curve
        if long["curves"][name] != curve:
            ran_on.append(name)
    assert ran_on
    assert {one.jobs[name].outcome for name in ran_on} == {Outcome.STOPPED_EARLY}
    for name in ran_on:
        for what in ("curves", "final values"):
            del short[what][name], long[what][name]
    assert long == short
