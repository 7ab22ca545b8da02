"""How much of the time the workers of a local tuning job were busy: from when a worker claimed its training
job, by the claim's file, until that one's training ended, by the record."""

from __future__ import annotations

from pathlib import Path

from amt_flows.backends.local.paths import tuning_paths
from amt_flows.backends.places import open_journal
from amt_flows.ledger.record import load_ledger


def busy_share(home: Path, name: str, workers: int) -> float:
    """Of the time from the first claim to the last end, for a tuning job whose training jobs all ran."""
    tuning = tuning_paths(home, name)
    if tuning is None:
        raise ValueError(f"{name!r} is no name of a tuning job")
    claims, ends = [], []
    for job in load_ledger(open_journal(name, str(home)), name).jobs.values():
        paths = tuning.job(job.name)
        if paths is None or job.ended_at is None:
            raise ValueError(f"{job.name} did not run to its end")
        claims.append(paths.claim.stat().st_mtime)
        ends.append(job.ended_at)
    return (sum(ends) - sum(claims)) / (workers * (max(ends) - min(claims)))
