"""How several objectives were traded against each other: the training jobs by their values, and the front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.results.ranking import pareto_front
from amt_flows.show.pictures.drawing import COLOURS, MARKERS, new_figure, svg
from amt_flows.spec import Objective, ObjectiveType

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE = 100.0
"""Values that span so many times the smallest are drawn on a logarithmic axis."""


def front_picture(ledger: Ledger) -> str | None:
    """The main objective against each further one, the training jobs of the front large; with two objectives
    a line along it. None without further objectives, or while no training job has values of two."""
    others = ledger.spec.other_objectives
    shown = {one.metric_name: _valued(ledger, one) for one in others}
    if not any(shown.values()):
        return None
    front = pareto_front(ledger)
    figure, axes = new_figure(3.6, 1, len(others), sharey=True)
    for other, one in zip(others, axes, strict=True):
        _scatter(ledger, other, one, jobs=shown[other.metric_name], front=front)
        one.set_xlabel(_label(other), fontsize=9, parse_math=False)
    axes[0].set_ylabel(_label(ledger.spec.objective), fontsize=9, parse_math=False)
    if len(others) == 1:
        _line(ledger, axes[0], front)
    return svg(figure)


def _scatter(
    ledger: Ledger, other: Objective, axes: Axes, *, jobs: list[TrainingJob], front: list[TrainingJob]
) -> None:
    best, names = ledger.best, {job.name for job in front}
    by_look: dict[tuple[str, bool], list[TrainingJob]] = {}
    for job in jobs:
        by_look.setdefault(("best" if job is best else job.standing, job.name in names), []).append(job)
    values = [job.metrics[other.metric_name] for job in jobs]
    if jobs and min(values) > 0 and max(values) >= WIDE * min(values):
        axes.set_xscale("log")
    for (state, on_front), its in by_look.items():
        axes.scatter(
            [job.metrics[other.metric_name] for job in its],
            [float(job.final_value or 0.0) for job in its],
            s=90 if state == "best" else 36 if on_front else 14,
            color=COLOURS[state],
            alpha=1.0 if on_front or state == "best" else 0.35,
            marker=MARKERS[state],
            zorder=3 if state == "best" else 2,
        )


def _line(ledger: Ledger, axes: Axes, front: list[TrainingJob]) -> None:
    """Steps: of two neighbours each has one better value, and both better ones together nobody has shown."""
    metric = ledger.spec.other_metrics[0]
    # From the best of the main objective on it gets worse, and the other one better.
    points = [(job.metrics[metric], float(job.final_value or 0.0)) for job in front]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    axes.step(xs, ys, where="pre", color=COLOURS["best"], linewidth=1.2, zorder=1)


def _valued(ledger: Ledger, other: Objective) -> list[TrainingJob]:
    """The jobs with finite values of the main objective and of ``other``."""
    place = ledger.spec.other_metrics.index(other.metric_name)
    return [
        job for job in ledger.ended if job.has_usable_value and ledger.other_losses(job)[place] is not None
    ]


def _label(objective: Objective) -> str:
    better = "larger" if objective.type is ObjectiveType.MAXIMIZE else "smaller"
    return f"{objective.metric_name} ({better} is better)"
