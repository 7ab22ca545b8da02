"""The worker's first milliseconds: claim the job, start its training process, and only then load the rest."""

from __future__ import annotations

import os

from amt_flows.backends.local_worker.claims import claim, reserve_end, wish
from amt_flows.backends.local_worker.guard import guarded
from amt_flows.backends.local_worker.processes import identity
from amt_flows.backends.local_worker.start import Training, adopt_orphans, start_training

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXIT_CLAIMED_BY_ANOTHER = 3


def main(arguments: Sequence[str]) -> int:
    """Run the job of a directory, unless another process does; or go on with it, where a copy of a fork
    server has begun with that (see :mod:`.forked`). The exit status."""
    *how, directory = arguments
    if not how:
        # Told by an attendant, and none of the training's business: jobs that it starts have another parent.
        parent = int(os.environ.pop("AMT_FLOWS_PARENT", "0"))
        return guarded(lambda lifeline: run(directory, lifeline), parent)
    _, pid, reader, lifeline, *times = how
    training = Training(int(pid), int(reader), *map(float, times))
    return conclude(directory, Begun(training), int(lifeline))


class Begun:
    """A job that is ours: its training process, or what kept it from starting; neither, if it was to be
    stopped before. The claim's lock holds as long as the descriptor ``lock`` is open: as this process
    lives."""

    def __init__(
        self, training: Training | None = None, problem: Exception | None = None, lock: int = -1
    ) -> None:
        self.training = training
        self.problem = problem
        self.lock = lock


def run(directory: str, lifeline: int) -> int:
    """The work itself, in a process whose guard is at the other end of the lifeline."""
    begun = begin(directory, start_training)
    return EXIT_CLAIMED_BY_ANOTHER if begun is None else conclude(directory, begun, lifeline)


def begin(directory: str, start: Callable[[str, str], Training]) -> Begun | None:
    """Claim the job, and start its training; None if another process has it. Raises OSError."""
    me = identity(os.getpid())
    content = ", ".join(f'"{name}": "{me[name]}"' for name in ("start", "boot", "space"))
    content = f'{{"pid": {me["pid"]}, "guard": {os.getppid()}, {content}}}'
    lock = claim(directory, content.encode())
    if lock is None:
        return None
    try:
        reserve_end(directory)
        if wish(directory):
            return Begun(lock=lock)
        # Before there are any: one that was let go earlier would never come to us.
        adopt_orphans()
        return Begun(start(directory, f"{me['pid']}.{me['start']}"), lock=lock)
    except Exception as error:
        return Begun(problem=error, lock=lock)


def conclude(directory: str, begun: Begun, lifeline: int) -> int:
    # While the training process is starting up itself, there is time for what takes long to import.
    from amt_flows.backends.local_worker import job

    return job.conclude(directory, begun.training, begun.problem, lifeline)
