"""The space of a plan as a picture: each hyperparameter's scale as it is searched, with the first
configurations on it, and pairs of them."""

from __future__ import annotations

import html
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from amt_flows.plan.dry_run import Plan
from amt_flows.plan.scale import Tick
from amt_flows.plan.space_text import in_words
from amt_flows.plan.text import plan_text
from amt_flows.plan.words import PlannedRange
from amt_flows.show.page import document
from amt_flows.show.pictures.drawing import COLOURS, FAINT, INK, WIDTH_INCHES, PicturesNotInstalled, svg
from amt_flows.show.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

KINDS: Final = (".html", ".svg", ".png")
MOST_PAIRED: Final = 5
"""Hyperparameters in the pairs: more are too small to see."""
MOST_NUMBERED: Final = 9
MOST_NAMED: Final = 4
"""Categories at the side of a small picture."""
GAP: Final = 0.02
GROUP: Final = 0.16
"""How far apart points of one place are drawn, and all of them together at most; a scale is 1."""
PIXELS_AN_INCH: Final = 150


def draw(plan: Plan, file: str) -> None:
    """Write the picture, in the kind that the file's name ends in. Raises PicturesNotInstalled, OSError."""
    figure = space_figure(plan)
    path, kind = Path(file), Path(file).suffix.lower()
    if kind == ".png":
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=PIXELS_AN_INCH, metadata={"Software": None})
        path.write_bytes(drawn.getvalue())
    elif kind == ".svg":
        path.write_text(svg(figure), encoding="utf-8")
    else:
        path.write_text(_page(plan, svg(figure)), encoding="utf-8")


def _page(plan: Plan, picture: str) -> str:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=100, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(plan_text(plan))
    title = f"Plan of {plan.name or 'a tuning job'}"
    text = html.escape(visible(captured.get()))
    figure = f"<figure>{picture}</figure>"
    return document(
        title, f"<h1>{html.escape(visible(title))}</h1>\n{figure}\n<pre><code>{text}</code></pre>"
    )


def space_figure(plan: Plan) -> Figure:
    """Raises PicturesNotInstalled."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise PicturesNotInstalled from None
    groups = [
        [row for row in plan.ranges if row.algorithm == name]
        for name in dict.fromkeys(row.algorithm for row in plan.ranges)
    ]
    heights = [height for rows in groups for height in (_scales_height(rows), _pairs_height(rows))]
    figure = Figure(figsize=(WIDTH_INCHES, sum(heights)), layout="constrained")
    parts = [part for part, height in zip(_split(figure, heights), heights, strict=True) if height]
    drawn = iter(parts)
    for rows in groups:
        _scales(next(drawn), rows)
        if _pairs_height(rows):
            _pairs(next(drawn), rows)
    return figure


def _split(figure: Figure, heights: Sequence[float]) -> list[Any]:
    shown = [height for height in heights if height]
    made = figure.subfigures(len(shown), 1, height_ratios=shown, squeeze=False)[:, 0]
    every = iter(made)
    return [next(every) if height else None for height in heights]


def _scales_height(rows: Sequence[PlannedRange]) -> float:
    return 0.6 + 0.75 * len(rows)


def _pairs_height(rows: Sequence[PlannedRange]) -> float:
    paired = len(_paired(rows))
    return 0.0 if paired < 2 else 1.0 + 1.7 * (paired - 1)


def _paired(rows: Sequence[PlannedRange]) -> list[PlannedRange]:
    """Those that most configurations have: of a conditional one there are few points."""
    if not rows or not rows[0].places:
        return []
    always = sorted(rows, key=lambda row: sum(place is None for place in row.places))
    kept = {id(row) for row in always[:MOST_PAIRED]}
    return [row for row in rows if id(row) in kept]


def _scales(part: SubFigure, rows: Sequence[PlannedRange]) -> None:
    axes = part.subplots()
    title = f"{rows[0].algorithm}: " if rows[0].algorithm else ""
    points = len(rows[0].places)
    note = (
        f"the first {points} configurations on their scales" if points else "the scales as they are searched"
    )
    axes.set_title(f"{title}{note}", fontsize=10, loc="left", color=INK)
    for height, row in zip(range(len(rows) - 1, -1, -1), rows, strict=True):
        if row.kind != "categorical" or row.ordered:
            axes.hlines(height, 0, 1, color=FAINT, linewidth=2, zorder=1)
        for tick in row.ticks:
            axes.vlines(tick.place, height - 0.12, height + 0.12, color=INK, linewidth=0.8, zorder=2)
        _values(axes, row, height)
        axes.text(0, height + 0.3, _named(row), fontsize=8, color=INK, va="center")
        _points(axes, _side_by_side(row.places), [height] * len(row.places))
    axes.set_xlim(-0.09, 1.09)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_axis_off()


def _values(axes: Axes, row: PlannedRange, height: float) -> None:
    """As many as there is room for, the ends first."""
    taken: list[tuple[float, float]] = []
    ends = [row.ticks[0], row.ticks[-1]]
    for tick in dict.fromkeys([*ends, *row.ticks]):
        text = tick.text if len(tick.text) <= 16 else f"{tick.text[:15]}…"
        half = 0.006 * len(text) + 0.01
        if any(tick.place - half < right and tick.place + half > left for left, right in taken):
            continue
        taken.append((tick.place - half, tick.place + half))
        axes.text(tick.place, height - 0.3, _plain(text), fontsize=7, ha="center", va="center", color=INK)


def _named(row: PlannedRange) -> str:
    words = in_words(row)
    return _plain(f"{row.name}: {words if len(words) <= 110 else words[:109] + '…'}")


def _pairs(part: SubFigure, rows: Sequence[PlannedRange]) -> None:
    paired = _paired(rows)
    grid = part.subplots(len(paired) - 1, len(paired) - 1, squeeze=False)
    part.suptitle("pairs of them", fontsize=10, x=0.02, ha="left", color=INK)
    for i, below in enumerate(paired[1:]):
        for j, across in enumerate(paired[:-1]):
            axes = grid[i][j]
            if j > i:
                axes.set_axis_off()
                continue
            _points(axes, _side_by_side(across.places), _side_by_side(below.places))
            _sides(axes, across if i == len(paired) - 2 else None, below if j == 0 else None)


def _sides(axes: Axes, across: PlannedRange | None, below: PlannedRange | None) -> None:
    axes.set_xlim(-0.12, 1.12)
    axes.set_ylim(-0.12, 1.12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7, length=2)
    axes.set_xticks([])
    axes.set_yticks([])
    if across is not None:
        shown = _at_the_side(across)
        axes.set_xticks([tick.place for tick in shown], [_plain(tick.text[:8]) for tick in shown])
        axes.set_xlabel(_plain(across.name), fontsize=8)
    if below is not None:
        shown = _at_the_side(below)
        axes.set_yticks([tick.place for tick in shown], [_plain(tick.text[:12]) for tick in shown])
        axes.set_ylabel(_plain(below.name), fontsize=8)


def _at_the_side(row: PlannedRange) -> Sequence[Tick]:
    few = row.kind == "categorical" and len(row.ticks) <= MOST_NAMED
    return row.ticks if few else (row.ticks[0], row.ticks[-1])


def _side_by_side(places: Sequence[float | None]) -> list[float | None]:
    """Those at one place, as of a category, moved a little apart."""
    counts = Counter(place for place in places if place is not None)
    seen: Counter[float] = Counter()
    moved: list[float | None] = []
    for place in places:
        if place is None:
            moved.append(None)
            continue
        apart = min(GAP, GROUP / counts[place])
        moved.append(place + (seen[place] - (counts[place] - 1) / 2) * apart)
        seen[place] += 1
    return moved


def _points(axes: Axes, xs: Sequence[float | None], ys: Sequence[float | None]) -> None:
    """A point for each configuration that has both places; the first ones have their numbers beside them."""
    colour = COLOURS["completed"]
    both = enumerate(zip(xs, ys, strict=True), start=1)
    shown = [(n, x, y) for n, (x, y) in both if x is not None and y is not None]
    axes.scatter([x for _, x, _ in shown], [y for _, _, y in shown], s=16, color=colour, alpha=0.75, zorder=3)
    for number, x, y in shown:
        if number <= MOST_NUMBERED:
            axes.annotate(
                str(number), (x, y), xytext=(3, 2), textcoords="offset points", fontsize=6, color=colour
            )


def _plain(text: str) -> str:
    """Between dollar signs matplotlib would read formulas, which a name is not."""
    return text.replace("$", r"\$")
