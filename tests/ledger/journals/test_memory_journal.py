from __future__ import annotations

from pathlib import Path

import pytest

from amt_flows.events import Attached
from amt_flows.ledger.journals.memory import MemoryJournal
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
