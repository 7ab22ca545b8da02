"""What mattered, as pictures: the importance of each hyperparameter, and how the objective depends on it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from amt_flows.ledger.ledger import Ledger
from amt_flows.show.pictures.drawing import COLOURS, FAINT, INK, new_figure, svg
from amt_flows.show.pictures.space import axis_name
from amt_flows.show.text import number, shortened
from amt_flows.space.space import Categorical, Parameter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from amt_flows.results.explain import DependencePoint

CURVES_IN_A_ROW = 3
MOST_CURVES = 12
MOST_BARS = 20
MOST_LETTERS = 12
LETTERS_IN_ALL = 36
"""So many have room below one curve."""


def importance_picture(ledger: Ledger) -> str | None:
    """A bar for each hyperparameter, the largest on top. None where there is nothing to explain yet."""
    from amt_flows.results.explain import NothingToExplain, importance

    ledger = ledger.of_one_algorithm()
    try:
        found = importance(ledger)[:MOST_BARS]
    except NothingToExplain:
        return None
    figure, (axes,) = new_figure(0.9 + 0.36 * len(found))
    places = list(range(len(found)))
    totals = [one.total for one in found]
    # Only as far as a share can be.
    below = [min(one.total, one.total_sd) for one in found]
    above = [min(1.0 - one.total, one.total_sd) for one in found]
    axes.barh(places, totals, height=0.72, color=FAINT, label="with interactions")
    axes.barh(places, [one.alone for one in found], height=0.4, color=COLOURS["completed"], label="by itself")
    axes.errorbar(totals, places, xerr=[below, above], fmt="none", ecolor=INK, elinewidth=1.0, capsize=2.5)
    axes.set_yticks(places, [one.name for one in found])
    axes.invert_yaxis()
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel(f"share of the variance of {ledger.spec.objective.metric_name}", fontsize=9)
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    return svg(figure)


def dependence_picture(ledger: Ledger) -> str | None:
    """A curve for each of the most important hyperparameters, all others averaged out, with a band of two
    standard deviations either way. None where there is nothing to explain yet."""
    from amt_flows.results.explain import NothingToExplain, dependence, importance

    ledger = ledger.of_one_algorithm()
    try:
        names = [one.name for one in importance(ledger)[:MOST_CURVES]]
    except NothingToExplain:
        return None
    space = ledger.spec.space()
    parameters = {parameter.name: parameter for parameter in space.parameters}
    columns = min(len(names), CURVES_IN_A_ROW)
    rows = math.ceil(len(names) / columns)
    figure, axes = new_figure(2.2 * rows, rows, columns, sharey=True)
    for name, one in zip(names, axes, strict=False):
        _curve(one, parameters[name], dependence(ledger, name))
        one.set_xlabel(axis_name(space, parameters[name]), fontsize=9, parse_math=False)
    for one in axes[len(names) :]:
        one.set_visible(False)
    for one in axes[::columns]:
        one.set_ylabel(ledger.spec.objective.metric_name, fontsize=9)
    return svg(figure)


def _curve(axes: Axes, parameter: Parameter, points: tuple[DependencePoint, ...]) -> None:
    means, reach = [point.mean for point in points], [2 * point.sd for point in points]
    colour = COLOURS["completed"]
    if isinstance(parameter, Categorical):
        places = list(range(len(points)))
        axes.errorbar(
            places,
            means,
            yerr=reach,
            fmt="o-" if parameter.ordered else "o",
            color=colour,
            capsize=3,
            markersize=5,
        )
        texts = shortened([str(point.value) for point in points], MOST_LETTERS)
        shown = max(1, LETTERS_IN_ALL // (max(map(len, texts)) + 1))
        every = math.ceil(len(points) / shown)
        axes.set_xticks(places[::every], texts[::every])
        axes.set_xlim(-0.5, len(points) - 0.5)
        return
    # In the range's own scaling, as the model sees it.
    across = [parameter.encode(point.value) for point in points]
    low = [mean - far for mean, far in zip(means, reach, strict=True)]
    high = [mean + far for mean, far in zip(means, reach, strict=True)]
    axes.fill_between(across, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(across, means, color=colour, linewidth=1.8, marker="o" if len(points) < 8 else "")
    marked = sorted({0, len(points) // 2, len(points) - 1})
    axes.set_xticks([across[i] for i in marked], [number(float(points[i].value), 3) for i in marked])
