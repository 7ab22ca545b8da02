"""The clock of a record: it never goes back from one writer to the next, and never stands still. (That of one
process never does: :class:`amt_flows.ports.SystemClock`.)"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.backends.simulated import VirtualClock
from amt_flows.events import Attached, Opened
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.record import Record, TakenOver
from worlds import spec

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
