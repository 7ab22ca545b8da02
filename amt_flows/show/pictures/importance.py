"""What mattered, as pictures: the importance of each hyperparameter, and how the objective depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from amt_flows.ledger.ledger import Ledger
from amt_flows.show.pictures.colours import COLOURS
from amt_flows.show.pictures.grid import grid, height_of, on_its_axis
from amt_flows.show.pictures.plot import BOTTOM, LETTER, RIGHT, WIDTH, Plot, Scale, legend, picture
from amt_flows.space.space import Categorical, Parameter

if TYPE_CHECKING:
    from amt_flows.results.explain import DependencePoint

MOST_CURVES: Final = 12
MOST_BARS: Final = 20
BAR: Final = 26.0
LONGEST_NAME: Final = 24
ALONE, TOTAL, UNSURE = COLOURS["completed"], "#8ca8bb", "#595959"
MARKED: Final = 8
"""The points of so few are marked: the line between them is a guess."""


def importance_picture(ledger: Ledger) -> str | None:
    """A bar for each hyperparameter, the largest on top. None where there is nothing to explain yet."""
    from amt_flows.results.explain import NothingToExplain, importance

    ledger = ledger.of_one_algorithm()
    try:
        found = importance(ledger)[:MOST_BARS]
    except NothingToExplain:
        return None
    left = 20.0 + LETTER * min(LONGEST_NAME, max(len(one.name) for one in found))
    top, height = 24.0, 24.0 + BAR * len(found) + BOTTOM
    plot = Plot(Scale(0.0, 1.0, left, WIDTH - RIGHT), Scale(-0.5, len(found) - 0.5, height - BOTTOM, top))
    # The axis goes up, and the largest is on top.
    places = {float(len(found) - 1 - i): one for i, one in enumerate(found)}
    metric = ledger.spec.objective.metric_name
    plot.axes(
        f"share of the variance of {metric}", "", y_ticks={place: one.name for place, one in places.items()}
    )
    for place, one in places.items():
        plot.bar(place, one.total, 18.0, TOTAL)
        plot.bar(place, one.alone, 10.0, ALONE)
        # Only as far as a share can be.
        reach = [(max(0.0, one.total - one.total_sd), place), (min(1.0, one.total + one.total_sd), place)]
        plot.line(reach, UNSURE)
    names = legend([("s", TOTAL, "with interactions"), ("s", ALONE, "by itself")], left=left + 8)
    return picture([names, *plot.parts], height)


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
    by_name = {parameter.name: parameter for parameter in space.parameters}
    curves = {name: dependence(ledger, name) for name in names}
    reached = [value for points in curves.values() for point in points for value in _band(point)]
    parts: list[str] = []
    parameters = [by_name[name] for name in names]
    for parameter, plot in grid(space, parameters, reached, ledger.spec.objective.metric_name):
        _curve(plot, parameter, curves[parameter.name])
        parts += plot.parts
    return picture(parts, height_of(len(parameters)))


def _band(point: DependencePoint) -> tuple[float, float]:
    return point.mean - 2 * point.sd, point.mean + 2 * point.sd


def _curve(plot: Plot, parameter: Parameter, points: tuple[DependencePoint, ...]) -> None:
    across = [on_its_axis(parameter, point.value) for point in points]
    line = [(x, point.mean) for x, point in zip(across, points, strict=True)]
    if not isinstance(parameter, Categorical):
        plot.band([(x, *_band(point)) for x, point in zip(across, points, strict=True)], ALONE)
        plot.line(line, ALONE, width=1.8)
    else:
        for x, point in zip(across, points, strict=True):
            plot.line([(x, value) for value in _band(point)], ALONE)
        if parameter.ordered:
            plot.line(line, ALONE)
    if isinstance(parameter, Categorical) or len(points) < MARKED:
        for x, y in line:
            plot.mark(x, y, "o", ALONE, size=3.2, job=None)
