"""The picture of a running tuning job: how far it is, what runs, and the best so far."""

from __future__ import annotations

import math
import time
from collections import Counter

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import RunningTuningJob
from amt_flows.names import count
from amt_flows.results import training_seconds
from amt_flows.show.text import NOTHING, duration, hyperparameters, number

RUNNING_SHOWN = 8


def panel(ledger: Ledger, now: float) -> Table:
    """A grid of one column; it draws itself in a terminal as well as in a notebook."""
    grid = Table.grid(padding=(0, 0))
    grid.add_row(_head(ledger, now))
    bar = _bar(ledger, now)
    if bar is not None:
        grid.add_row(bar)
    grid.add_row(_best(ledger))
    if ledger.live:
        grid.add_row(_running(ledger, now))
    for reason in ledger.reasons:
        grid.add_row(Text(f"{'ended' if ledger.finished else 'ending'}: {reason.message}", style="yellow"))
    return grid


def _head(ledger: Ledger, now: float) -> Text:
    return Text(ledger.name, style="bold").append(f"  {how_far(ledger, now)}", style="not bold")


def how_far(ledger: Ledger, now: float) -> str:
    """``3 of 20 jobs ended, 2 running, 1 failed  1 min 5 s of 1 h``."""
    limits = ledger.spec.limits
    end = now if ledger.finished_at is None else ledger.finished_at
    ended, most = len(ledger.ended), limits.max_number_of_training_jobs
    of = f"{ended} of {count(most, 'job')}" if most is not None else count(ended, "job")
    rest = f"{of} ended, {len(ledger.live)} running{_others(ledger)}  {duration(end - ledger.opened_at)}"
    if limits.max_runtime_seconds is not None:
        rest += f" of {duration(limits.max_runtime_seconds)}"
    return rest


def _others(ledger: Ledger) -> str:
    counts = Counter(job.standing for job in ledger.ended)
    return "".join(f", {counts[name]} {name}" for name in ("stopped early", "failed") if counts[name])


def done_share(ledger: Ledger, now: float) -> float | None:
    """How far the tuning job is towards the nearest limit that can be foreseen; None when there is none."""
    limits = ledger.spec.limits
    shares = []
    if limits.max_number_of_training_jobs is not None:
        shares.append(len(ledger.ended) / limits.max_number_of_training_jobs)
    if limits.max_runtime_seconds is not None:
        shares.append((now - ledger.opened_at) / limits.max_runtime_seconds)
    size = ledger.spec.space().size
    one_space = not ledger.spec.other_definitions and not ledger.spec.auto_parameters
    if size is not None and one_space:
        shares.append(len(ledger.ended) / size)
    if ledger.finished:
        return 1.0
    return min(max(shares), 1.0) if shares else None


def _bar(ledger: Ledger, now: float) -> ProgressBar | None:
    share = done_share(ledger, now)
    return None if share is None else ProgressBar(total=1.0, completed=share, width=60)


def _best(ledger: Ledger) -> Text:
    best = ledger.best
    metric = ledger.leading_algorithm.metric_name
    if best is None:
        return Text(f"best {metric} {NOTHING}", style="dim")
    text = Text.assemble("best ", f"{metric} ", (number(best.final_value), "bold green"))
    return text.append(f"  {best.name}  {hyperparameters(ledger.trials[best.trial].configuration)}")


def _running(ledger: Ledger, now: float) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    live = ledger.live
    for job in live[-RUNNING_SHOWN:]:
        state = "stopping" if job.stop_asked_at is not None else "running"
        epoch = f"epoch {job.curve.last_epoch}" if len(job.curve) else "no value yet"
        table.add_row(
            Text(f"  {job.name}"),
            Text(state, style="yellow" if state == "stopping" else "cyan"),
            Text(epoch),
            Text(number(job.curve.last_value)),
            Text(duration(training_seconds(job, now)), style="dim"),
        )
    if len(live) > RUNNING_SHOWN:
        table.add_row(Text(f"  and {len(live) - RUNNING_SHOWN} more", style="dim"))
    return table


class FrameRate:
    """Once in so many seconds, and always at the end."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._drawn_at = -math.inf

    def is_due(self, tuning: RunningTuningJob) -> bool:
        """Whether to draw; the caller then does."""
        now = time.monotonic()
        due = now - self._drawn_at >= self._seconds or tuning.ledger.finished
        if due:
            self._drawn_at = now
        return due
