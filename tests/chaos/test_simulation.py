"""The deterministic simulation: no schedule breaks a promise, and a broken engine is found out."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from amt_flows.events import Outcome
from amt_flows.ledger import ledger as ledger_room
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.record import Record
from amt_flows.ports import Backend
from amt_flows.strategies import Strategy
from amt_flows.testing.chaos import world
from amt_flows.testing.chaos.faults import STRIKING, Fault
from amt_flows.testing.chaos.plan import plan_of
from amt_flows.testing.chaos.simulation import run_schedule
from amt_flows.tuning import engine as engine_room
from amt_flows.tuning.engine import Tuning
from chaos import mutants

PATIENCE = 150
"""Schedules after which a mutant should have been found; each has its promise broken in the first 60."""


@settings(max_examples=100, phases=[Phase.explicit, Phase.generate])
@given(st.integers(0, 2**32))
def test_no_schedule_breaks_a_promise(seed: int) -> None:
    told = run_schedule(seed)
    assert not told.violations, f"python -m amt_flows.testing.chaos --only simulated --seed {seed}"


def test_the_first_schedules_inject_every_kind_of_fault_and_break_nothing() -> None:
    faults: Counter[str] = Counter()
    launched = 0
    for seed in range(120):
        told = run_schedule(seed)
        assert not told.violations, f"python -m amt_flows.testing.chaos --only simulated --seed {seed}"
        faults += told.faults
        launched += told.launched
    of_jobs = {Fault.INFRASTRUCTURE, Fault.CRASHED, Fault.HUNG, Fault.NOT_A_NUMBER}
    assert {fault.value for fault in {*STRIKING, *of_jobs}} == set(faults)
    assert launched > 300


def test_a_seed_tells_the_same_story_again() -> None:
    def story(seed: int) -> list[str]:
        lines: list[str] = []
        run_schedule(seed, lines.append)
        return lines

    # In memory, since a directory has another name each time; and with controllers that overlap.
    stories = {seed: story(seed) for seed in range(20, 60) if not plan_of(seed).on_disk}
    overlapping = [seed for seed, lines in stories.items() if any("rival" in line for line in lines)]
    assert len(overlapping) > 5
    for seed in overlapping:
        assert story(seed) == stories[seed]


def first_broken(engine: type[Tuning] = Tuning) -> set[str]:
    """The promises that the first schedule to break any has broken."""
    for seed in range(PATIENCE):
        violations = run_schedule(seed, engine=engine).violations
        if violations:
            return {violation.promise for violation in violations}
    return set()


@pytest.mark.parametrize(
    ("mutant", "promise"),
    [
        (mutants.LaunchesBeforeItWrites, "fenced"),
        (mutants.ReservesNothing, "fenced"),
        (mutants.WritesPastTheFence, "replay"),
        (mutants.NamesAnew, "doubled"),
        (mutants.LooksForNothingAtTheEnd, "lost"),
        (mutants.StopsWhatItKnowsToBeAnothers, "fenced"),
        (mutants.CountsFromItsOwnStart, "overshot"),
        (mutants.FinishesWhileJobsRun, "orphaned"),
        (mutants.NeverConcludes, "unended"),
        (mutants.WritesNoValues, "replay"),
        (mutants.LosesWhatItHolds, "replay"),
        (mutants.ForgetsTheLastValues, "best"),
    ],
)
def test_an_engine_that_breaks_a_promise_is_found_out(mutant: type[Tuning], promise: str) -> None:
    found: set[str] = set()
    for seed in range(PATIENCE):
        found |= {violation.promise for violation in run_schedule(seed, engine=mutant).violations}
        if promise in found:
            return
    raise AssertionError(f"{mutant.__name__} broke only {found or 'nothing'}")


def test_controllers_die_with_values_that_no_entry_has_yet() -> None:
    records: list[Record] = []

    class Remembered(Tuning):
        def __init__(self, record: Record, backend: Backend, strategy: Strategy) -> None:
            super().__init__(record, backend, strategy)
            records.append(record)

    assert not any(run_schedule(seed, engine=Remembered).violations for seed in range(30))
    assert sum(bool(record._held) for record in records) > 5


def test_a_limit_that_is_not_kept_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(ledger: Ledger) -> int:
        return ledger.spec.limits.max_parallel_training_jobs - len(ledger.live)

    monkeypatch.setattr(engine_room, "launches_allowed", careless)
    assert "overshot" in first_broken()


def test_a_second_attempt_at_what_failed_by_itself_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_room, "RETRYABLE", (Outcome.FAILED, Outcome.LOST, Outcome.INFRASTRUCTURE))
    assert "doubled" in first_broken()


def test_a_clock_that_grants_time_when_it_is_set_back_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain:
        def __init__(self, wall: object, monotonic: object) -> None:
            self.now = wall

    monkeypatch.setattr(world, "SystemClock", Plain)
    assert "overshot" in first_broken()
