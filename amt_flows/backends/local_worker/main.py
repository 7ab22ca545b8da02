"""The worker's first milliseconds: claim the job, start its training process, and only then load the rest."""

from __future__ import annotations

import os

from amt_flows.backends.local_worker.claims import claim, reserve_end, wish
from amt_flows.backends.local_worker.guard import guarded
from amt_flows.backends.local_worker.processes import identity
from amt_flows.backends.local_worker.start import Training, adopt_orphans, start_training

EXIT_CLAIMED_BY_ANOTHER = 3


def main(directory: str) -> int:
    """Run the job of a directory, unless another process does. The exit status."""
    return guarded(lambda lifeline: run(directory, lifeline))


def run(directory: str, lifeline: int) -> int:
    """The work itself, in a process whose guard is at the other end of the lifeline."""
    me = identity(os.getpid())
    content = ", ".join(f'"{name}": "{me[name]}"' for name in ("start", "boot", "space"))
    content = f'{{"pid": {me["pid"]}, "guard": {os.getppid()}, {content}}}'
    # The descriptor holds the lock; it stays open for as long as this process lives.
    if claim(directory, content.encode()) is None:
        return EXIT_CLAIMED_BY_ANOTHER
    training: Training | None = None
    problem: Exception | None = None
    try:
        reserve_end(directory)
        if not wish(directory):
            # Before there are any: one that was let go earlier would never come to us.
            adopt_orphans()
            training = start_training(directory, mark=f"{me['pid']}.{me['start']}")
    except Exception as error:
        problem = error

    # While the training process is starting up itself, there is time for what takes long to import.
    from amt_flows.backends.local_worker.job import conclude

    return conclude(directory, training, problem, lifeline)
