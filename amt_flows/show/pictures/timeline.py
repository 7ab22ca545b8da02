"""When each training job ran, and what early stopping saved of it."""

from __future__ import annotations

from amt_flows.ledger.ledger import Ledger
from amt_flows.results.result import saved_seconds
from amt_flows.show.pictures.drawing import COLOURS, INK, new_figure, svg

MOST_JOBS = 200
MINUTE, HOUR = 60.0, 3600.0


def timeline_picture(ledger: Ledger) -> str | None:
    """None before the first training job has started. What a job that was stopped early would have gone on to
    train, by the estimate that ``TuningResult.saved`` sums up, is drawn pale."""
    jobs = [job for job in ledger.jobs.values() if job.started_at is not None][-MOST_JOBS:]
    if not jobs:
        return None
    unit, seconds = _unit(ledger.last_at - ledger.opened_at)
    figure, (axes,) = new_figure(min(1.2 + 0.16 * len(jobs), 6.0))
    labelled = set[str]()
    saved_by = saved_seconds(ledger)
    for row, job in enumerate(jobs):
        assert job.started_at is not None
        start, end = job.started_at, ledger.last_at if job.ended_at is None else job.ended_at
        state = "best" if job is ledger.best else job.standing
        label = None if state in labelled else state
        labelled.add(state)
        left, width = (start - ledger.opened_at) / seconds, max(end - start, 0.0) / seconds
        axes.barh(row, width, left=left, height=0.75, color=COLOURS[state], label=label)
        saved = saved_by.get(job.name, 0.0) / seconds
        if saved > 0:
            axes.barh(
                row, saved, left=left + width, height=0.75, color=COLOURS[state], alpha=0.18, hatch="///"
            )
    if ledger.concluding and ledger.finished_at is not None:
        axes.axvline(
            (ledger.finished_at - ledger.opened_at) / seconds, color=INK, linewidth=0.8, linestyle=":"
        )
    axes.invert_yaxis()
    axes.set_yticks([])
    axes.set_ylabel("training jobs", fontsize=9)
    axes.set_xlabel(f"{unit} since the tuning job began; hatched: saved by early stopping", fontsize=9)
    axes.legend(fontsize=8, frameon=False, ncols=len(labelled), loc="lower left", bbox_to_anchor=(0, 1.0))
    return svg(figure)


def _unit(seconds: float) -> tuple[str, float]:
    if seconds > 3 * HOUR:
        return "hours", HOUR
    return ("minutes", MINUTE) if seconds > 3 * MINUTE else ("seconds", 1.0)
