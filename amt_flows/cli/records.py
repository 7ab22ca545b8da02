"""Tuning jobs as their records on this machine tell of them. Reads only, from any process at any time."""

from __future__ import annotations

from amt_flows.backends.home import Home, home_directory
from amt_flows.backends.local.paths import tuning_paths
from amt_flows.backends.places import AMT, SAGEMAKER
from amt_flows.errors import TuningJobNotFound
from amt_flows.ledger.names import parse_training_job_name
from amt_flows.results.records import read_record
from amt_flows.show.text import last_lines

# Of a log that may be large.
LOG_BYTES = 4 * 1024 * 1024


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
        backend = read_record(tuning_job, home).ledger.backend
    except TuningJobNotFound:
        return None
    kind, _, region = backend.partition(":")
    if kind not in (SAGEMAKER, AMT):
        return None
    from amt_flows.backends.sagemaker.tail import tail

    return tail(name, lines, region=region or None)
