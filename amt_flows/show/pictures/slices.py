"""The objective over each hyperparameter: where the good values are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.show.pictures.colours import COLOURS, MARKERS
from amt_flows.show.pictures.jobs import job_of, state_of
from amt_flows.show.pictures.plot import LEFT, LETTER, WIDTH, Plot, Scale, label, padded, picture
from amt_flows.show.text import number, shortened
from amt_flows.space.space import Categorical, Parameter, Scaling, Space

IN_A_ROW = 3
MOST = 12
ROW = 190.0
GAP = 34.0
MOST_MARKS = 500
MOST_LETTERS = 12
"""Of a category's name. Where not all have room, some are named."""


def slices_picture(ledger: Ledger) -> str | None:
    """None when no training job has a value."""
    ledger = ledger.of_one_algorithm()
    jobs, space = valued(ledger), ledger.spec.space()
    parameters = space.parameters[:MOST]
    if not jobs or not parameters:
        return None
    columns = min(len(parameters), IN_A_ROW)
    shown = _shown(ledger, jobs)
    width = (WIDTH - LEFT - GAP * (columns - 1) - 14) / columns
    low, high = padded([float(job.final_value or 0.0) for job in jobs])
    parts: list[str] = []
    for place, parameter in enumerate(parameters):
        row, column = divmod(place, columns)
        left, top = LEFT + column * (width + GAP), row * ROW + 24
        plot = Plot(_across(parameter, left, left + width), Scale(low, high, top + ROW - 72, top))
        # Those that have it: of the others it isn't known what it would have done.
        having = [job for job in shown if parameter.name in ledger.trials[job.trial].configuration]
        first = ledger.spec.objective.metric_name if column == 0 else ""
        name, condition = _axis_name(space, parameter)
        plot.axes(
            name,
            first,
            x_ticks=_ticks(parameter, plot.x),
            y_ticks=None if column == 0 else {},
            x_note=condition,
        )
        _marks(plot, ledger, parameter, having)
        if not having:
            plot.note("used by no job yet")
        parts += plot.parts
    height = ROW * math.ceil(len(parameters) / columns)
    if len(shown) < len(jobs):
        text = f"the best {MOST_MARKS} of {len(jobs)}"
        parts.append(label(WIDTH - 14, height - 6, text, anchor="end", longest=60))
    return picture(parts, height)


def _shown(ledger: Ledger, jobs: Sequence[TrainingJob]) -> Sequence[TrainingJob]:
    """The better ones, of very many: where the good values are is the question."""
    if len(jobs) <= MOST_MARKS:
        return jobs
    return sorted(jobs, key=lambda job: ledger.loss(job.final_value or 0.0))[:MOST_MARKS]


def _marks(plot: Plot, ledger: Ledger, parameter: Parameter, jobs: Sequence[TrainingJob]) -> None:
    # The best one last, above the others.
    for job in sorted(jobs, key=lambda one: one is ledger.best):
        value, state = ledger.trials[job.trial].configuration[parameter.name], state_of(ledger, job)
        across = (
            float(parameter.choices.index(str(value))) if isinstance(parameter, Categorical) else float(value)
        )
        size = 4.2 if state == "best" else 3.0
        plot.mark(
            across,
            float(job.final_value or 0.0),
            MARKERS[state],
            COLOURS[state],
            size=size,
            job=job_of(ledger, job),
        )


def _across(parameter: Parameter, left: float, right: float) -> Scale:
    if isinstance(parameter, Categorical):
        return Scale(-0.5, len(parameter.choices) - 0.5, left, right)
    low, high = float(parameter.low), float(parameter.high)
    if parameter.scaling is Scaling.LOGARITHMIC and low > 0:
        return Scale(low, high, left, right, logarithmic=True)
    return Scale(low, high, left, right)


def _ticks(parameter: Parameter, scale: Scale) -> dict[float, str]:
    if isinstance(parameter, Categorical):
        room = (scale.end - scale.start) / LETTER
        choices = shortened(parameter.choices, MOST_LETTERS)
        longest = max(map(len, choices))
        shown = max(1, min(len(parameter.choices), int(room / (longest + 1))))
        each = list(enumerate(choices))[:: math.ceil(len(choices) / shown)]
        return {float(i): one for i, one in each}
    middle = float(parameter.decode(0.5))
    return {value: number(value, 3) for value in (scale.low, middle, scale.high)}


def _axis_name(space: Space, parameter: Parameter) -> tuple[str, str]:
    """What stands at the axis: the name, and below that when the hyperparameter is used."""
    condition = space.condition_of(parameter.name)
    return parameter.name, "" if condition is None else f"when {condition}"


def valued(ledger: Ledger) -> list[TrainingJob]:
    """Those with a value and a configuration of this space: a mirrored tuning job may have others."""
    space = ledger.spec.space()
    return [
        job
        for job in ledger.ended
        if job.has_usable_value and space.contains(ledger.trials[job.trial].configuration)
    ]
