"""Journals of an earlier version (876203d, the last before the rooms were drawn anew) open as they did:
finished and not, of one algorithm and of several, each with the result that that version made of it.

A line of ``written_before/NAME.jsonl`` is an entry's file, to the letter.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.events import Outcome, TuningStatus
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.journals.entries import entry_name
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.record import load_ledger
from amt_flows.results import TuningResult, result_of
from amt_flows.results.from_result import ledger_of
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive

WRITTEN = Path(__file__).with_name("written_before")
FINISHED = ("local-finished", "several-finished")
UNFINISHED = ("local-unfinished", "several-unfinished")


def journal_of(name: str, directory: Path) -> DirectoryJournal:
    directory.mkdir()
    for index, line in enumerate((WRITTEN / f"{name}.jsonl").read_bytes().splitlines()):
        (directory / entry_name(index)).write_bytes(line)
    return DirectoryJournal(directory)


class Local(SimulatedBackend):
    """Under the address of this machine, as on another day: of the earlier training jobs it has none."""

    address = "local"


def backend_after(ledger: Ledger) -> SimulatedBackend:
    return Local(VirtualClock(ledger.last_at + 3600), lambda hyperparameters: Script([0.5, 0.6, 0.7]))


def result_as_it_was(name: str) -> TuningResult:
    return TuningResult.model_validate_json((WRITTEN / f"{name}.result.json").read_bytes())


def but_for_rounding(result: TuningResult, expected: TuningResult) -> TuningResult:
    """Python 3.12 sums floats with less of an error than the version that wrote them."""
    assert result.cost == pytest.approx(expected.cost, rel=1e-12)
    return result.model_copy(update={"cost": expected.cost})


@pytest.mark.parametrize("name", [*FINISHED, *UNFINISHED])
def test_a_record_says_what_it_said_to_the_version_that_wrote_it(name: str, tmp_path: Path) -> None:
    ledger = load_ledger(journal_of(name, tmp_path / "journal"), name)
    expected = result_as_it_was(name)
    assert expected.jobs
    assert (ledger.status is TuningStatus.COMPLETED) == (name in FINISHED)
    assert but_for_rounding(result_of(ledger, "journal"), expected) == expected
    assert but_for_rounding(result_of(ledger_of(expected), "journal"), expected) == expected


@pytest.mark.parametrize("name", FINISHED)
def test_one_that_was_finished_is_finished(name: str, tmp_path: Path) -> None:
    journal = journal_of(name, tmp_path / "journal")
    ledger = load_ledger(journal, name)
    entries = len(journal.read())
    backend = backend_after(ledger)
    tuning = Tuning.open(ledger.spec, backend, journal, clock=backend.clock)
    drive(tuning)
    assert tuning.ledger.finished
    assert len(journal.read()) == entries, "nothing is written behind the end"


@pytest.mark.parametrize("name", UNFINISHED)
def test_one_that_was_not_is_gone_on_with(name: str, tmp_path: Path) -> None:
    journal = journal_of(name, tmp_path / "journal")
    before = load_ledger(journal, name)
    running = [job.name for job in before.live]
    backend = backend_after(before)
    drive(Tuning.open(before.spec, backend, journal, clock=backend.clock))
    ledger = load_ledger(DirectoryJournal(tmp_path / "journal"), name)
    assert ledger.status is TuningStatus.COMPLETED
    assert len(ledger.trials) >= len(before.trials)
    assert all(ledger.trials[number] == trial for number, trial in before.trials.items())
    # Of what ran nothing is left: it is lost, and tried again.
    assert running
    assert {ledger.jobs[job].outcome for job in running} == {Outcome.LOST}
    assert all(ledger.attempts(ledger.jobs[job].trial)[1:] for job in running)
    assert ledger.best is not None
    if name.startswith("several"):
        assert {one.definition for one in ledger.trials.values()} == {"linear", "tree"}
