"""The contract of a :class:`amt_flows.ports.Journal`, as a test class to inherit from.

    class TestMyJournal(JournalConformance):
        def make(self, place): return MyJournal(place)

``make`` is called more than once with the same place and must then reach the same record.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from amt_flows.errors import Fenced
from amt_flows.events import Attached, Event, Finished, Judged, Judgement, Observed, TuningStatus
from amt_flows.ports import Journal

NAN_CURVE: Event = Observed(3.0, {"a-001-00000000": ((1, 0.5), (2, float("-inf")))})


class JournalConformance:
    """Inherit, and define ``make``."""

    def make(self, place: Path) -> Journal:
        raise NotImplementedError

    def test_is_a_journal(self, tmp_path: Path) -> None:
        assert isinstance(self.make(tmp_path / "j"), Journal)

    def test_a_new_journal_is_empty_and_has_no_stop_note(self, tmp_path: Path) -> None:
        journal = self.make(tmp_path / "j")
        assert list(journal.read()) == []
        assert journal.asked_to_stop() is None
        assert journal.location

    def test_entries_come_back_whole_and_in_order(self, tmp_path: Path) -> None:
        entries: list[list[Event]] = [
            [Attached(1.0, "me"), NAN_CURVE],
            [Judged(2.0, (Judgement("a", 1, 0.25, None, 0, False, "too few"),))],
            [Finished(4.0, TuningStatus.COMPLETED)],
        ]
        journal = self.make(tmp_path / "j")
        for index, events in enumerate(entries):
            journal.append(index, events)
        for reader in (journal, self.make(tmp_path / "j")):
            assert [list(entry) for entry in reader.read()] == entries
            assert [list(entry) for entry in reader.read(2)] == entries[2:]
            assert list(reader.read(3)) == []

    def test_whoever_reads_on_gets_each_entry_once(self, tmp_path: Path) -> None:
        writer, reader = self.make(tmp_path / "j"), self.make(tmp_path / "j")
        written: list[list[Event]] = []
        seen: list[list[Event]] = []
        for count in (1, 0, 3, 2):
            for _ in range(count):
                written.append([Attached(float(len(written)), "me")])
                writer.append(len(written) - 1, written[-1])
            seen += [list(entry) for entry in reader.read(len(seen))]
            assert seen == written

    def test_an_index_can_be_written_once(self, tmp_path: Path) -> None:
        first, rival = self.make(tmp_path / "j"), self.make(tmp_path / "j")
        first.append(0, [Attached(1.0, "first")])
        with pytest.raises(Fenced):
            rival.append(0, [Attached(2.0, "rival")])
        assert [list(e) for e in rival.read()] == [[Attached(1.0, "first")]]

    def test_of_many_writers_exactly_one_gets_an_index(self, tmp_path: Path) -> None:
        self.make(tmp_path / "j").append(0, [Attached(0.0, "opener")])
        won: list[int] = []
        lost: list[int] = []

        def race(number: int) -> None:
            journal = self.make(tmp_path / "j")
            for index in range(1, 9):
                try:
                    journal.append(index, [Attached(float(index), f"writer {number}")])
                    won.append(index)
                except Fenced:
                    lost.append(index)

        threads = [threading.Thread(target=race, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == list(range(1, 9))
        assert len(lost) == 3 * 8
        assert len(self.make(tmp_path / "j").read()) == 9

    def test_a_stop_note_needs_no_fence_and_the_latest_stands(self, tmp_path: Path) -> None:
        writer, other = self.make(tmp_path / "j"), self.make(tmp_path / "j")
        writer.append(0, [Attached(1.0, "me")])
        other.ask_to_stop("first")
        other.ask_to_stop("enough")
        assert writer.asked_to_stop() == "enough"
        writer.append(1, [Attached(2.0, "me")])
        assert len(writer.read()) == 2

    def test_a_stop_note_can_be_taken_back_and_left_again(self, tmp_path: Path) -> None:
        writer = self.make(tmp_path / "j")
        writer.append(0, [Attached(1.0, "me")])
        writer.take_back_stop()
        writer.ask_to_stop("enough")
        writer.take_back_stop()
        assert self.make(tmp_path / "j").asked_to_stop() is None
        writer.ask_to_stop("enough")
        assert self.make(tmp_path / "j").asked_to_stop() == "enough"
