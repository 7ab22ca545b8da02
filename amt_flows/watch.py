"""A tuning job's record, read on while somebody else writes it."""

from __future__ import annotations

import time
from collections.abc import Callable

from amt_flows.controller import Controller
from amt_flows.errors import TuningJobNotFound
from amt_flows.ledger import Ledger
from amt_flows.ports import Journal

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0


class Watch:
    """The ledger of an existing tuning job. Each entry of its journal is read once: another look costs what
    was written since the last one, and not the whole record. ``monotonic`` and ``sleep`` are for tests.

    Raises TuningJobNotFound, JournalError.
    """

    def __init__(
        self,
        journal: Journal,
        name: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.journal = journal
        self.ledger = Ledger()
        self._next_entry = 0
        self._monotonic, self._sleep = monotonic, sleep
        self.look()
        if not self.ledger.opened:
            raise TuningJobNotFound(
                f"There is no tuning job {name} at {journal.location}.",
                remedy="check the name, and $AMT_FLOWS_HOME (or --home) if it was kept elsewhere",
            )

    def look(self) -> None:
        """Bring the ledger up to date. Raises JournalError."""
        entries = self.journal.read(self._next_entry)
        self.ledger.extend(entries)
        self._next_entry += len(entries)

    def wait_for_end(self, seconds: float) -> bool:
        """Whether the tuning job ends within so many seconds. Returns at once when its controller is
        certainly dead: nobody is left to end it. Raises JournalError."""
        give_up_at = self._monotonic() + seconds
        pause = FIRST_PAUSE_SECONDS
        while True:
            self.look()
            left = give_up_at - self._monotonic()
            if self.ledger.finished or left <= 0 or Controller(self.ledger.controller).is_gone:
                return self.ledger.finished
            # Most ends come soon; in S3, each look at what takes longer is paid for.
            self._sleep(min(pause, left))
            pause = min(1.5 * pause, LONGEST_PAUSE_SECONDS)
