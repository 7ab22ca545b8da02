"""Whoever follows may die at any time: the next one writes what is missing, and nothing twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt.scripted_amt import Plan, opened, run, scripted_world, until
from amt_flows.amt import HandedOff, follow
from amt_flows.errors import Fenced, JournalError
from amt_flows.events import (
    Concluding,
    Ended,
    Event,
    Finished,
    Launched,
    Observed,
    Opened,
    Outcome,
    Proposed,
    StopAsked,
    TuningStatus,
)
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import Clock
from amt_flows.testing.sagemaker import JobScript, Lags
from amt_flows.testing.sagemaker.throttling import Chance
from backends.sagemaker_world import spec

PLAN = Plan([{"learning_rate": str(i / 10)} for i in range(1, 7)], stop_early={3: 2}, objective_lag=2)
ASKED = spec(early_stopping={"type": "Auto"})


def train(given: Mapping[str, str]) -> JobScript:
    rate = float(given["learning_rate"])
    return JobScript([rate * epoch for epoch in range(1, 6)], seconds_per_epoch=50)


def told(ledger: Ledger) -> dict[str, object]:
    """What a tuning job came to."""
    return {
        "status": ledger.status,
        "reasons": [reason.rule for reason in ledger.reasons],
        "trials": [(t.number, dict(t.configuration), t.source) for t in ledger.trials.values()],
        "curves": {job.name[:8]: list(job.curve) for job in ledger.jobs.values()},
        "outcomes": {job.name[:8]: job.outcome for job in ledger.jobs.values()},
        "best": ledger.best and (ledger.best.name[:8], ledger.best.final_value),
    }


class Died(Exception):
    pass


class Mortal(MemoryJournal):
    """Its writer dies before or after an entry of its choice was written."""

    def __init__(self) -> None:
        super().__init__()
        self.dies_at: int | None = None
        self.before = False

    def append(self, index: int, events: Sequence[Event]) -> None:
        dies = index == self.dies_at
        if not (dies and self.before):
            super().append(index, events)
        if dies:
            self.dies_at = None
            raise Died

    @property
    def events(self) -> list[Event]:
        return [event for entry in self.read() for event in entry]


def nothing_is_there_twice(events: Sequence[Event]) -> None:
    facts: Counter[object] = Counter()
    for event in events:
        match event:
            case Opened() | Concluding() | Finished():
                facts[event.kind] += 1
            case Proposed():
                facts[event.kind, event.trial] += 1
            case Launched() | Ended():
                facts[event.kind, event.job] += 1
            case StopAsked():
                facts.update((event.kind, job) for job in event.jobs)
            case Observed():
                facts.update((job, epoch) for job, points in event.points.items() for epoch, _ in points)
            case _:
                pass
    assert [fact for fact, count in facts.items() if count > 1] == []


@lru_cache(maxsize=1)
def unbroken() -> dict[str, object]:
    with scripted_world(train, PLAN) as world:
        return told(run(world, ASKED))


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=6))
def test_a_record_that_many_hands_wrote_is_that_of_one(deaths: list[tuple[int, bool]]) -> None:
    journal = Mortal()
    with scripted_world(train, PLAN) as world:
        for entries, before in deaths:
            journal.dies_at, journal.before = len(journal.read()) + entries, before
            try:
                follow(opened(world, ASKED, journal))
            except Died:
                continue
        journal.dies_at = None
        followed = opened(world, ASKED, journal)
        follow(followed)
        assert len(world.tuning_jobs) == 1
        assert len(world.jobs) == 6
    nothing_is_there_twice(journal.events)
    outcome, expected = told(Ledger.replay(journal.read())), dict(unbroken())
    # Which value a job that is stopped reaches depends on when AMT is looked at.
    for one in (outcome, expected):
        one["curves"] = {n: c for n, c in one["curves"].items() if n != "demo-003"}  # type: ignore[attr-defined]
    assert outcome == expected


def test_who_looks_again_after_a_long_time_misses_nothing() -> None:
    journal = Mortal()
    with scripted_world(train, PLAN) as world:
        until(opened(world, ASKED, journal), lambda one: len(one.ledger.jobs) == 2)
        for _ in range(10):
            world.advance(3_000)
            [tuning] = world.tuning_jobs
            tuning.describe()
        follow(opened(world, ASKED, journal))
        ledger = Ledger.replay(journal.read())
        assert ledger.status is TuningStatus.COMPLETED
        assert [len(job.curve) for job in ledger.jobs.values()] == [5] * 6
    nothing_is_there_twice(journal.events)


def test_of_two_followers_of_one_journal_the_first_is_fenced_off_and_nothing_is_stopped() -> None:
    journal = Mortal()
    with scripted_world(train, PLAN) as world:
        first = until(opened(world, ASKED, journal), lambda one: len(one.ledger.jobs) == 2)
        second = opened(world, ASKED, journal)
        with pytest.raises(Fenced, match="kept by another process"):
            follow(first)
        assert world.calls["StopHyperParameterTuningJob"] == 0
        follow(second)
        assert len(second.ledger.jobs) == 6
    nothing_is_there_twice(journal.events)


def test_the_first_is_fenced_off_also_while_nobody_can_read_what_the_second_wrote() -> None:
    class OutOfReach(Mortal):
        can_be_read = True

        def read(self, start: int = 0) -> Sequence[Sequence[Event]]:
            if not self.can_be_read:
                raise JournalError("The journal can't be read.")
            return super().read(start)

    journal = OutOfReach()
    with scripted_world(train, PLAN) as world:
        first = until(opened(world, ASKED, journal), lambda one: len(one.ledger.jobs) == 2)
        second = opened(world, ASKED, journal)
        journal.can_be_read = False
        with pytest.raises(Fenced, match="kept by another process now: its journal can't be read"):
            follow(first)
        assert world.calls["StopHyperParameterTuningJob"] == 0
        journal.can_be_read = True
        follow(second)
        assert len(second.ledger.jobs) == 6
    nothing_is_there_twice(journal.events)


class SetBack:
    """A clock that somebody sets back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.by = 0.0

    def now(self) -> float:
        return self._clock.now() - self.by


def test_the_clock_runs_on_when_it_was_set_back_before_another_took_up_following() -> None:
    journal = Mortal()
    with scripted_world(train, PLAN) as world:
        clock = SetBack(world.clock)
        until(opened(world, ASKED, journal, clock=clock), lambda one: len(one.ledger.jobs) == 2)
        clock.by = 86_400.0
        followed = opened(world, ASKED, journal, clock=clock)
        before = followed.now()
        assert before >= followed.ledger.last_at
        for minutes in (1, 2, 3):
            world.advance(60)
            assert followed.now() == pytest.approx(before + 60 * minutes, abs=1e-3)
        follow(followed)
        assert followed.ledger.status is TuningStatus.COMPLETED
        times = [event.at for event in journal.events if isinstance(event, Observed | Ended)]
        assert times == sorted(times)
        assert times[-1] - times[0] > 300


def test_a_record_outlasts_lags_and_throttling() -> None:
    journal = Mortal()
    lags = Lags(log_seconds=15, describe_polls=2, final_metric_polls=2)
    chance = random.Random(3)
    with scripted_world(train, PLAN, lags=lags, throttles={"*": Chance(0.2)}, seed=3) as world:
        followed: HandedOff | None = None
        while followed is None or not followed.ledger.finished:
            if followed is None or chance.random() < 0.01:
                followed = opened(world, ASKED, journal)
            followed.observe()
            followed.wait()
        assert followed.ledger.status is TuningStatus.COMPLETED
        assert [
            len(job.curve) for job in followed.ledger.jobs.values() if job.outcome is Outcome.COMPLETED
        ] == [5] * 5
    nothing_is_there_twice(journal.events)
