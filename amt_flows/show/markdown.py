"""Markdown that stays whole whatever stands in it: names, log lines and metrics come from anywhere."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from amt_flows.show.text import visible

# More points than this make a chart no clearer.
# Mermaid's own first colour is nearly that of Prefect's page.
LINE_COLOUR = '%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#1d4ed8"}}}}%%'
CHART_POINTS = 100


def cell(text: object) -> str:
    """Any text on one line, with nothing in it taken for markup."""
    one_line = _one_line(text)
    return re.sub(r"([\\`*_\[\]#~])", r"\\\1", one_line).replace("&", "&amp;").replace("<", "&lt;")


def code(text: object) -> str:
    """A code span; its fence is longer than any run of backticks inside."""
    one_line = _one_line(text) or " "
    fence = "`" * (_longest_run(one_line) + 1)
    pad = " " if one_line.startswith("`") or one_line.endswith("`") else ""
    return f"{fence}{pad}{one_line}{pad}{fence}"


def fenced(text: str, language: str = "text") -> str:
    """A code block that no backticks in ``text`` can end."""
    text = visible(text)
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def link(text: str, address: str) -> str:
    """``address`` is one of :mod:`amt_flows.show.links`, in which nothing ends a link."""
    return f"[{cell(text)}]({address})"


def _one_line(text: object) -> str:
    return visible(" ".join(str(text).split()))


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are markdown already: :func:`cell` and :func:`code` make them."""
    lines = [columns, ["---"] * len(columns), *rows]
    # A bar ends a cell even inside a code span, unless it is escaped.
    escaped = ([text.replace("|", "\\|") for text in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


def line_chart(title: str, x_label: str, points: Sequence[tuple[int, float]]) -> str:
    """A mermaid chart of finite values over ascending whole numbers; empty for fewer than two of them."""
    finite = [(x, float(f"{y:.6g}")) for x, y in points if math.isfinite(y)]
    if len(finite) < 2:
        return ""
    values = [y for _, y in _thinned(finite)]
    low, high = min(values), max(values)
    # A flat line has no range to scale; it is drawn in the middle of one that is as large as its value.
    pad = (high - low) * 0.05 or abs(high) * 0.5 or 1.0
    lines = [
        LINE_COLOUR,
        "xychart-beta",
        f'    title "{_chart_text(title)}"',
        f'    x-axis "{_chart_text(x_label)}" {finite[0][0]} --> {finite[-1][0]}',
        f"    y-axis {_plain_decimal(low - pad)} --> {_plain_decimal(high + pad)}",
        f"    line [{', '.join(_plain_decimal(y) for y in values)}]",
    ]
    return fenced("\n".join(lines), "mermaid")


def _thinned(points: Sequence[tuple[int, float]]) -> Sequence[tuple[int, float]]:
    # Mermaid spreads a line's values evenly along the axis, so they are taken at even distances.
    first, last = points[0][0], points[-1][0]
    wanted = min(CHART_POINTS, last - first + 1)
    chosen: list[tuple[int, float]] = []
    at = 0
    for k in range(wanted):
        x = first + k * (last - first) / (wanted - 1)
        while at + 1 < len(points) and points[at + 1][0] <= x + 1e-9:
            at += 1
        chosen.append(points[at])
    return chosen


def _chart_text(text: str) -> str:
    # Mermaid has no escape for a quote, and backticks would start its own markdown.
    return re.sub(r"\s+", " ", text.replace('"', "'").replace("`", "'"))


def _plain_decimal(value: float) -> str:
    # Mermaid's numbers have no exponent.
    return format(Decimal(f"{value:.6g}"), "f")
