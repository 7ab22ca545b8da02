"""Training jobs by the names that tables print: without that of the tuning job, by the number of the trial,
or by the beginning of either."""

from __future__ import annotations

from amt_flows.ledger.ledger import Ledger


def training_jobs_called(ledger: Ledger, given: str) -> list[str]:
    """The full names of a tuning job's training jobs that ``given`` may mean, in the order of their launch;
    one where it is clear. Compared without regard to case, as AMT does.

    ``demo-003-1a2b3c4d``, ``003-1a2b3c4d``, ``003`` and ``3`` are the third trial; of several attempts a
    trial's number means the last.
    """
    wanted, prefix = given.lower(), f"{ledger.name.lower()}-"
    if wanted in (name.lower() for name in ledger.jobs):
        return [name for name in ledger.jobs if name.lower() == wanted]
    short = wanted.removeprefix(prefix)
    if short.isdigit():
        return [name for name, job in ledger.jobs.items() if job.trial == int(short)][-1:]
    return [name for name in ledger.jobs if short and _is_begun(name.lower().removeprefix(prefix), short)]


def _is_begun(name: str, short: str) -> bool:
    """Whether ``short`` begins the name, or what follows the number of its trial."""
    return name.startswith(short) or name.partition("-")[2].startswith(short)
