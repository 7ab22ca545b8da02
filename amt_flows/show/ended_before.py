"""What is said when a tuning job that has ended is asked for again: that nothing was run."""

from __future__ import annotations

from pathlib import Path

from amt_flows.backends.local.changes import changed_since
from amt_flows.backends.places import LOCAL
from amt_flows.ledger.ledger import Ledger
from amt_flows.show.text import duration, local_time


def ended_before(ledger: Ledger, now: float) -> str:
    """Of an ended tuning job, for whoever asked for it to be run: when it ended, and which of its files have
    changed since its last training job was launched."""
    assert ledger.finished_at is not None
    ended = f"{local_time(ledger.finished_at)}, {duration(max(0.0, now - ledger.finished_at))} ago"
    text = (
        f"Nothing was run: tuning job {ledger.name} of this spec ended as {ledger.status.value} on {ended}. "
        "This is its result"
    )
    changed = _changed(ledger)
    since = ""
    if changed:
        names = ", ".join(file.name for file in changed)
        since = f"; {names} {'has' if len(changed) == 1 else 'have'} changed since, which it knows nothing of"
    return f"{text}{since}. Give another name to run it anew."


def _changed(ledger: Ledger) -> list[Path]:
    if ledger.backend.partition(":")[0] not in ("", LOCAL):
        return []
    launches = [job.launched_at for job in ledger.jobs.values()]
    return changed_since(ledger.spec, max(launches, default=ledger.opened_at))
