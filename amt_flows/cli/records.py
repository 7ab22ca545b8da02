"""Tuning jobs as their records on this machine tell of them. Reads only, from any process at any time."""

from __future__ import annotations

import contextlib

from amt_flows.backends.home import Home, home_directory, home_text, is_in_s3
from amt_flows.backends.local.paths import tuning_paths
from amt_flows.backends.places import AMT, SAGEMAKER
from amt_flows.errors import JournalError, TuningJobNotFound
from amt_flows.ledger.names import parse_training_job_name
from amt_flows.ledger.short_names import training_jobs_called
from amt_flows.results.records import all_records, read_record
from amt_flows.show.text import last_lines

# Of a log that may be large.
LOG_BYTES = 4 * 1024 * 1024


def full_name(given: str, tuning_job: str | None = None, home: Home = None) -> str:
    """The training job that is called ``given``, in full or as tables print it, of a tuning job or of any.

    Raises TuningJobNotFound when there is none, and when it may be one of several.
    """
    if tuning_job is not None:
        record = read_record(tuning_job, home)
        return _only_one(given, training_jobs_called(record.ledger, given), f"of {record.name}")
    job = parse_training_job_name(given)
    # In full it needs no record: the output may be all that is left.
    if job is not None and _has_output(job.tuning_job, given, home):
        return given
    if job is not None:
        # In full it names its tuning job, and no other needs to be read.
        with contextlib.suppress(TuningJobNotFound, JournalError):
            return _only_one(given, training_jobs_called(read_record(job.tuning_job, home).ledger, given), "")
    ledgers = [record.ledger for record in all_records(home) if record.ledger is not None]
    called = [name for ledger in ledgers for name in training_jobs_called(ledger, given)]
    if not called and job is not None:
        return given
    return _only_one(given, called, f"in {home_text(home) if is_in_s3(home) else home_directory(home)}")


def _has_output(tuning_job: str, name: str, home: Home) -> bool:
    tuning = tuning_paths(home_directory(home), tuning_job)
    paths = tuning.job(name) if tuning is not None else None
    return paths is not None and paths.log.is_file()


def _only_one(given: str, called: list[str], where: str) -> str:
    if len(called) == 1:
        return called[0]
    if called:
        several = ", ".join(called[:5]) + (", ..." if len(called) > 5 else "")
        raise TuningJobNotFound(
            f"{len(called)} training jobs {where} may be meant by {given}: {several}.",
            remedy="give more of the name, or the tuning job's name before it",
        )
    raise TuningJobNotFound(
        f"There is no training job {given} {where}.",
        because="it ran elsewhere, has not started yet, or the name is that of a tuning job",
        remedy="`amt-flows jobs NAME` lists the training jobs of a tuning job",
    )


def training_job_log(name: str, home: Home = None, *, lines: int) -> str:
    """The last lines that a training job printed; running ones too. ``name``: in full.

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
        backend = read_record(tuning_job, home).ledger.backend
    except TuningJobNotFound:
        return None
    kind, _, region = backend.partition(":")
    if kind not in (SAGEMAKER, AMT):
        return None
    from amt_flows.backends.sagemaker.logs import tail

    return tail(name, lines, region=region or None)
