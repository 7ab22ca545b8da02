"""What is said when a tuning job that has ended is asked for again: that nothing was run."""

from __future__ import annotations

from amt_flows.backends.local.changes import changed_since_launch
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
    changed = changed_since_launch(ledger)
    since = ""
    if changed:
        names = ", ".join(file.name for file in changed)
        since = f"; {names} {'has' if len(changed) == 1 else 'have'} changed since, which it knows nothing of"
    return f"{text}{since}. Give another name to run it anew."
