"""How a tuning job gets on, shown while it runs: a display that renews itself, or a line per event.

:func:`progress_bar` gives a callable for ``drive(..., on_tick=...)``. Showing is never worth an error: when a
display breaks (a closed terminal, a full pipe) it falls silent and the tuning job goes on.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from amt_flows.engine import News
from amt_flows.followed import Followed
from amt_flows.progress.lines import Lines
from amt_flows.progress.panel import panel

logger = logging.getLogger("amt_flows")

Tick = Callable[[Followed, News], None]

TERMINAL_SECONDS = 0.2
NOTEBOOK_SECONDS = 1.0


class Display(Protocol):
    def show(self, tuning: Followed, news: News) -> None: ...

    def close(self) -> None: ...


@contextmanager
def progress_bar(progress: bool | None = None) -> Iterator[Tick]:
    """Show a tuning job's progress on standard error, or in the notebook's cell.

    ``None``: a live display in a terminal or a notebook, and nothing elsewhere. ``True``: one line per event
    where there is neither (a CI log). ``False``: nothing.
    """
    silent = _Silencing(_display(progress))
    try:
        yield silent.show
    finally:
        silent.close()


def _display(progress: bool | None) -> Display | None:
    if progress is False:
        return None
    if in_notebook():
        return _Notebook()
    if sys.stderr is not None and sys.stderr.isatty():
        return _Terminal()
    return Lines() if progress else None


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel. Without importing anything: a kernel has imported it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


class _Silencing:
    """Keeps a display's faults from the tuning job."""

    def __init__(self, display: Display | None) -> None:
        self._display = display

    def show(self, tuning: Followed, news: News) -> None:
        if self._display is not None:
            try:
                self._display.show(tuning, news)
            except Exception as error:
                self._give_up(error)

    def close(self) -> None:
        if self._display is not None:
            try:
                self._display.close()
            except Exception as error:
                self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._display = None
        logger.debug("the progress display was switched off: %r", error)


class _Paced:
    """Draws when something happened or a while has passed, and always at the end."""

    seconds: float

    def __init__(self) -> None:
        self._drawn_at = -float("inf")

    def show(self, tuning: Followed, news: News) -> None:
        now = time.monotonic()
        if now - self._drawn_at >= self.seconds or tuning.ledger.finished:
            self._drawn_at = now
            self._draw(tuning)

    def _draw(self, tuning: Followed) -> None:
        raise NotImplementedError


class _Terminal(_Paced):
    seconds = TERMINAL_SECONDS

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.live import Live

        # Drawn from the tuning job's own thread alone: the ledger is not made for two. What a callback
        # prints goes above the display, unless standard output leads elsewhere: then it stays out of it.
        together = sys.stdout is not None and sys.stdout.isatty()
        self._live = Live(console=Console(stderr=True), auto_refresh=False, redirect_stdout=together)

    def _draw(self, tuning: Followed) -> None:
        if not self._live.is_started:
            self._live.start()
        self._live.update(panel(tuning.ledger, tuning.now()), refresh=True)

    def close(self) -> None:
        self._live.stop()


class _Notebook(_Paced):
    # rich's own Live needs ipywidgets in a notebook; a display that is updated needs nothing more.
    seconds = NOTEBOOK_SECONDS

    def __init__(self) -> None:
        super().__init__()
        from IPython.display import display  # type: ignore[import-not-found,unused-ignore]

        self._show_new = display
        self._handle: object | None = None

    def _draw(self, tuning: Followed) -> None:
        shown = panel(tuning.ledger, tuning.now())
        if self._handle is None:
            self._handle = self._show_new(shown, display_id=True)
        else:
            self._handle.update(shown)  # type: ignore[attr-defined]

    def close(self) -> None:
        return None
