"""The contract of a :class:`amt_flows.ports.Journal`, as a test class to inherit from.

    class TestMyJournal(JournalConformance):
        def make(self, place): return MyJournal(place)

``make`` is called more than once with the same place and must then reach the same record. A journal that
folds its entries (into segments, say) defines ``make_folding`` too, which folds every :data:`FOLDED`.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from amt_flows.errors import Fenced
from amt_flows.events import Attached, Event, Finished, Judged, Judgement, Observed, TuningStatus
from amt_flows.ports import Journal, KnowsFirst

NAN_CURVE: Event = Observed(3.0, {"a-001-00000000": ((1, 0.5), (2, float("-inf")))})


FOLDED = 4


def _entry(number: int) -> tuple[Event, ...]:
    judged = Judged(float(number), (Judgement("a", number + 1, 0.25, None, 0, False, "too few"),))
    return Attached(float(number), "me"), Observed(float(number), {"a": ((number + 1, 0.5),)}), judged


class JournalConformance:
    """Inherit, and define ``make``."""

    def make(self, place: Path) -> Journal:
        raise NotImplementedError

    def make_folding(self, place: Path) -> Journal:
        return self.make(place)

    def test_is_a_journal(self, tmp_path: Path) -> None:
        assert isinstance(self.make(tmp_path / "j"), Journal)

    def test_a_new_journal_is_empty_and_has_no_stop_note(self, tmp_path: Path) -> None:
        journal = self.make(tmp_path / "j")
        assert list(journal.read()) == []
        assert journal.asked_to_stop() is None
        assert journal.location
        assert not isinstance(journal, KnowsFirst) or list(journal.first()) == []

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

    def test_entries_that_were_folded_come_back_as_they_were_from_wherever_one_reads(
        self, tmp_path: Path
    ) -> None:
        writer, follower = self.make_folding(tmp_path / "j"), self.make_folding(tmp_path / "j")
        entries = [list(_entry(number)) for number in range(5 * FOLDED + 1)]
        followed: list[list[Event]] = []
        for index, events in enumerate(entries):
            writer.append(index, events)
            if index % 3 == 0:
                followed += [list(entry) for entry in follower.read(len(followed))]
                assert followed == entries[: index + 1]
        for start in range(len(entries) + 1):
            read = self.make_folding(tmp_path / "j").read(start)
            assert len(read) == len(entries) - start
            assert [list(entry) for entry in read] == entries[start:]
            assert [list(read[at]) for at in range(len(read))] == entries[start:]
        assert writer.asked_to_stop() is None
        fresh = self.make_folding(tmp_path / "j")
        if isinstance(fresh, KnowsFirst):
            assert list(fresh.first()) == entries[0]

    def test_whoever_lost_the_fence_is_fenced_however_much_was_folded_since(self, tmp_path: Path) -> None:
        stale, rival = self.make_folding(tmp_path / "j"), self.make_folding(tmp_path / "j")
        entries = [list(_entry(number)) for number in range(4 * FOLDED)]
        stale.append(0, entries[0])
        for index in range(1, len(entries)):
            rival.append(index, entries[index])
        for index in (1, FOLDED - 1, FOLDED, 3 * FOLDED):
            with pytest.raises(Fenced):
                stale.append(index, [Attached(1.0, "stale")])
        with pytest.raises(Fenced):
            self.make_folding(tmp_path / "j").append(0, [Attached(1.0, "who begins anew")])
        rival.append(len(entries), [Attached(2.0, "rival")])
        read = [list(entry) for entry in self.make_folding(tmp_path / "j").read()]
        assert read == [*entries, [Attached(2.0, "rival")]]

    def test_of_two_writers_that_fold_each_entry_is_one_ones(self, tmp_path: Path) -> None:
        last = 5 * FOLDED
        self.make_folding(tmp_path / "j").append(0, [Attached(0.0, "opener")])
        won: dict[str, list[int]] = {"one": [], "other": []}

        def race(writer: str) -> None:
            journal = self.make_folding(tmp_path / "j")
            index = len(journal.read())
            while index <= last:
                try:
                    journal.append(index, [Attached(float(index), writer)])
                    won[writer].append(index)
                    index += 1
                except Fenced:
                    index += len(journal.read(index))

        threads = [threading.Thread(target=race, args=(writer,)) for writer in won]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        read = [list(entry) for entry in self.make_folding(tmp_path / "j").read()]
        assert len(read) == last + 1
        # A writer that is far behind may be told that it is fenced of an entry that is its own; none is told
        # that it has one that is another's.
        by = [entry[0].controller for entry in read if isinstance(entry[0], Attached)]
        for writer, indices in won.items():
            assert {by[index] for index in indices} <= {writer}
        assert max(*won.values(), key=lambda indices: indices[-1:])[-1] == last

    def test_a_stop_note_needs_no_fence_and_the_latest_stands(self, tmp_path: Path) -> None:
        writer, other = self.make(tmp_path / "j"), self.make(tmp_path / "j")
        writer.append(0, [Attached(1.0, "me")])
        other.ask_to_stop("first")
        other.ask_to_stop("enough")
        assert writer.asked_to_stop() == "enough"
        other.ask_to_stop("at once")
        assert writer.asked_to_stop(anew=True) == "at once"
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
