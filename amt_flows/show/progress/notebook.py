"""Progress in a notebook: one cell that is updated where it stands, without widgets.

IPython is no dependency: a kernel has loaded it already, and elsewhere nothing here asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Final

from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import News, RunningTuningJob
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.results import training_seconds
from amt_flows.show import html
from amt_flows.show.progress.panel import RUNNING_SHOWN, FrameRate, done_share, how_far
from amt_flows.show.text import NOTHING, duration, hyperparameters, number

NOTEBOOK_SECONDS: Final = 1.0
LEFT: Final = "not followed any more: run the cell again to go on from here"


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel, Jupyter's or one of those made after it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)


class Cell:
    """The output of the cell that runs."""

    def __init__(self) -> None:
        from IPython.display import display  # type: ignore[import-not-found,unused-ignore]

        self._show_new: Any = display
        self._handle: Any = None
        self._frames = FrameRate(NOTEBOOK_SECONDS)
        self._tuning: RunningTuningJob | None = None

    def show(self, tuning: RunningTuningJob, news: News) -> None:
        self._tuning = tuning
        if self._frames.is_due(tuning):
            self._draw(picture(tuning.ledger, tuning.now(), tuning.held_up_by))

    def close(self) -> None:
        """What ended in between is not left standing as running."""
        tuning = self._tuning
        if tuning is not None and not tuning.ledger.finished:
            self._draw(picture(tuning.ledger, tuning.now(), LEFT))

    def _draw(self, drawn: dict[str, str]) -> None:
        # Raw: IPython, which would ask an object for its forms, swallows what is raised meanwhile, and that
        # may be a second interrupt.
        if self._handle is None:
            self._handle = self._show_new(drawn, raw=True, display_id=True)
        else:
            self._handle.update(drawn, raw=True)


def picture(ledger: Ledger, now: float, note: str | None = None) -> dict[str, str]:
    """How far a tuning job is, what runs, and the best so far, by media type; ``note`` is said below."""
    words = f"{ledger.name}  {how_far(ledger, now)}  {_best_words(ledger)}"
    return {"text/html": html.block(_parts(ledger, now, note)), "text/plain": words}


def _parts(ledger: Ledger, now: float, note: str | None) -> Iterator[str]:
    name = html.styled(html.text(ledger.name), "font-weight:600;font-size:115%")
    yield f"<div>{name}&ensp;{html.text(how_far(ledger, now))}</div>"
    share = done_share(ledger, now)
    if share is not None:
        yield html.bar(share, html.GREEN)
    yield f"<div>{_best(ledger)}</div>"
    live = ledger.live
    if live:
        yield _running(live, now, ledger.leading_algorithm.metric_name)
    if len(live) > RUNNING_SHOWN:
        yield html.styled(f"and {len(live) - RUNNING_SHOWN} more", html.FAINT, "div")
    for reason in ledger.reasons:
        words = f"{'ended' if ledger.finished else 'ending'}: {reason.message}"
        yield html.styled(html.text(words, 300), f"color:{html.AMBER}", "div")
    if note is not None:
        yield html.styled(html.text(note, 300), f"color:{html.AMBER}", "div")


def _best_words(ledger: Ledger) -> str:
    best = ledger.best
    return (
        f"best {ledger.leading_algorithm.metric_name} {NOTHING if best is None else number(best.final_value)}"
    )


def _best(ledger: Ledger) -> str:
    best, metric = ledger.best, html.text(ledger.leading_algorithm.metric_name)
    if best is None:
        return html.styled(f"best {metric} {NOTHING}", html.FAINT)
    value = html.styled(number(best.final_value), f"font-weight:600;color:{html.GREEN}")
    settings = hyperparameters(ledger.trials[best.trial].configuration)
    return f"best {metric} {value}&ensp;{html.code(best.name)}&ensp;{html.text(settings, 300)}"


def _running(live: list[TrainingJob], now: float, metric: str) -> str:
    rows = [
        [
            html.code(job.name),
            "stopping" if job.stop_asked_at is not None else "running",
            str(job.curve.last_epoch) if len(job.curve) else NOTHING,
            number(job.curve.last_value),
            duration(training_seconds(job, now)),
        ]
        for job in live[-RUNNING_SHOWN:]
    ]
    columns = ["training job", "", "epoch", metric, "time"]
    return html.table(columns, rows, numbers=(2, 3, 4))
