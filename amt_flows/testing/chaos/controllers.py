"""Controllers that run at once, and yet in an order that a seed decides: threads of which one moves."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Member:
    """One thread of work. It moves between :meth:`go`, which the conductor calls, and :meth:`rest`, which
    the work itself calls; meanwhile everybody else stands still."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._to_member = threading.Semaphore(0)
        self._to_conductor = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self.done = False
        self.wake_at = float("-inf")
        """When it goes on, in the world's time; infinite: when nobody else is left."""

    def go(self) -> None:
        """Let it move until it rests or ends. Raises what the work raised."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._to_member.release()
        self._to_conductor.acquire()
        if self.done:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def rest(self, until: float) -> None:
        """Called by the work: let others move, until the world's time ``until``."""
        self.wake_at = until
        self._to_conductor.release()
        self._to_member.acquire()

    def _run(self) -> None:
        self._to_member.acquire()
        try:
            self._work()
        except BaseException as error:
            self._error = error
        finally:
            self.done = True
            self._to_conductor.release()
