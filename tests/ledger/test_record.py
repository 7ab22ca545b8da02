"""A record: its clock never goes back from one writer to the next, and never stands still (that of one
process never does: :class:`amt_flows.ports.SystemClock`); and what it writes when."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.events import Attached, Judged, Observed, Opened
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.record import HOLD_SECONDS, Record, TakenOver
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from worlds import rising, spec

TAKEN_OVER = TakenOver("{name} is kept by {holder}.", because="", remedy="")


class Clock:
    time = 1.7e9

    def now(self) -> float:
        return self.time


@given(st.lists(st.tuples(st.integers(0, 3600), st.integers(0, 10**6), st.booleans()), max_size=12))
def test_the_time_that_passes_is_told_by_whatever_the_clock_was_set_back_between_two_writers(
    steps: list[tuple[int, int, bool]],
) -> None:
    clock, journal = Clock(), MemoryJournal()
    journal.append(0, [Opened(clock.now(), "demo", spec().fingerprint(), spec().to_json(), "me")])
    record = Record(journal, clock, TAKEN_OVER)
    expected = record.now()
    for passes, back, ends in steps:
        clock.time += passes
        expected += passes
        assert record.now() == pytest.approx(expected, abs=1e-3)
        record.append([Attached(record.now(), "me")])
        if ends:
            clock.time -= back
            record = Record(journal, clock, TAKEN_OVER)
            assert record.now() == pytest.approx(expected, abs=1e-3)


def test_a_clock_that_is_ahead_of_the_record_is_believed() -> None:
    clock, journal = VirtualClock(), MemoryJournal()
    journal.append(0, [Opened(clock.now(), "demo", spec().fingerprint(), spec().to_json(), "me")])
    record = Record(journal, clock, TAKEN_OVER)
    clock.advance(500)
    assert record.now() == clock.now()


def test_values_from_which_nothing_follows_share_an_entry() -> None:
    """A curve of many epochs is no entry an epoch; what follows from a value is never written before it."""
    long = Script([0.01 * epoch for epoch in range(1, 41)], seconds_per_epoch=0.5)
    limits = {"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 1}
    backend = SimulatedBackend(VirtualClock(), lambda hyperparameters: long)
    journal = MemoryJournal()
    tuning = Tuning.open(spec(limits=limits), backend, journal, clock=backend.clock)
    drive(tuning)
    observed = [entry for entry in journal.read() if any(isinstance(event, Observed) for event in entry)]
    assert len(observed) <= 20 / HOLD_SECONDS + 1
    again = Ledger.replay(journal.read())
    assert [list(job.curve) for job in again.jobs.values()] == [
        list(job.curve) for job in tuning.ledger.jobs.values()
    ]


def test_the_last_value_before_a_long_silence_is_written_before_the_job_ends() -> None:
    def silent(hyperparameters: Mapping[str, str]) -> Script:
        return Script([0.5], seconds_per_epoch=1.0, hangs=True)

    backend = SimulatedBackend(VirtualClock(), silent)
    journal = MemoryJournal()
    tuning = Tuning.open(spec(), backend, journal, clock=backend.clock)
    tuning.launch(len(tuning.propose(1)))
    for _ in range(40):
        backend.clock.advance(1.0)
        tuning.observe()
    assert tuning.ledger.live
    assert [len(job.curve) for job in Ledger.replay(journal.read()).jobs.values()] == [1]


def test_a_judgement_is_written_with_what_it_judges() -> None:
    asked = spec(early_stopping={"type": "Auto", "min_jobs": 1, "grace_epochs": 0})
    backend = SimulatedBackend(VirtualClock(), rising)
    journal = MemoryJournal()
    drive(Tuning.open(asked, backend, journal, clock=backend.clock))
    seen: dict[str, set[int]] = {}
    judged = 0
    for event in (event for entry in journal.read() for event in entry):
        if isinstance(event, Observed):
            for name, points in event.points.items():
                seen.setdefault(name, set()).update(epoch for epoch, _ in points)
        if isinstance(event, Judged):
            judged += len(event.judgements)
            assert all(one.epoch in seen[one.job] for one in event.judgements)
    assert judged
