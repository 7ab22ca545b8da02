"""What a tracker shows of a tuning job in the end is what the record says, whatever befell on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.errors import AmtFlowsError, TrackerUnavailable
from amt_flows.events import Ended, Event, Opened, Proposed
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.names import training_job_name
from amt_flows.ports import JobState, MetricPoint, RunStatus, RunToShow, TimedValue
from amt_flows.spec import TuningSpec
from amt_flows.tracking import facts
from amt_flows.tracking.mirror import Mirror
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from core import examples
from tracking.memory_tracker import Kept, MemoryTracker
from worlds import spec

ENDS = (
    Script((0.1, 0.2, 0.3, 0.4)),
    Script((0.5, 0.6, 0.7)),
    Script((0.05, 0.06, 0.07, 0.08, 0.09)),
    Script((0.2,), end=JobState.FAILED, failure="the loss exploded"),
    Script((0.3, 0.4), end=JobState.FAILED, infrastructure=True),
    Script((), end=JobState.COMPLETED),
    Script((0.4, float("nan"), 0.2)),
)


def recorded(tuning_spec: TuningSpec) -> list[tuple[Event, ...]]:
    """The record of a tuning job whose training jobs end in every way, some of them retried."""
    clock, count = VirtualClock(), iter(range(1000))

    def train(values: Mapping[str, str]) -> Script:
        return ENDS[next(count) % len(ENDS)]

    journal = MemoryJournal()
    with contextlib.suppress(AmtFlowsError):
        drive(Tuning.open(tuning_spec, SimulatedBackend(clock, train), journal, clock=clock))
    return [tuple(entry) for entry in journal.read()]


EARLY = {"type": "Auto", "min_jobs": 1, "grace_epochs": 0}
RECORD = recorded(spec(early_stopping=EARLY, seed=3, tags={"team": "vision"}))
LEDGER = Ledger.replay(RECORD)


def is_as_recorded(runs: Mapping[str, Kept], ledger: Ledger = LEDGER) -> None:
    by_key: dict[str, list[Kept]] = {}
    for run in runs.values():
        by_key.setdefault(run.asked.key, []).append(run)
    assert by_key.keys() == {"", *ledger.jobs}
    assert all(len(those) == 1 for those in by_key.values()), "a run is there twice"
    parent_id = next(run_id for run_id, run in runs.items() if run.asked.key == "")
    parent = runs[parent_id]
    assert parent.status is RunStatus.FINISHED
    assert parent.ended_at == ledger.finished_at
    assert ledger.best is not None
    assert parent.tags["amt.best_training_job"] == ledger.best.name
    for name, job in ledger.jobs.items():
        (run,) = by_key[name]
        assert job.outcome is not None
        assert run.asked.parent == parent_id
        assert run.status is facts.STATUS_OF[job.outcome]
        assert run.ended_at == job.ended_at
        assert repr(sorted(run.curve("accuracy"))) == repr(list(job.curve)), "lost, or there twice"
        assert run.params == facts.job_params(ledger, job.trial)
        assert run.tags["amt.outcome"] == job.outcome.value
        assert run.tags[facts.COMPLETE] == "true"
        assert run.tags["team"] == "vision"
        assert run.tags.get("amt.reason", "") == (job.failure or job.stop_why)


def to_its_end(mirror: Mirror) -> None:
    """As the process does it, with what fails done again."""
    while True:
        try:
            if not mirror.step(now=True):
                mirror.remove_never_launched()
                return
        except TrackerUnavailable:
            continue


def test_each_training_job_is_a_run_with_its_curve_and_its_end() -> None:
    runs: dict[str, Kept] = {}
    mirror = Mirror(MemoryTracker(runs))
    for entry in RECORD:
        mirror.take(entry)
    to_its_end(mirror)
    is_as_recorded(runs)
    assert mirror.missing() == []
    assert len({job.outcome for job in LEDGER.jobs.values()}) > 3, "a poor example"


@examples(40)
@given(
    fates=st.lists(st.sampled_from(["done", "done", "lost", "unanswered"]), max_size=60),
    deaths=st.sets(st.integers(1, len(RECORD))),
    steps=st.lists(st.integers(0, 4), min_size=1, max_size=8),
    wants=st.booleans(),
)
def test_whoever_dies_and_whatever_answer_is_lost_nothing_is_lost_or_there_twice(
    fates: list[str], deaths: set[int], steps: list[int], wants: bool
) -> None:
    left, runs = list(fates), dict[str, Kept]()

    def fate() -> str:
        return left.pop() if left else "done"

    def begun(past: int) -> Mirror:
        mirror = Mirror(MemoryTracker(runs, fate))
        mirror.take((event for entry in RECORD[:past] for event in entry), past=True)
        return mirror

    mirror = begun(0)
    for index, entry in enumerate(RECORD, 1):
        mirror.take(entry)
        if wants:
            for name in about_to_be_launched(entry, mirror.ledger):
                mirror.want(name)
        for _ in range(steps[index % len(steps)]):
            with contextlib.suppress(TrackerUnavailable):
                mirror.step(now=True)
        if index in deaths:
            mirror = begun(index)
    to_its_end(mirror)
    is_as_recorded(runs)
    assert mirror.missing() == []


def about_to_be_launched(entry: tuple[Event, ...], ledger: Ledger) -> list[str]:
    proposed = [event for event in entry if isinstance(event, Proposed)]
    return [training_job_name(ledger.name, one.trial, one.configuration) for one in proposed]


def shown(entries: Sequence[Iterable[Event]] = RECORD) -> dict[str, Kept]:
    """A record, brought to a tracker."""
    runs: dict[str, Kept] = {}
    mirror = Mirror(MemoryTracker(runs))
    for entry in entries:
        mirror.take(entry)
    to_its_end(mirror)
    return runs


def test_a_training_job_that_sends_a_metric_and_its_hyperparameters_itself_goes_first() -> None:
    """MLflow takes no second text for a param, and would show a step twice."""
    first = next(iter(LEDGER.jobs))
    runs: dict[str, Kept] = {}
    mirror = Mirror(MemoryTracker(runs))
    events = [event for entry in RECORD for event in entry]
    launch = next(i for i, event in enumerate(events) if getattr(event, "job", "") == first)
    mirror.take(events[:launch])
    mirror.want(first)
    while mirror.step(now=True):
        pass
    ((name, run_id),) = mirror.made
    assert name == first
    own = runs[run_id]
    assert own.params == {}, "before it has had its turn"
    own.params["learning_rate"] = "as it likes"
    own.values += [TimedValue("accuracy", step, value, 1.0) for step, value in LEDGER.jobs[first].curve]
    mirror.take(events[launch:])
    to_its_end(mirror)
    assert own.params == {"learning_rate": "as it likes"}
    assert len(own.values) == len(LEDGER.jobs[first].curve)


def test_other_metrics_are_shown_by_epoch_and_read_again_after_a_crash() -> None:
    name, job = next((n, j) for n, j in LEDGER.jobs.items() if len(j.curve) > 2)
    runs: dict[str, Kept] = {}
    points = [MetricPoint("loss", epoch, 1 / epoch) for epoch, _ in job.curve]
    with_loss = [_with_last(event, name, points[-1]) for entry in RECORD for event in entry]
    mirror = Mirror(MemoryTracker(runs))
    mirror.take(with_loss, past=True)
    to_its_end(mirror)
    assert mirror.in_part() == [name], "its output has what nobody heard"
    assert mirror.missing() == [name]
    mirror.take_again(name, points)
    to_its_end(mirror)
    assert mirror.missing() == []
    (run,) = [run for run in runs.values() if run.asked.key == name]
    assert run.curve("loss") == [(point.epoch, point.value) for point in points]
    at = [one.at for one in run.values if one.metric == "loss"]
    assert at == sorted(at)
    assert job.ended_at is not None
    assert at[-1] <= job.ended_at


def _with_last(event: Event, name: str, point: MetricPoint) -> Event:
    if isinstance(event, Ended) and event.job == name:
        return replace(event, metrics={**event.metrics, point.metric: point.value})
    return event


def test_a_run_that_was_made_for_a_launch_that_never_came_is_removed() -> None:
    runs = shown()
    tags = {**facts.identity(LEDGER), facts.OPENED_AT: facts.opened_at(LEDGER)}
    stray = MemoryTracker(runs).create(RunToShow("demo-099-aaaaaaaa", "demo-099-aaaaaaaa", 1.0, None, tags))
    again = Mirror(MemoryTracker(runs))
    again.take((event for entry in RECORD for event in entry), past=True)
    to_its_end(again)
    assert stray not in runs
    is_as_recorded(runs)


def test_another_tuning_job_of_the_same_name_and_spec_has_runs_of_its_own() -> None:
    """In a home that was emptied, say: its training jobs may have the same names."""
    runs = shown()
    events = [event for entry in RECORD for event in entry]
    later = [replace(event, at=event.at - 7) if isinstance(event, Opened) else event for event in events]
    before = set(runs)
    mirror = Mirror(MemoryTracker(runs))
    mirror.take(later, past=True)
    to_its_end(mirror)
    assert len(runs) == 2 * len(before)
    is_as_recorded({run_id: run for run_id, run in runs.items() if run_id not in before})


def test_no_secret_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRROR_TEST_SECRET", "correct horse")
    hidden = spec(
        training_job={"command": ["train"], "secret_environment": ["MIRROR_TEST_SECRET"]},
        static_hyperparameters={"note": "correct horse battery"},
        limits={"max_number_of_training_jobs": 8},
    )
    told = repr([(run.tags, run.params) for run in shown(recorded(hidden)).values()])
    assert "correct horse" not in told
    assert "******** battery" in told
