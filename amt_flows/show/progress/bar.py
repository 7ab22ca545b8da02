"""How a tuning job gets on, shown while it runs: a display that renews itself, or a line per event.

:func:`progress_bar` gives a callable for ``drive(..., on_tick=...)``. Showing is never worth an error: when a
display breaks (a closed terminal, a full pipe) it falls silent and the tuning job goes on.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.control import Control
from rich.segment import ControlType, Segment

from amt_flows.ledger.running_tuning_job import News, OnTick, RunningTuningJob
from amt_flows.show.progress.lines import Lines
from amt_flows.show.progress.notebook import Cell, in_notebook
from amt_flows.show.progress.panel import FrameRate, panel

logger = logging.getLogger("amt_flows")


TERMINAL_SECONDS = 0.2


class Display(Protocol):
    def show(self, tuning: RunningTuningJob, news: News) -> None: ...

    def close(self) -> None: ...


@contextmanager
def progress_bar(progress: bool | None = None) -> Iterator[OnTick]:
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
        return Cell()
    if sys.stderr is not None and sys.stderr.isatty():
        return _Terminal()
    return Lines() if progress else None


class _Silencing:
    """Keeps a display's faults from the tuning job."""

    def __init__(self, display: Display | None) -> None:
        self._display = display

    def show(self, tuning: RunningTuningJob, news: News) -> None:
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


class _Terminal:
    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        from amt_flows.show.terminal import Visible

        self._visible = Visible
        # Drawn from the tuning job's own thread alone: the ledger is not made for two. What a callback
        # prints goes above the display, unless standard output leads elsewhere: then it stays out of it.
        together = sys.stdout is not None and sys.stdout.isatty()
        self._live = Live(console=Console(stderr=True), auto_refresh=False, redirect_stdout=together)
        self._frames = FrameRate(TERMINAL_SECONDS)
        self._drawn: list[int] = []

    def show(self, tuning: RunningTuningJob, news: News) -> None:
        if self._frames.is_due(tuning):
            if not self._live.is_started:
                self._live.start()
            console = self._live.console
            frame = self._visible(panel(tuning.ledger, tuning.now()))
            for _ in range(rows_more(self._drawn, console.width)):
                console.control(Control((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)))
            self._drawn = [Segment.get_line_length(row) for row in console.render_lines(frame)]
            self._live.update(frame, refresh=True)

    def close(self) -> None:
        self._live.stop()


def rows_more(drawn: Sequence[int], width: int) -> int:
    """How many rows more a frame takes since the terminal has become ``width`` cells wide: a terminal breaks
    what is too long for it, and who draws over the frame must begin that much further up.

    ``drawn``: the length of each of the frame's rows, in cells.
    """
    return sum(max(0, math.ceil(row / max(width, 1)) - 1) for row in drawn)
