"""A ledger that goes on where it stood is the one that begins anew: for whoever follows a journal."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.errors import JournalError
from amt_flows.events import (
    Attached,
    Concluding,
    Converged,
    Event,
    Finished,
    Opened,
    Outcome,
    Proposed,
    Reason,
    TuningStatus,
)
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from job_facts import FACTS, TIMES, TRIALS
from worlds import rising, spec

Entries = Sequence[Sequence[Event]]


def told(value: Any) -> Any:
    """All that a ledger holds, as plain data; numbers that are not equal to themselves as words."""
    if isinstance(value, TuningSpec):
        return value.to_json()
    if dataclasses.is_dataclass(value):
        return told({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if isinstance(value, Enum):
        return repr(value)
    if isinstance(value, Mapping):
        return {repr(key): told(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [told(one) for one in value]
    slots = getattr(type(value), "__slots__", None)
    if slots:
        return [told(getattr(value, name)) for name in slots]
    return told(vars(value)) if hasattr(value, "__dict__") and not callable(value) else repr(value)


def looked_at(ledger: Ledger) -> Ledger:
    """Looking fills what a ledger remembers of what is settled; it must not show."""
    if ledger.opened:
        ledger.history()
        _ = ledger.best, ledger.live, ledger.to_launch(), ledger.next_trial
        for job in ledger.jobs.values():
            job.curve.running_average(job.curve.last_epoch)
    return ledger


def outcome(pieces: Sequence[Entries]) -> Any:
    """What the ledger holds that is extended by these pieces one after the other, or why it can't be."""
    ledger = Ledger()
    try:
        for entries in pieces:
            ledger.extend(entries)
            looked_at(ledger)
    except JournalError as error:
        return str(error)
    return state_of(ledger)


def state_of(ledger: Ledger) -> Any:
    return told(looked_at(ledger)), list(ledger.trials), list(ledger.jobs)


def at_once(entries: Entries) -> Any:
    try:
        return state_of(Ledger.replay(entries))
    except JournalError as error:
        return str(error)


def opening() -> Event:
    asked = spec()
    return Opened(0.0, "demo", asked.fingerprint(), asked.to_json(), "me", "local")


def events() -> st.SearchStrategy[Event]:
    """What a journal may say of three trials, in any order; some of it can be no journal's."""
    reason = st.builds(Reason, st.just("Rule"), st.just("why"))
    return st.one_of(
        FACTS,
        st.builds(opening),
        st.builds(Attached, TIMES, st.sampled_from(["me", "another"])),
        st.builds(Proposed, TIMES, TRIALS, st.just({"learning_rate": 0.1}), st.just("test"), st.just("")),
        st.builds(Converged, TIMES, reason),
        st.builds(Concluding, TIMES, st.sampled_from(TuningStatus), reason.map(lambda one: (one,))),
        st.builds(Finished, TIMES, st.sampled_from(TuningStatus)),
    )


def journals() -> st.SearchStrategy[Entries]:
    entries = st.lists(st.lists(events(), max_size=4), max_size=12)
    begun = entries.map(lambda rest: [[opening()], *rest])
    return st.one_of(begun, entries)


@given(journals())
def test_a_ledger_may_be_folded_in_two_pieces_cut_anywhere(entries: Entries) -> None:
    expected = at_once(entries)
    for cut in range(len(entries) + 1):
        assert outcome([entries[:cut], entries[cut:]]) == expected


@lru_cache(maxsize=1)
def recorded() -> Entries:
    """The journal of a real tuning job, with early stops, retries and values that are not finite."""

    def train(hyperparameters: Mapping[str, str]) -> Script:
        rate = float(hyperparameters["learning_rate"])
        return Script([0.5, float("nan")]) if rate > 0.9 else rising(hyperparameters)

    limits = {"max_parallel_training_jobs": 3, "max_number_of_training_jobs": 20}
    asked = spec(limits=limits, early_stopping={"type": "Auto", "min_jobs": 1, "grace_epochs": 0})
    journal, clock = MemoryJournal(), VirtualClock()
    drive(Tuning.open(asked, SimulatedBackend(clock, train), journal, clock=clock))
    return journal.read()


@settings(max_examples=10)
@given(st.sets(st.integers(0, 200), max_size=8))
def test_a_tuning_jobs_journal_may_be_read_in_any_pieces(cuts: set[int]) -> None:
    entries = recorded()
    bounds = [0, *sorted(min(cut, len(entries)) for cut in cuts), len(entries)]
    assert outcome([entries[low:high] for low, high in itertools.pairwise(bounds)]) == at_once(entries)


def test_a_tuning_jobs_journal_has_what_this_is_about() -> None:
    ledger = Ledger.replay(recorded())
    assert Outcome.STOPPED_EARLY in {job.outcome for job in ledger.ended}
    assert len(recorded()) > 30
    assert at_once(recorded()) != at_once(recorded()[:-1]), "all of it is compared"
