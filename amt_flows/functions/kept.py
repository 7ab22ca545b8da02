"""The functions that a home keeps by value, and which of them nothing in it names any more."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from amt_flows.backends.function_job.loading import STORE, digest_in
from amt_flows.backends.home import Home, home_directory
from amt_flows.errors import JournalError
from amt_flows.ledger.algorithms import algorithms_of
from amt_flows.results.records import DamagedRecord, all_records

LONGEST_COMMAND = 4 * 1024 * 1024


@dataclass(frozen=True)
class KeptFunction:
    file: Path
    bytes: int
    kept_at: float
    """Seconds since the epoch."""


def unused_functions(home: Home, older_than_seconds: float) -> list[KeptFunction]:
    """Those that neither the record nor a training job of any tuning job of the home names, and that have
    been kept for so long: a spec in a file may name them that was not run yet.

    Raises JournalError if a record can't be read: it may name any.
    """
    store = home_directory(home) / STORE
    found = sorted(store.iterdir()) if store.is_dir() else []
    functions = [_kept(file) for file in found if not file.name.endswith(".part") and file.is_file()]
    before = time.time() - older_than_seconds
    old = [one for one in functions if one.kept_at < before]
    named = _named(home) if old else set()
    return [one for one in old if one.file.name not in named]


def remove(functions: list[KeptFunction]) -> None:
    """Raises OSError."""
    for one in functions:
        one.file.unlink(missing_ok=True)


def _kept(file: Path) -> KeptFunction:
    facts = file.stat()
    return KeptFunction(file, facts.st_size, facts.st_mtime)


def _named(home: Home) -> set[str]:
    """The hashes that are in use. A tuning job whose record is in S3 has its training jobs here."""
    return {*_in_records(home), *_in_training_jobs(home_directory(home))}


def _in_records(home: Home) -> Iterator[str]:
    for record in all_records(home):
        if isinstance(record, DamagedRecord):
            raise JournalError(
                f"The record of {record.name} can't be read, and may name any function: {record.damage}",
                remedy="restore it, or move it away; nothing was removed",
            )
        for spec in (record.ledger.spec, record.ledger.asked):
            for algorithm in algorithms_of(spec):
                target = algorithm.spec.training_job.function
                digest = None if target is None else digest_in(target)
                if digest is not None:
                    yield digest


def _in_training_jobs(home: Path) -> Iterator[str]:
    for command in home.glob("*/jobs/*/command"):
        with contextlib.suppress(OSError):
            if command.stat().st_size > LONGEST_COMMAND:
                continue
            for word in command.read_bytes().split(b"\0"):
                digest = digest_in(word.decode("utf-8", "replace"))
                if digest is not None:
                    yield digest
