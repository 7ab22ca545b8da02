from __future__ import annotations

from pathlib import Path

import pytest

from amt_flows.errors import Fenced
from amt_flows.events import Attached
from amt_flows.ledger.journals.memory import FOLDED_ENTRIES, MemoryJournal
from amt_flows.testing.journal_conformance import JournalConformance


class TestMemoryJournal(JournalConformance):
    _journals: dict[Path, MemoryJournal]

    @pytest.fixture(autouse=True)
    def _fresh(self) -> None:
        self._journals = {}

    def make(self, place: Path) -> MemoryJournal:
        return self._journals.setdefault(place, MemoryJournal())


def test_a_gap_is_refused() -> None:
    with pytest.raises(ValueError, match="gap"):
        MemoryJournal().append(1, [Attached(1.0, "me")])


def test_entries_that_were_compressed_come_back_as_they_were() -> None:
    journal, count = MemoryJournal(), 3 * FOLDED_ENTRIES + 7
    for index in range(count):
        journal.append(index, [Attached(float(index), "me")])
    for start in (0, 1, FOLDED_ENTRIES - 1, FOLDED_ENTRIES, 2 * FOLDED_ENTRIES + 1, count - 1, count):
        assert [event.at for (event,) in journal.read(start)] == [float(n) for n in range(start, count)]
    with pytest.raises(Fenced):
        journal.append(5, [Attached(0.0, "rival")])
