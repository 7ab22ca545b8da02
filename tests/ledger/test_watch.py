"""Whoever follows a tuning job reads each entry of its journal once, however long it takes, and is told of
its end soon; in S3 as on disk."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import boto3
import pytest

from amt_flows.backends.local.controller import process_here
from amt_flows.backends.places import open_journal
from amt_flows.errors import JournalError, TuningJobNotFound
from amt_flows.events import Attached, Event, Finished, Opened, TuningStatus
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.journals.s3 import S3Journal
from amt_flows.ledger.record import Reading, load_ledger, watched
from amt_flows.ports import Journal
from amt_flows.testing.sagemaker import SimulatedSageMaker
from amt_flows.tuning.stop import wait_for_end
from commands import cli
from worlds import spec

ENTRIES = 30


def opening(controller: str = "me") -> list[Event]:
    asked = spec()
    return [Opened(0.0, "demo", asked.fingerprint(), asked.to_json(), controller)]


def finishing() -> list[Event]:
    return [Finished(99.0, TuningStatus.COMPLETED)]


class Writer:
    """A controller that goes on by a step whenever the watcher sleeps; and that watcher's watch."""

    def __init__(self, journal: Journal, *steps: Callable[[], None]) -> None:
        self.journal = journal
        self.steps = list(steps)
        self.slept: list[float] = []
        self.entries = 0

    def write(self, events: Sequence[Event]) -> None:
        self.journal.append(self.entries, events)
        self.entries += 1

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.steps:
            self.steps.pop(0)()

    def watch(self, journal: Journal | None = None) -> Reading:
        return watched(self.journal if journal is None else journal, "demo")

    def ends_within(self, seconds: float, watch: Reading | None = None) -> bool:
        watch = watch or self.watch()
        return wait_for_end(watch, seconds, monotonic=lambda: sum(self.slept), sleep=self.sleep)


def opened(journal: Journal, entries: int = 1, controller: str = "me") -> Writer:
    writer = Writer(journal)
    writer.write(opening(controller))
    for at in range(1, entries):
        writer.write([Attached(float(at), controller)])
    return writer


class CountingJournal(MemoryJournal):
    """Counts how often each entry was handed out."""

    def __init__(self) -> None:
        super().__init__()
        self.handed_out: list[int] = []

    def read(self, start: int = 0) -> Sequence[Sequence[Event]]:
        entries = super().read(start)
        self.handed_out += range(start, start + len(entries))
        return entries


def test_each_entry_is_read_once_however_often_one_looks() -> None:
    journal = CountingJournal()
    writer = opened(journal, ENTRIES)
    watch = writer.watch()
    writer.steps = [lambda: None] * 20 + [lambda: writer.write([Attached(50.0, "another")])] * 3
    writer.steps += [lambda: writer.write(finishing())]
    assert writer.ends_within(3600, watch)
    assert len(writer.slept) == 24
    assert journal.handed_out == list(range(ENTRIES + 4))
    assert (watch.ledger.controller, watch.ledger.status) == ("another", TuningStatus.COMPLETED)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedSageMaker]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with SimulatedSageMaker() as world:
        boto3.client("s3").create_bucket(Bucket="records")
        yield world


def test_a_long_wait_in_s3_asks_for_nothing_twice(world: SimulatedSageMaker) -> None:
    def journal() -> S3Journal:
        return S3Journal("s3://records/demo/journal", boto3.client("s3"))

    writer = opened(journal(), ENTRIES)
    watch = writer.watch(journal())
    assert world.actions["s3:GetObject"] == ENTRIES
    world.actions.clear()
    assert not writer.ends_within(60, watch)
    looks = len(writer.slept) + 1
    assert looks > 60
    assert dict(world.actions) == {"s3:ListBucket": looks}, "a list from the last entry on, and no entry"
    writer.steps = [lambda: writer.write(finishing())]
    world.actions.clear()
    assert writer.ends_within(60, watch)
    assert world.actions["s3:GetObject"] == 1


def test_stop_reads_a_record_in_s3_once_to_look_and_once_to_close_it(
    world: SimulatedSageMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole command, with a controller that does not answer: it asks, waits, and ends the tuning job
    itself."""
    monkeypatch.setattr("amt_flows.cli.stop.PATIENCE_SECONDS", 0.5)
    monkeypatch.setenv("HOME", str(tmp_path))
    opened(open_journal("demo", "s3://records"), ENTRIES, "process 1 on another-machine")
    world.actions.clear()
    done = cli("stop", "demo", "--home", "s3://records", "--wait", "0.5")
    assert "its record is closed from here" in done.output
    assert world.actions["s3:GetObject"] <= 2 * ENTRIES + 5, "and what it wrote, and its own request"
    assert world.actions["s3:PutObject"] == 4, "the request, a takeover, why it ends, its end"
    assert load_ledger(open_journal("demo", "s3://records"), "demo").status is TuningStatus.STOPPED


def test_it_looks_often_at_first_and_then_once_a_second() -> None:
    writer = opened(MemoryJournal())
    assert not writer.ends_within(60)
    assert writer.slept[0] == 0.1
    assert sum(writer.slept) == pytest.approx(60), "and never beyond the time that it has"
    assert sorted(writer.slept[:-1]) == writer.slept[:-1]
    assert max(writer.slept) == 1.0
    assert len(writer.slept) < 70


def test_what_has_ended_or_has_no_time_is_not_waited_for() -> None:
    writer = opened(MemoryJournal())
    watch = writer.watch()
    assert not writer.ends_within(0, watch)
    writer.write(finishing())
    assert writer.ends_within(0, watch), "it has looked once more"
    assert writer.slept == []


def test_nobody_waits_for_a_controller_that_is_certainly_dead() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    writer = opened(MemoryJournal(), controller=process_here(ended.pid))
    assert not writer.ends_within(60)
    assert writer.slept == []


def test_who_takes_over_meanwhile_is_waited_for() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    writer = opened(MemoryJournal(), controller=process_here(ended.pid))
    watch = writer.watch()
    writer.write([Attached(2.0, "process 1 on another-machine")])
    writer.steps = [lambda: writer.write(finishing())]
    assert writer.ends_within(60, watch)


def test_there_is_nothing_to_watch_before_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(TuningJobNotFound, match="no tuning job demo at memory:"):
        watched(MemoryJournal(), "demo")
    with pytest.raises(TuningJobNotFound):
        watched(DirectoryJournal(tmp_path / "nowhere"), "demo")
    assert not (tmp_path / "nowhere").exists()


def test_what_is_damaged_meanwhile_is_said(tmp_path: Path) -> None:
    writer = opened(DirectoryJournal(tmp_path), 3)
    watch = writer.watch(DirectoryJournal(tmp_path))
    (tmp_path / "00000003.json").write_text('{"events": 7}')
    with pytest.raises(JournalError, match=r"00000003\.json is damaged"):
        writer.ends_within(60, watch)


def test_an_entry_torn_by_a_power_cut_does_not_hide_those_after_it(tmp_path: Path) -> None:
    """What it said was not acknowledged; the next controller says that it was torn, and goes on."""
    writer = opened(DirectoryJournal(tmp_path), 3)
    (tmp_path / "00000003.json").write_text('{"events":[{"at"')
    watch = watched(DirectoryJournal(tmp_path), "demo")
    assert watch.ledger.last_at == 2.0
    successor = DirectoryJournal(tmp_path)
    successor.append(len(successor.read()), finishing())
    assert writer.ends_within(0, watch)
