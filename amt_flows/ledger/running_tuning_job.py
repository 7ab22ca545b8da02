"""What whoever shows, stops or publishes a tuning job needs of it, wherever it is driven: by our engine
(:class:`amt_flows.tuning.engine.Tuning`) or by SageMaker's own tuner (:class:`amt_flows.amt.HandedOff`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import Journal


class RunningTuningJob(Protocol):
    """A tuning job that is being driven or followed in this process."""

    ledger: Ledger

    @property
    def held_up_by(self) -> str | None:
        """Why there is no news for the moment; None when nothing is wrong."""
        ...

    @property
    def journal(self) -> Journal: ...

    def now(self) -> float:
        """Seconds since the epoch, never before the last event."""
        ...

    def request_stop(self, reason: str) -> None:
        """Have it end as Stopped, soon. Safe in a signal handler."""
        ...


# How often somebody else's request to stop is looked for, in seconds.
HEARTBEAT_SECONDS = 1.0


@dataclass(frozen=True)
class News:
    """What an observation brought."""

    epochs: int = 0
    ended: tuple[str, ...] = ()


OnTick: TypeAlias = Callable[[RunningTuningJob, News], None]
"""Called once a round with what it brought; must not raise."""
