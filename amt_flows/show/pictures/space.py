"""Where in the space the training jobs were, and how well they did there: all hyperparameters at once, in
parallel coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from amt_flows.ledger.ledger import Ledger
from amt_flows.show.pictures.colours import INK, shade
from amt_flows.show.pictures.jobs import job_of
from amt_flows.show.pictures.plot import LETTER, WIDTH, Plot, Scale, label, picture, told_apart
from amt_flows.show.pictures.slices import valued
from amt_flows.show.text import number, shortened
from amt_flows.space.space import Categorical, Parameter, Space

MOST_LINES: Final = 300
MOST_LETTERS: Final = 14
"""Of a category beside its axis."""
UNUSED: Final = -0.15
"""Where the lines of training jobs run that lack a hyperparameter: below its axis, which goes from 0 to 1."""
FIRST, LAST, TOP, BOTTOM = 62.0, WIDTH - 96.0, 36.0, 250.0
LINE: Final = 15.0
"""From one line of words to the next."""


def parallel_picture(ledger: Ledger) -> str | None:
    """A line for each training job through all its hyperparameters, coloured by its objective. None with
    fewer than two hyperparameters or training jobs."""
    ledger = ledger.of_one_algorithm()
    jobs, space = valued(ledger)[-MOST_LINES:], ledger.spec.space()
    if len(jobs) < 2 or len(space.parameters) < 2:
        return None
    low = UNUSED if space.conditions else 0.0
    plot = Plot(Scale(0.0, len(space.parameters) - 1.0, FIRST, LAST), Scale(low, 1.0, BOTTOM, TOP))
    losses = {job.name: ledger.loss(job.final_value or 0.0) for job in jobs}
    best, worst = min(losses.values()), max(losses.values())
    # The better lines are drawn last, above the others.
    for job in sorted(jobs, key=lambda one: losses[one.name], reverse=True):
        plot.line(
            _line(space, ledger.trials[job.trial].configuration),
            shade(_share(losses[job.name], worst, best)),
            width=2.4 if job is ledger.best else 1.0,
            opacity=0.85,
            job=job_of(ledger, job),
        )
    rows = _axes(plot, space)
    values = sorted((float(job.final_value or 0.0) for job in jobs), key=ledger.loss, reverse=True)
    parts = [*_scale(ledger.spec.objective.metric_name, values[0], values[-1]), *plot.parts]
    return picture(parts, BOTTOM + 16 + LINE * rows)


def _share(loss: float, worst: float, best: float) -> float:
    """From 0, the worst, to 1. In halves: the difference of two floats may be too large for one."""
    return 1.0 if worst <= best else (worst / 2 - loss / 2) / (worst / 2 - best / 2)


def _axes(plot: Plot, space: Space) -> int:
    """Each parameter's, with what is at it; how many lines of words are below them."""
    room = int((LAST - FIRST) / (len(space.parameters) - 1) / LETTER) - 1
    # Where not all names fit beside each other, each second one stands lower.
    in_turns = max(map(len, space.names)) > room
    room = 2 * room if in_turns else room
    names = shortened(space.names, max(room, 3))
    rows = 0
    for place, (parameter, name) in enumerate(zip(space.parameters, names, strict=True)):
        x, row = plot.x(place), 2 * (place % 2) if in_turns else 0
        path = f"M{x:.1f} {plot.y(0.0):.1f}V{plot.y(1.0):.1f}"
        plot.parts.append(f'<path class="axis" d="{path}" stroke="{INK}"/>')
        for height, text in _ticks(parameter):
            plot.parts.append(label(x + 4, plot.y(height) + 4, text))
        below = [name]
        if (condition := space.condition_of(parameter.name)) is not None:
            plot.parts.append(label(x + 4, plot.y(UNUSED) + 4, "not used"))
            below.append(f"when {condition}")
        for text in below:
            plot.parts.append(label(x, BOTTOM + 22 + LINE * row, text, anchor="middle", longest=max(room, 3)))
            row += 1
        rows = max(rows, row)
    return rows


def _scale(metric: str, worst: float, best: float) -> Iterator[str]:
    """What the colours mean."""
    texts = told_apart([worst, best])
    yield label(FIRST, 14.0, f"{metric} {texts[0]}", longest=60)
    left, steps, each = FIRST + 8 + LETTER * min(60, len(f"{metric} {texts[0]}")), 12, 7.0
    for step in range(steps):
        colour = shade(step / (steps - 1))
        at = f'x="{left + each * step:.1f}" y="5" width="{each + 0.4:.1f}" height="9"'
        yield f'<rect {at} fill="{colour}"/>'
    yield label(left + each * steps + 6, 14.0, texts[1])


def _line(space: Space, configuration: Mapping[str, Any]) -> Sequence[tuple[float, float]]:
    """Through the axes, from left to right."""
    return [
        (
            float(place),
            _height(parameter, configuration[parameter.name]) if parameter.name in configuration else UNUSED,
        )
        for place, parameter in enumerate(space.parameters)
    ]


def _height(parameter: Parameter, value: Any) -> float:
    """The value's place on its axis, from 0 to 1, in the range's own scaling."""
    if isinstance(parameter, Categorical):
        return (parameter.choices.index(value) + 0.5) / len(parameter.choices)
    return parameter.encode(value)


def _ticks(parameter: Parameter) -> list[tuple[float, str]]:
    if isinstance(parameter, Categorical):
        choices = zip(parameter.choices, shortened(parameter.choices, MOST_LETTERS), strict=True)
        return [(_height(parameter, choice), text) for choice, text in choices]
    ends = (parameter.low, parameter.high)
    return [(_height(parameter, end), number(float(end))) for end in ends]
