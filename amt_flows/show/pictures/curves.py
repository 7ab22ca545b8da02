"""The learning curves, with those cut short marked where they were stopped."""

from __future__ import annotations

import math

from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.show.pictures.drawing import COLOURS, MARKERS, new_figure, svg

MOST_CURVES = 200


def curves_picture(ledger: Ledger) -> str | None:
    """None when no training job has told a value."""
    jobs = [job for job in ledger.jobs.values() if _points(job)]
    if not jobs:
        return None
    figure, (axes,) = new_figure(3.6)
    best, labelled = ledger.best, set[str]()
    for job in _shown(ledger, jobs):
        x, y = zip(*_points(job), strict=True)
        state = "best" if job is best else job.standing
        label = None if state in labelled else state
        labelled.add(state)
        axes.plot(
            x,
            y,
            color=COLOURS[state],
            linewidth=2.2 if job is best else 0.9,
            alpha=1.0 if job is best else 0.55,
            zorder=4 if job is best else 2,
            label=label,
            # One value draws no line.
            marker="." if len(x) == 1 else None,
        )
        if state == "stopped early":
            axes.scatter(x[-1], y[-1], color=COLOURS[state], marker=MARKERS[state], s=26, zorder=3)
    axes.set_xlabel("epoch", fontsize=9)
    axes.locator_params(axis="x", integer=True)
    axes.set_ylabel(ledger.leading_algorithm.metric_name, fontsize=9)
    if len(jobs) > MOST_CURVES:
        axes.set_title(f"the best and the latest {MOST_CURVES} of {len(jobs)}", fontsize=8, loc="left")
    axes.legend(fontsize=8, frameon=False)
    return svg(figure)


def _points(job: TrainingJob) -> list[tuple[int, float]]:
    return [(epoch, value) for epoch, value in job.curve if math.isfinite(value)]


def _shown(ledger: Ledger, jobs: list[TrainingJob]) -> list[TrainingJob]:
    best = ledger.best
    latest = jobs[-MOST_CURVES:]
    return latest if best is None or best in latest else [best, *latest]
