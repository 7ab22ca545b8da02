"""The learning curves, with those cut short marked where they were stopped."""

from __future__ import annotations

import math

from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.show.pictures.colours import COLOURS, MARKERS
from amt_flows.show.pictures.jobs import job_of, state_of
from amt_flows.show.pictures.plot import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Plot,
    Scale,
    label,
    legend,
    padded,
    picture,
)

HEIGHT = 320.0
MOST_CURVES = 200
MOST_POINTS = 120


def curves_picture(ledger: Ledger) -> str | None:
    """None when no training job has told a value."""
    jobs = [job for job in ledger.jobs.values() if _points(job)]
    if not jobs:
        return None
    shown = _shown(ledger, jobs)
    curves = {job.name: _points(job) for job in shown}
    longest = max(points[-1][0] for points in curves.values())
    low, high = padded([value for points in curves.values() for _, value in points])
    plot = Plot(
        Scale(min(1.0, longest - 0.5), max(longest, 1.5), LEFT, WIDTH - RIGHT),
        Scale(low, high, HEIGHT - BOTTOM, TOP + 14),
    )
    every = max(1, round(longest / 8))
    ticks = {float(n): str(n) for n in range(every if every > 1 else 1, int(longest) + 1, every)}
    plot.axes("epoch", ledger.leading_algorithm.metric_name, x_ticks=ticks)
    # The best one last, above the others.
    for job in sorted(shown, key=lambda one: one is ledger.best):
        _draw(plot, ledger, job, curves[job.name])
    states = dict.fromkeys(state_of(ledger, job) for job in shown)
    entries = [
        (MARKERS[state] if state == "stopped early" else "-", COLOURS[state], state)
        for state in COLOURS
        if state in states
    ]
    parts = [legend(entries), *plot.parts]
    if len(jobs) > MOST_CURVES:
        text = f"the best and the latest {MOST_CURVES} of {len(jobs)}"
        parts.append(label(WIDTH - RIGHT, HEIGHT - 9, text, anchor="end", longest=60))
    return picture(parts, HEIGHT)


def _draw(plot: Plot, ledger: Ledger, job: TrainingJob, points: list[tuple[float, float]]) -> None:
    state, said = state_of(ledger, job), job_of(ledger, job)
    colour, best = COLOURS[state], state == "best"
    if len(points) == 1:  # one value draws no line
        plot.mark(*points[0], "o", colour, size=2.2, job=said)
        return
    plot.line(points, colour, width=2.4 if best else 1.2, opacity=1.0 if best else 0.6, job=said)
    if state == "stopped early":
        plot.mark(*points[-1], MARKERS[state], colour, size=3, job=said)


def _points(job: TrainingJob) -> list[tuple[float, float]]:
    """The finite values; of very many some at even distances, and the last."""
    points = [(float(epoch), value) for epoch, value in job.curve if math.isfinite(value)]
    if len(points) <= MOST_POINTS:
        return points
    every = math.ceil(len(points) / MOST_POINTS)
    return [*points[:-1:every], points[-1]]


def _shown(ledger: Ledger, jobs: list[TrainingJob]) -> list[TrainingJob]:
    best = ledger.best
    latest = jobs[-MOST_CURVES:]
    return latest if best is None or best in latest else [best, *latest]
