"""How several objectives were traded against each other: the training jobs by their values, and the front."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.results.ranking import pareto_front
from amt_flows.show.pictures.colours import COLOURS, MARKERS
from amt_flows.show.pictures.grid import height_of, places
from amt_flows.show.pictures.jobs import job_of, state_of
from amt_flows.show.pictures.plot import RIGHT, WIDE, WIDTH, Plot, Scale, label, padded, picture
from amt_flows.spec import Objective, ObjectiveType

ROW: Final = 300.0
DEEP: Final = ROW - 68
FAINTLY: Final = 0.35
MOST_MARKS: Final = 500
"""Of those beside the front, the better ones; a mark that tells its training job takes half a kilobyte."""


def front_picture(ledger: Ledger) -> str | None:
    """The main objective against each further one, the training jobs of the front large; with two objectives
    a line along it. None without further objectives, or while no training job has values of two."""
    others = ledger.spec.other_objectives
    shown = [(one, _valued(ledger, one)) for one in others]
    if not any(jobs for _, jobs in shown):
        return None
    front = pareto_front(ledger)
    low, high = padded([float(job.final_value or 0.0) for _, jobs in shown for job in jobs])
    parts: list[str] = []
    for place, (other, jobs) in zip(places(len(others), ROW), shown, strict=True):
        values = [job.metrics[other.metric_name] for job in jobs]
        up = Scale(low, high, place.top + DEEP, place.top)
        plot = Plot(_across(values, place.left, place.right), up)
        title, y_ticks = place.y_words(_label(ledger.spec.objective))
        plot.axes(_label(other), title, y_ticks=y_ticks)
        if len(others) == 1:
            _line(ledger, plot, front)
        _marks(ledger, other, plot, jobs=jobs, front=front)
        parts += plot.parts
    height = height_of(len(others), ROW)
    most = max(len(jobs) for _, jobs in shown)
    if most > MOST_MARKS + len(front):
        text = f"the front, and the best {MOST_MARKS} of {most}"
        parts.append(label(WIDTH - RIGHT, height - 6, text, anchor="end", longest=60))
    return picture(parts, height)


def _across(values: list[float], left: float, right: float) -> Scale:
    if values and min(values) > 0 and max(values) >= WIDE * min(values):
        low, high = padded([math.log10(min(values)), math.log10(max(values))])
        return Scale(10.0 ** max(low, -307.0), 10.0 ** min(high, 308.0), left, right, logarithmic=True)
    return Scale(*padded(values), left, right)


def _marks(
    ledger: Ledger, other: Objective, plot: Plot, *, jobs: list[TrainingJob], front: list[TrainingJob]
) -> None:
    names = {job.name for job in front}
    beside = (job for job in jobs if job.name not in names and job is not ledger.best)
    better = sorted(beside, key=lambda one: ledger.loss(one.final_value or 0.0))[:MOST_MARKS]
    ahead = [job for job in jobs if job.name in names and job is not ledger.best]
    # Those that matter last, above the others.
    for job in (*better, *ahead, *(job for job in jobs if job is ledger.best)):
        state, matters = state_of(ledger, job), job is ledger.best or job.name in names
        plot.mark(
            job.metrics[other.metric_name],
            float(job.final_value or 0.0),
            MARKERS[state],
            COLOURS[state],
            size=4.4 if matters else 2.6,
            opacity=1.0 if matters else FAINTLY,
            job=job_of(ledger, job),
        )


def _line(ledger: Ledger, plot: Plot, front: list[TrainingJob]) -> None:
    """Steps: of two neighbours each has one better value, and both better ones together nobody has shown."""
    metric = ledger.spec.other_metrics[0]
    # From the best of the main objective on it gets worse, and the other one better: as in a row of steps,
    # each value of the main objective is reached at once, and holds until the next.
    points = [(job.metrics[metric], float(job.final_value or 0.0)) for job in front]
    corners = [corner for one, following in pairwise(points) for corner in (one, (one[0], following[1]))]
    plot.line([*corners, *points[-1:]], COLOURS["best"])


def _valued(ledger: Ledger, other: Objective) -> list[TrainingJob]:
    """The jobs with finite values of the main objective and of ``other``."""
    place = ledger.spec.other_metrics.index(other.metric_name)
    return [
        job for job in ledger.ended if job.has_usable_value and ledger.other_losses(job)[place] is not None
    ]


def _label(objective: Objective) -> str:
    better = "larger" if objective.type is ObjectiveType.MAXIMIZE else "smaller"
    return f"{objective.metric_name} ({better} is better)"
