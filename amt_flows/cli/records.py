"""Tuning jobs as their records on this machine tell of them. Reads only, from any process at any time."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from amt_flows.backends.local.paths import tuning_paths
from amt_flows.errors import JournalError, TuningJobNotFound
from amt_flows.home import home_directory
from amt_flows.journals.directory import DirectoryJournal
from amt_flows.ledger import Ledger
from amt_flows.names import is_tuning_job_name, parse_training_job_name
from amt_flows.render.text import last_lines
from amt_flows.run import load_ledger, local_journal

# Of a log that may be large.
LOG_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Record:
    """A tuning job of a home directory. ``ledger`` is None when its journal can't be read; ``damage`` says
    why then."""

    name: str
    journal: DirectoryJournal
    ledger: Ledger | None
    damage: str = ""


def read_record(name: str, home: str | Path | None = None) -> Record:
    """The record of one tuning job. Raises TuningJobNotFound, JournalError."""
    journal = local_journal(name, home)
    ledger = load_ledger(journal, name)
    return Record(ledger.name, journal, ledger)


def all_records(home: str | Path | None = None) -> list[Record]:
    """Every tuning job of a home directory, the newest first. A damaged one doesn't hide the others."""
    records = list(_records(home_directory(home)))
    return sorted(records, key=lambda r: r.ledger.opened_at if r.ledger is not None else 0.0, reverse=True)


def _records(home: Path) -> Iterator[Record]:
    try:
        names = sorted(path.name for path in home.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise JournalError(
            f"The directory of tuning jobs, {home}, can't be read: {error.strerror or error}.",
            remedy="give another one with --home or $AMT_FLOWS_HOME",
        ) from None
    for name in names:
        journal = DirectoryJournal(home / name / "journal")
        if not is_tuning_job_name(name) or not journal.directory.is_dir():
            continue
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
    match = re.fullmatch(r"process (\d+) on (.+)", ledger.controller)
    if ledger.finished or match is None or match[2] != socket.gethostname():
        return False
    try:
        os.kill(int(match[1]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def training_job_log(name: str, home: str | Path | None = None, *, lines: int) -> str:
    """The last lines that a training job of this machine printed; running ones too.

    Raises TuningJobNotFound.
    """
    job = parse_training_job_name(name)
    tuning = tuning_paths(home_directory(home), job.tuning_job) if job is not None else None
    paths = tuning.job(name) if tuning is not None else None
    if paths is None or not paths.log.is_file():
        raise TuningJobNotFound(
            f"There is no output of a training job {name} in {home_directory(home)}.",
            because="it ran elsewhere, has not started yet, or the name is that of a tuning job",
            remedy="`amt-flows jobs NAME` lists the training jobs of a tuning job",
        )
    with paths.log.open("rb") as file:
        file.seek(max(0, paths.log.stat().st_size - LOG_BYTES))
        return last_lines(file.read().decode("utf-8", "replace"), lines)
