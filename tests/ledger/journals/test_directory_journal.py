from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from amt_flows.errors import Fenced, JournalError
from amt_flows.events import Attached
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.testing.journal_conformance import FOLDED, JournalConformance


class TestDirectoryJournal(JournalConformance):
    def make(self, place: Path) -> DirectoryJournal:
        return DirectoryJournal(place)

    def make_folding(self, place: Path) -> DirectoryJournal:
        return DirectoryJournal(place, segment_entries=FOLDED)


def test_reading_creates_nothing(tmp_path: Path) -> None:
    journal = DirectoryJournal(tmp_path / "none" / "journal")
    assert not journal.read()
    assert journal.asked_to_stop() is None
    assert not (tmp_path / "none").exists()


TORN = [
    "",
    "{",
    '{"events":[',
    '{"events": [',
    '{"events":[{"v":1,"kind":"atta',
    "\0" * 80,
    '{"events":[{"v"' + "\0" * 80,
]
DAMAGED = ['{"events": 3}', "[]", '{"events":[{"v":1}]}', '"x"', "[" * 100_000, "}", "\udcff", "null", "x\0"]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_entry_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    journal = DirectoryJournal(tmp_path)
    journal.append(0, [Attached(1.0, "me")])
    (tmp_path / "00000001.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(JournalError) as raised:
        journal.read()
    assert "00000001.json" in str(raised.value)


@pytest.mark.parametrize("text", TORN)
def test_a_torn_last_entry_counts_as_never_written(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    DirectoryJournal(tmp_path).append(0, [Attached(1.0, "me")])
    (tmp_path / "00000001.json").write_text(text)
    journal = DirectoryJournal(tmp_path)
    assert [list(entry) for entry in journal.read()] == [[Attached(1.0, "me")], []]
    assert "00000001.json is torn" in caplog.text
    journal.append(2, [Attached(2.0, "me")])
    journal.append(3, [Attached(3.0, "me")])
    assert (tmp_path / "00000001.json").read_text() == text, "what is left of it is kept"
    entries = DirectoryJournal(tmp_path).read()
    assert [[event.at for event in entry] for entry in entries] == [[1.0], [], [2.0], [3.0]]


def test_of_two_that_meet_a_torn_entry_one_goes_on_and_what_it_writes_stays(tmp_path: Path) -> None:
    DirectoryJournal(tmp_path).append(0, [Attached(1.0, "me")])
    (tmp_path / "00000001.json").write_text("")
    first, second = DirectoryJournal(tmp_path), DirectoryJournal(tmp_path)
    assert len(first.read()) == len(second.read()) == 2
    first.append(2, [Attached(2.0, "first")])
    with pytest.raises(Fenced):
        second.append(2, [Attached(2.0, "second")])
    assert [list(entry) for entry in DirectoryJournal(tmp_path).read(2)] == [[Attached(2.0, "first")]]


def test_several_power_cuts_in_a_row_leave_several_torn_entries(tmp_path: Path) -> None:
    for index in range(3):
        (tmp_path / f"0000000{index}.json").write_text("")
    journal = DirectoryJournal(tmp_path)
    assert [list(entry) for entry in journal.read()] == [[], [], []]
    journal.append(3, [Attached(1.0, "me")])
    assert len(DirectoryJournal(tmp_path).read()) == 4


def test_a_look_at_what_is_new_forgets_no_torn_entry_before_it(tmp_path: Path) -> None:
    journal = DirectoryJournal(tmp_path)
    journal.append(0, [Attached(1.0, "one")])
    (tmp_path / "00000001.json").write_text("")
    assert len(journal.read()) == 2
    assert journal.read(2) == []
    (tmp_path / "00000002.json").write_text("")
    assert journal.read(2) == [()]
    journal.append(3, [Attached(2.0, "two")])
    assert [len(entry) for entry in DirectoryJournal(tmp_path).read()] == [1, 0, 0, 1]


def test_a_reader_that_begins_between_torn_entries_accepts_what_came_after_them(tmp_path: Path) -> None:
    journal = DirectoryJournal(tmp_path)
    journal.append(0, [Attached(1.0, "me")])
    for torn in (1, 2):
        (tmp_path / f"0000000{torn}.json").write_text("")
    journal.read()
    journal.append(3, [Attached(2.0, "me")])
    for start in range(4):
        assert len(DirectoryJournal(tmp_path).read(start)) == 4 - start


def test_bytes_that_are_no_text_are_damage_and_not_replaced(tmp_path: Path) -> None:
    journal = DirectoryJournal(tmp_path)
    journal.append(0, [Attached(1.0, "somebody")])
    path = tmp_path / "00000000.json"
    path.write_bytes(path.read_bytes().replace(b"somebody", b"some\xffbody"))
    with pytest.raises(JournalError, match=r"00000000\.json is damaged"):
        journal.read()


def test_a_torn_entry_with_others_after_it_is_an_error(tmp_path: Path) -> None:
    journal = DirectoryJournal(tmp_path)
    for index in range(4):
        journal.append(index, [Attached(1.0, "me")])
    for torn in (1, 2):
        (tmp_path / f"0000000{torn}.json").write_text("")
        with pytest.raises(JournalError, match=r"0000000[12]\.json is damaged"):
            journal.read()


def test_a_note_that_can_not_be_looked_for_is_no_request_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = DirectoryJournal(tmp_path)
    journal.append(0, [Attached(1.0, "me")])
    journal.ask_to_stop("enough")

    def too_many(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", too_many)
        assert journal.asked_to_stop() is None
    assert journal.asked_to_stop() == "enough"


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


def test_what_may_not_be_read_or_removed_is_said_with_its_cause_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = DirectoryJournal(tmp_path)
    journal.append(0, [Attached(1.0, "test")])

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "unlink", refuse)
    journal.take_back_stop()  # there is none
    journal.ask_to_stop("enough")
    with pytest.raises(JournalError) as raised:
        journal.take_back_stop()
    assert raised.value.because == "its file system is read-only"
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(JournalError) as raised:
        DirectoryJournal(tmp_path).read()
    assert raised.value.because
    assert raised.value.remedy


def test_a_stop_note_for_no_tuning_job_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal"):
        DirectoryJournal(tmp_path / "none").ask_to_stop("x")


def test_a_reader_beside_a_fast_writer_never_misses_an_entry(tmp_path: Path) -> None:
    journal = DirectoryJournal(tmp_path)
    journal.append(0, [Attached(0.0, "me")])
    done = threading.Event()

    def write() -> None:
        for index in range(1, 120):
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
    assert len(journal.read()) == 120


def put_a_fifo(path: Path) -> None:
    os.mkfifo(path)


def put_a_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def put_a_directory(path: Path) -> None:
    path.mkdir()


STRANGE = pytest.mark.parametrize(
    ("put", "words"),
    [(put_a_fifo, "a FIFO"), (put_a_dangling_link, "a link to nothing"), (put_a_directory, "a directory")],
)


@STRANGE
def test_what_is_no_file_is_refused_as_an_entry_and_no_rival(
    put: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    writer = DirectoryJournal(tmp_path)
    writer.append(0, [Attached(1.0, "me")])
    put(tmp_path / "00000001.json")
    for look in (
        DirectoryJournal(tmp_path).read,
        writer.asked_to_stop,
        lambda: writer.append(1, [Attached(2.0, "me")]),
        lambda: DirectoryJournal(tmp_path).append(1, [Attached(2.0, "me")]),
    ):
        with pytest.raises(JournalError, match=words) as raised:
            look()
        assert not isinstance(raised.value, Fenced)
        assert "remove it" in str(raised.value)


@STRANGE
def test_what_is_no_file_is_refused_as_a_note_to_stop(
    put: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    journal = DirectoryJournal(tmp_path)
    journal.append(0, [Attached(1.0, "me")])
    put(tmp_path / "stop")
    with pytest.raises(JournalError, match=words):
        journal.asked_to_stop()


def test_an_entry_that_is_deleted_meanwhile_is_noticed_by_whoever_knew_it(tmp_path: Path) -> None:
    writer, reader = DirectoryJournal(tmp_path), DirectoryJournal(tmp_path)
    for index in range(3):
        writer.append(index, [Attached(float(index), "me")])
    assert len(reader.read()) == 3
    (tmp_path / "00000001.json").unlink()
    for look in (
        writer.asked_to_stop,
        lambda: writer.append(3, [Attached(3.0, "me")]),
        reader.asked_to_stop,
        lambda: reader.read(3),
    ):
        with pytest.raises(JournalError, match=r"Entry 1 .* is missing") as raised:
            look()
        assert "amt-flows recover" in str(raised.value)


def test_a_journal_is_begun_with_its_first_entry_only(tmp_path: Path) -> None:
    journal = DirectoryJournal(tmp_path / "journal")
    journal.append(0, [Attached(0.0, "me")])
    (tmp_path / "journal").rename(tmp_path / "moved")
    for look in (
        journal.asked_to_stop,
        lambda: journal.append(1, [Attached(1.0, "me")]),
        lambda: DirectoryJournal(tmp_path / "journal").append(1, [Attached(1.0, "me")]),
        lambda: DirectoryJournal(tmp_path / "journal").read(1),
    ):
        with pytest.raises(JournalError, match="has vanished"):
            look()
    assert not (tmp_path / "journal").exists()
    (tmp_path / "moved").rename(tmp_path / "journal")
    journal.append(1, [Attached(1.0, "me")])
    assert len(journal.read()) == 2


@pytest.mark.parametrize("text", ['{"v":99,"kind":"opened"}', '{"v":1,"kind":"paused","at":1.0}'])
def test_an_entry_of_a_newer_version_says_so(text: str, tmp_path: Path) -> None:
    (tmp_path / "00000000.json").write_text(f'{{"events":[{text}]}}')
    with pytest.raises(JournalError, match="written by a newer version of amt-flows") as raised:
        DirectoryJournal(tmp_path).read()
    assert "backup" not in str(raised.value)
