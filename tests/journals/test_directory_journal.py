from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from amt_flows.errors import JournalError
from amt_flows.events import Attached
from amt_flows.journals.directory import DirectoryJournal
from amt_flows.testing.journal_conformance import JournalConformance


class TestDirectoryJournal(JournalConformance):
    def make(self, place: Path) -> DirectoryJournal:
        return DirectoryJournal(place)


def test_reading_creates_nothing(tmp_path: Path) -> None:
    journal = DirectoryJournal(tmp_path / "none" / "journal")
    assert not journal.read()
    assert journal.asked_to_stop() is None
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "text", ["", "{", '{"events": [', '{"events": 3}', "[]", '{"events":[{"v":1}]}', '"x"', "[" * 100_000]
)
def test_a_damaged_entry_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    journal = DirectoryJournal(tmp_path)
    journal.append(0, [Attached(1.0, "me")])
    (tmp_path / "00000001.json").write_text(text)
    with pytest.raises(JournalError) as raised:
        journal.read()
    assert "00000001.json" in str(raised.value)


def test_a_missing_entry_is_an_error_not_a_shorter_history(tmp_path: Path) -> None:
    journal = DirectoryJournal(tmp_path)
    for index in range(4):
        journal.append(index, [Attached(1.0, "me")])
    (tmp_path / "00000001.json").unlink()
    with pytest.raises(JournalError, match=r"Entry 1 .* is missing"):
        journal.read()


def test_scratch_files_of_a_dead_writer_are_not_entries(tmp_path: Path) -> None:
    journal = DirectoryJournal(tmp_path)
    journal.append(0, [Attached(1.0, "me")])
    (tmp_path / ".00000001.host.1").write_text('{"events": [')
    assert len(journal.read()) == 1
    journal.append(1, [Attached(2.0, "me")])
    assert len(journal.read()) == 2


def test_a_full_disk_is_a_journal_error_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = DirectoryJournal(tmp_path)
    journal.append(0, [Attached(1.0, "me")])

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(JournalError, match="disk is full"):
        journal.append(1, [Attached(2.0, "me")])
    monkeypatch.undo()
    assert len(journal.read()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["00000000.json"]


def test_a_stop_note_for_no_tuning_job_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal"):
        DirectoryJournal(tmp_path / "none").ask_to_stop("x")


def test_a_reader_beside_a_fast_writer_never_misses_an_entry(tmp_path: Path) -> None:
    journal = DirectoryJournal(tmp_path)
    journal.append(0, [Attached(0.0, "me")])
    done = threading.Event()

    def write() -> None:
        for index in range(1, 300):
            journal.append(index, [Attached(float(index), "me")])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while not done.is_set():
        entries = DirectoryJournal(tmp_path).read()
        assert len(entries) >= seen
        seen = len(entries)
    writer.join()
    assert len(journal.read()) == 300
