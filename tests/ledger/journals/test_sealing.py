"""Sealing the entries of a journal in a directory: nothing is lost at whatever step or byte it ends, and
nobody who was fenced slips through."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from amt_flows.errors import Fenced, JournalError
from amt_flows.events import Attached
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.journals.entries import entry_name, events_of

SIZE = 3


class PowerCut(BaseException):
    pass


def journal_in(place: Path) -> DirectoryJournal:
    return DirectoryJournal(place, segment_entries=SIZE)


def entry(number: int) -> list[Attached]:
    return [Attached(float(number), f"controller {number}")]


def write(journal: DirectoryJournal, start: int, end: int) -> None:
    for number in range(start, end):
        journal.append(number, entry(number))


def read(place: Path) -> list[list[Attached]]:
    return [list(events) for events in journal_in(place).read()]  # type: ignore[arg-type]


def expected(count: int) -> list[list[Attached]]:
    return [entry(number) for number in range(count)]


def test_only_what_is_not_sealed_and_the_last_segment_have_files_of_their_own(tmp_path: Path) -> None:
    write(journal_in(tmp_path), 0, 5 * SIZE + 1)
    entries = {path.name for path in tmp_path.glob("*.json")}
    assert entries == {entry_name(0), *(entry_name(number) for number in range(4 * SIZE, 5 * SIZE + 1))}
    assert len(list(tmp_path.glob("*.sealed"))) == 5
    assert not list(tmp_path.glob(".*"))


def test_a_cut_at_any_step_of_sealing_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = 0

    def or_cut(step: object) -> object:
        def taken(*given: object, **more: object) -> object:
            nonlocal left
            left -= 1
            if left == 0:
                raise PowerCut
            return step(*given, **more) if callable(step) else None

        return taken

    monkeypatch.setattr(os, "fsync", or_cut(None))
    monkeypatch.setattr(os, "link", or_cut(os.link))
    monkeypatch.setattr(Path, "replace", or_cut(Path.replace))
    monkeypatch.setattr(Path, "unlink", or_cut(Path.unlink))
    total, cuts = 4 * SIZE, 0
    while True:
        place, written = tmp_path / str(cuts), 0
        left = cuts + 1
        try:
            journal = journal_in(place)
            for number in range(total):
                journal.append(number, entry(number))
                written = number + 1
        except PowerCut:
            cuts += 1
        left = 0
        found = read(place)
        assert written <= len(found) <= written + 1
        assert found == expected(len(found))
        write(journal_in(place), len(found), total + 2 * SIZE)
        assert read(place) == expected(total + 2 * SIZE)
        if written == total:
            break
    assert cuts > 4 * total


def test_a_segment_that_is_torn_at_any_byte_counts_as_none_while_its_entries_are_there(
    tmp_path: Path,
) -> None:
    write(journal_in(tmp_path), 0, 3 * SIZE)
    (last,) = tmp_path.glob(f"{2 * SIZE:08d}.sealed")
    whole = last.read_bytes()
    for cut in range(len(whole)):
        last.write_bytes(whole[:cut])
        assert read(tmp_path) == expected(3 * SIZE)
        last.write_bytes(whole[:cut] + b"\0" * (len(whole) - cut))
        assert read(tmp_path) == expected(3 * SIZE)
    write(journal_in(tmp_path), 3 * SIZE, 6 * SIZE)
    assert last.read_bytes() == whole, "it was sealed again before its entries were removed"
    assert read(tmp_path) == expected(6 * SIZE)


@pytest.mark.parametrize("first", [0, SIZE])
def test_a_segment_that_is_not_whole_or_gone_is_damage_once_its_entries_are_removed(
    first: int, tmp_path: Path
) -> None:
    writer = journal_in(tmp_path)
    write(writer, 0, 4 * SIZE)
    segment = tmp_path / f"{first:08d}.sealed"
    segment.write_bytes(segment.read_bytes()[:-1])
    with pytest.raises(JournalError, match=f"{segment.name} is damaged"):
        read(tmp_path)
    segment.unlink()
    with pytest.raises(JournalError, match=f"Entry {first} of the journal .* is missing"):
        read(tmp_path)
    with pytest.raises(JournalError, match="is missing"):
        writer.asked_to_stop()


def test_a_torn_entry_stays_a_torn_one_when_it_is_sealed(tmp_path: Path) -> None:
    write(journal_in(tmp_path), 0, SIZE - 1)
    (tmp_path / entry_name(SIZE - 1)).write_bytes(b'{"events":[{"v":1')
    journal = journal_in(tmp_path)
    assert len(journal.read()) == SIZE
    write(journal, SIZE, 4 * SIZE)
    assert not (tmp_path / entry_name(SIZE - 1)).exists()
    assert read(tmp_path) == [*expected(SIZE - 1), [], *expected(4 * SIZE)[SIZE:]]


def test_damage_is_not_sealed_in(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    write(journal, 0, SIZE - 1)
    (tmp_path / entry_name(0)).write_bytes(b"")
    write(journal, SIZE - 1, 2 * SIZE)
    assert not list(tmp_path.glob("*.sealed"))
    with pytest.raises(JournalError, match=r"00000000\.json is damaged"):
        read(tmp_path)


def test_a_record_of_before_is_sealed_one_segment_at_a_time(tmp_path: Path) -> None:
    write(DirectoryJournal(tmp_path, segment_entries=1000), 0, 10 * SIZE)
    journal = journal_in(tmp_path)
    for number in range(10 * SIZE, 18 * SIZE):
        journal.append(number, entry(number))
        assert len(list(tmp_path.glob("*.sealed"))) <= number + 1 - 10 * SIZE
    assert len(list(tmp_path.glob("*.json"))) == 1 + SIZE
    assert read(tmp_path) == expected(18 * SIZE)


def test_a_fenced_writer_that_died_in_a_gap_between_segments_leaves_nothing_that_counts(
    tmp_path: Path,
) -> None:
    write(journal_in(tmp_path), 0, 4 * SIZE)
    (tmp_path / entry_name(SIZE)).write_bytes((tmp_path / entry_name(4 * SIZE - 1)).read_bytes())
    assert read(tmp_path) == expected(4 * SIZE)
    with pytest.raises(Fenced):
        journal_in(tmp_path).append(SIZE + 1, entry(99))
    write(journal_in(tmp_path), 4 * SIZE, 6 * SIZE)
    assert read(tmp_path) == expected(6 * SIZE)


def test_a_version_that_knows_no_segments_is_told_that_a_newer_one_wrote_the_record(tmp_path: Path) -> None:
    write(journal_in(tmp_path), 0, 3 * SIZE)
    # It reads the entries one after the other, from the first.
    with pytest.raises(JournalError, match="was written by a newer version") as refused:
        events_of((tmp_path / entry_name(0)).read_bytes(), place="its first entry", because="", remedy="")
    assert "go on with that version" in (refused.value.remedy or "")


def test_a_segment_of_a_later_version_says_so(tmp_path: Path) -> None:
    write(journal_in(tmp_path), 0, 2 * SIZE)
    segment = tmp_path / "00000000.sealed"
    segment.write_bytes(segment.read_bytes().replace(b'"segment": 1', b'"segment": 2'))
    with pytest.raises(JournalError, match="segment of version 2"):
        read(tmp_path)


def test_a_full_disk_while_sealing_costs_no_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    journal = journal_in(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        write(journal, 0, 2 * SIZE)
    assert not list(tmp_path.glob("*.sealed"))
    assert not list(tmp_path.glob(".*"))
    write(journal, 2 * SIZE, 5 * SIZE)
    assert list(tmp_path.glob("*.sealed"))
    assert read(tmp_path) == expected(5 * SIZE)
