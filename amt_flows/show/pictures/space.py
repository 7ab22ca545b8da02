"""Where in the space the training jobs were, and how well they did there: all hyperparameters at once, in
parallel coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amt_flows.ledger.ledger import Ledger
from amt_flows.show.pictures.drawing import FAINT, new_figure, svg
from amt_flows.show.pictures.slices import valued
from amt_flows.show.text import number, shortened
from amt_flows.space.space import Categorical, Parameter, Space

MOST_LINES = 300
LONGEST = 40
"""Characters of what stands below an axis."""
MOST_LETTERS = 14
"""Of a category beside one."""
UNUSED = -0.15
"""Where the lines of training jobs run that lack a hyperparameter: below its axis, which goes from 0 to 1."""


def axis_name(space: Space, parameter: Parameter) -> str:
    """What stands at the axis of a hyperparameter: its name, and below that when it is used."""
    condition = space.condition_of(parameter.name)
    if condition is None:
        return parameter.name
    when = f"when {condition}"
    return f"{parameter.name}\n{when if len(when) <= LONGEST else when[: LONGEST - 1] + '…'}"


def parallel_picture(ledger: Ledger) -> str | None:
    """A line for each training job through all its hyperparameters, coloured by its objective. None with
    fewer than two hyperparameters or training jobs."""
    ledger = ledger.of_one_algorithm()
    jobs, space = valued(ledger)[-MOST_LINES:], ledger.spec.space()
    if len(jobs) < 2 or len(space.parameters) < 2:
        return None
    import numpy as np
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import LineCollection
    from matplotlib.colors import Normalize

    figure, (axes,) = new_figure(3.4)
    values = [float(job.final_value or 0.0) for job in jobs]
    colours = ScalarMappable(
        Normalize(min(values), max(values)), colormaps["viridis" if ledger.spec.maximize else "viridis_r"]
    )
    places = range(len(space.parameters))
    # The better lines are drawn last, above the others.
    shaded = zip(jobs, colours.to_rgba(np.array(values)), strict=True)
    drawn = sorted(shaded, key=lambda one: ledger.loss(one[0].final_value or 0.0), reverse=True)
    lines = [_line(space, ledger.trials[job.trial].configuration) for job, _ in drawn]
    widths = [2.2 if job is ledger.best else 0.8 for job, _ in drawn]
    # As one: matplotlib takes a millisecond for each line that is added alone.
    axes.add_collection(
        LineCollection(lines, colors=[colour for _, colour in drawn], linewidths=widths, alpha=0.8)
    )
    axes.autoscale_view()
    for place, parameter in zip(places, space.parameters, strict=True):
        axes.axvline(place, color=FAINT, linewidth=1.0, zorder=0)
        if space.condition_of(parameter.name) is not None:
            axes.annotate(
                "not used",
                (place, UNUSED),
                fontsize=7,
                va="center",
                xytext=(3, 0),
                textcoords="offset points",
            )
        for height, text in _ticks(parameter):
            axes.annotate(
                text, (place, height), fontsize=7, va="center", xytext=(3, 0), textcoords="offset points"
            )
    axes.set_xticks(list(places), space.names)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlim(-0.1, len(space.parameters) - 0.6)
    figure.colorbar(colours, ax=axes, label=ledger.spec.objective.metric_name, shrink=0.9)
    return svg(figure)


def _line(space: Space, configuration: Mapping[str, Any]) -> list[tuple[int, float]]:
    """Through the axes, from left to right."""
    return [
        (
            place,
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
