"""What the jobs of one world share: its time, its lock, what will happen, and how the service behaves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from amt_flows.backends.simulated import VirtualClock
from amt_flows.ports import Clock
from amt_flows.testing.sagemaker.agenda import Action, Agenda
from amt_flows.testing.sagemaker.lags import Lags


@dataclass
class SharedState:
    """Everything here, and every job, is touched with ``lock`` held; it can be taken again by its holder."""

    clock: Clock = field(default_factory=VirtualClock)
    lags: Lags = field(default_factory=Lags)
    stop_grace_seconds: float = 120.0
    create_buckets: bool = True
    directory: Callable[[], Path] = Path.cwd
    """Where the containers of really running jobs are made."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The variables by which really running jobs find the simulated AWS, while it is served."""
    agenda: Agenda = field(default_factory=Agenda)
    lock: threading.RLock = field(default_factory=threading.RLock)
    watchers: list[Callable[[], None]] = field(default_factory=list)
    """Called whenever something has happened, at the time at which it did (:meth:`now`)."""

    def now(self) -> float:
        """The time of what is happening, which somebody who looks late makes happen late; else the clock's.
        For those who hold the lock."""
        moment = self.agenda.moment
        return self.clock.now() if moment is None else moment

    def at(self, time: float, action: Action, *, late: bool = False) -> None:
        """Let something happen at a time (seconds since the epoch), or now if that has passed."""
        self.agenda.add(time, action, late=late)

    def settle(self) -> None:
        """Let everything happen that is due."""
        with self.lock:
            self.agenda.settle(self.clock.now(), self._watch)

    def _watch(self) -> None:
        for watcher in list(self.watchers):
            watcher()
