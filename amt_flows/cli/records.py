"""Tuning jobs as their records on this machine tell of them. Reads only, from any process at any time."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from amt_flows.backends.local.paths import tuning_paths
from amt_flows.errors import JournalError, TuningJobNotFound
from amt_flows.home import Home, home_directory
from amt_flows.ledger import Ledger
from amt_flows.names import parse_training_job_name
from amt_flows.places import AMT, SAGEMAKER, journals, open_journal
from amt_flows.ports import Journal
from amt_flows.render.text import last_lines
from amt_flows.run import load_ledger

# Of a log that may be large.
LOG_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Record:
    """A tuning job of a home. ``ledger`` is None when its journal can't be read; ``damage`` says
    why then."""

    name: str
    journal: Journal
    ledger: Ledger | None
    damage: str = ""

    @property
    def address(self) -> str:
        """Of the backend that its training jobs run on."""
        return "" if self.ledger is None else self.ledger.backend


def read_record(name: str, home: Home = None) -> Record:
    """The record of one tuning job. Raises TuningJobNotFound, JournalError."""
    journal = open_journal(name, home)
    ledger = load_ledger(journal, name)
    return Record(ledger.name, journal, ledger)


def all_records(home: Home = None) -> list[Record]:
    """Every tuning job of a home, the newest first. A damaged one doesn't hide the others."""
    records = list(_records(home))
    return sorted(records, key=lambda r: r.ledger.opened_at if r.ledger is not None else 0.0, reverse=True)


def _records(home: Home) -> Iterator[Record]:
    for name, journal in journals(home):
        try:
            ledger = Ledger.replay(journal.read())
        except JournalError as error:
            yield Record(name, journal, None, error.happened)
            continue
        if ledger.opened:
            yield Record(ledger.name, journal, ledger)


def controller_is_gone(ledger: Ledger) -> bool:
    """Whether it is certain that nobody drives a tuning job any more: its controller was a process of this
    machine, and there is none of that number. False when it can't be known from here."""
    match = re.fullmatch(r"process (\d+) on (.+?)(, flow run .+)?", ledger.controller)
    if ledger.finished or match is None or match[2] != socket.gethostname():
        return False
    try:
        os.kill(int(match[1]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def training_job_log(name: str, home: Home = None, *, lines: int) -> str:
    """The last lines that a training job printed; running ones too.

    Raises TuningJobNotFound, BackendError.
    """
    job = parse_training_job_name(name)
    tuning = tuning_paths(home_directory(home), job.tuning_job) if job is not None else None
    paths = tuning.job(name) if tuning is not None else None
    if job is not None and (paths is None or not paths.log.is_file()):
        told = _log_elsewhere(name, job.tuning_job, home, lines)
        if told is not None:
            return told
    if paths is None or not paths.log.is_file():
        raise TuningJobNotFound(
            f"There is no output of a training job {name} in {home_directory(home)}.",
            because="it ran elsewhere, has not started yet, or the name is that of a tuning job",
            remedy="`amt-flows jobs NAME` lists the training jobs of a tuning job",
        )
    with paths.log.open("rb") as file:
        file.seek(max(0, paths.log.stat().st_size - LOG_BYTES))
        return last_lines(file.read().decode("utf-8", "replace"), lines)


def _log_elsewhere(name: str, tuning_job: str, home: Home, lines: int) -> str | None:
    """From where the tuning job's record says that its training jobs run."""
    try:
        backend = read_record(tuning_job, home).address
    except TuningJobNotFound:
        return None
    kind, _, region = backend.partition(":")
    if kind not in (SAGEMAKER, AMT):
        return None
    from amt_flows.backends.sagemaker.tail import tail

    return tail(name, lines, region=region or None)
