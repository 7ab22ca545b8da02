"""Tuning jobs as their records tell of them. Reads only, from any process at any time."""

from __future__ import annotations

import time
from dataclasses import dataclass

from amt_flows.backends.home import Home
from amt_flows.backends.places import journals, open_journal
from amt_flows.errors import JournalError
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.record import load_ledger
from amt_flows.results import TuningResult, result_of


@dataclass(frozen=True)
class Record:
    """A tuning job of a home."""

    ledger: Ledger
    location: str
    """Of its journal, as a URI."""

    @property
    def name(self) -> str:
        return self.ledger.name

    def result(self) -> TuningResult:
        """What it came to, or where it stands by now."""
        return result_of(self.ledger, self.location, time.time())


@dataclass(frozen=True)
class DamagedRecord:
    """A tuning job of a home whose journal can't be read; ``damage`` says why."""

    name: str
    damage: str
    ledger: None = None


def read_record(name: str, home: Home = None) -> Record:
    """The record of one tuning job, of ``home`` or of where tuning jobs are kept by default: its ledger, and
    its result so far. Raises TuningJobNotFound, JournalError."""
    journal = open_journal(name, home)
    return Record(load_ledger(journal, name), journal.location)


def load_result(name: str, home: Home = None) -> TuningResult:
    """What the tuning job ``name`` came to, or where it stands by now. Raises TuningJobNotFound,
    JournalError."""
    return read_record(name, home).result()


def all_records(home: Home = None) -> list[Record | DamagedRecord]:
    """Every tuning job of a home, the newest first. A damaged one doesn't hide the others, and comes last."""
    records, damaged = list[Record](), list[DamagedRecord]()
    for name, journal in journals(home):
        try:
            ledger = Ledger.replay(journal.read())
        except JournalError as error:
            damaged.append(DamagedRecord(name, error.happened))
            continue
        if ledger.opened:
            records.append(Record(ledger, journal.location))
    return [*sorted(records, key=lambda record: record.ledger.opened_at, reverse=True), *damaged]
