"""A small plotter of our own: axes, lines and marks as SVG text, from the standard library alone.

Each mark says which training job it is when the pointer rests on it, and leads to the job's row in the page
around it. Colours stand at the marks, and words have a class beside theirs, so that a page may turn them for
its dark mode; as an image of its own a picture is dark on white.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from amt_flows.show.pictures.colours import FAINT, INK
from amt_flows.show.text import number, visible

WIDTH: Final = 760.0
FONT: Final = 11
LETTER: Final = 6.2
"""The width of one, on average."""
LEFT, RIGHT, TOP, BOTTOM = 62.0, 14.0, 26.0, 40.0
TICKS: Final = 5
WIDE: Final = 100.0
"""Values that span so many times the smallest are drawn on a logarithmic axis, where that is asked for."""


def words(text: object, longest: int = 200) -> str:
    """Any text for SVG, with nothing in it taken for markup."""
    line = visible(" ".join(str(text).split()))
    return html.escape(line if len(line) <= longest else line[: longest - 1] + "…")


@dataclass(frozen=True)
class Scale:
    """From values to places, in pixels."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Values beyond the ends are at the ends."""
        low, high, at = self._scaled(self.low), self._scaled(self.high), self._scaled(value)
        share = 0.5 if high <= low else _share(at, low, high)
        return self.start + min(max(share, -0.02), 1.02) * (self.end - self.start)

    def _scaled(self, value: float) -> float:
        return math.log(max(value, 5e-324)) if self.logarithmic else value

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def ticks(self, most: int = TICKS) -> list[float]:
        if self.high <= self.low:
            return [self.low]
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            powers = [10.0**power for power in range(first, last + 1, max(1, (last - first) // most + 1))]
            middle = math.sqrt(self.low) * math.sqrt(self.high)
            return powers if len(powers) > 1 else [self.low, middle, self.high]
        return nice_ticks(self.low, self.high, most)


def _share(at: float, low: float, high: float) -> float:
    """How far along from ``low`` to ``high``; of the largest floats the difference is none."""
    if math.isfinite(high - low) and math.isfinite(at - low):
        return (at - low) / (high - low)
    return (at / 2 - low / 2) / (high / 2 - low / 2)


def nice_ticks(low: float, high: float, most: int = TICKS) -> list[float]:
    """Some round values between two ends."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low]
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    return [value for k in range(most + 2) if (value := (first + k) * step) <= high + 1e-9 * span]


def padded(values: Iterable[float], share: float = 0.06) -> tuple[float, float]:
    """The ends of an axis that shows all of them."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    pad = (high - low) * share or abs(high) * 0.1 or 0.5
    # Half the difference of the two largest floats is still one.
    return max(low - pad, -1.7e308), min(high + pad, 1.7e308)


@dataclass
class Plot:
    """One coordinate system at a place of a picture."""

    x: Scale
    y: Scale
    parts: list[str] = field(default_factory=list)

    def axes(
        self,
        x_label: str,
        y_label: str,
        *,
        x_ticks: Mapping[float, str] | None = None,
        y_ticks: Mapping[float, str] | None = None,
        x_note: str = "",
    ) -> None:
        x0, x1, y0, y1 = self.x.start, self.x.end, self.y.start, self.y.end
        room = int((x1 - x0) / LETTER) + 3
        for value, text in self._marks(self.y, y_ticks):
            at = self.y(value)
            self.parts.append(
                f'<path class="faint" d="M{x0:.1f} {at:.1f}H{x1:.1f}" stroke="{FAINT}" stroke-width="0.6"/>'
                f"{label(x0 - 6, at + 4, text, anchor='end')}"
            )
        for value, text in self._marks(self.x, x_ticks):
            self.parts.append(label(self.x(value), y0 + 15, text, anchor="middle"))
        self.parts.append(
            f'<path class="axis" d="M{x0:.1f} {y1:.1f}V{y0:.1f}H{x1:.1f}" fill="none" stroke="{INK}"/>'
            f"{label((x0 + x1) / 2, y0 + 31, x_label, anchor='middle', longest=room)}"
            f"{label(x0 - 48, y1 - 10, y_label, longest=70) if y_label else ''}"
        )
        if x_note:
            self.parts.append(label((x0 + x1) / 2, y0 + 44, x_note, anchor="middle", longest=room + 6))

    def _marks(self, scale: Scale, given: Mapping[float, str] | None) -> list[tuple[float, str]]:
        if given is not None:
            return list(given.items())
        ticks = [value for value in scale.ticks() if scale.holds(value)]
        return list(zip(ticks, told_apart(ticks), strict=True))

    def line(
        self,
        points: Sequence[tuple[float, float]],
        colour: str,
        *,
        width: float = 1.2,
        opacity: float = 1.0,
        step: bool = False,
        dashed: bool = False,
        job: Job | None = None,
    ) -> None:
        """A line through finite points, or steps that hold each value until the next."""
        if not points:
            return
        places = [(self.x(x), self.y(y)) for x, y in points]
        path = f"M{places[0][0]:.1f} {places[0][1]:.1f}"
        path += "".join(f"H{x:.1f}V{y:.1f}" if step else f"L{x:.1f} {y:.1f}" for x, y in places[1:])
        dash = ' stroke-dasharray="3 3"' if dashed else ""
        drawn = (
            f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}" '
            f'stroke-opacity="{opacity:g}"{dash}'
        )
        self.parts.append(linked(job, f"{drawn}>{titled(job)}</path>"))

    def band(self, edges: Sequence[tuple[float, float, float]], colour: str) -> None:
        """What is between a lower and an upper value at each place."""
        lower = [(self.x(x), self.y(low)) for x, low, _ in edges]
        upper = [(self.x(x), self.y(high)) for x, _, high in edges]
        corners = "L".join(f"{x:.1f} {y:.1f}" for x, y in [*lower, *reversed(upper)])
        self.parts.append(f'<path d="M{corners}z" fill="{colour}" fill-opacity="0.2"/>')

    def bar(self, y: float, value: float, thick: float, colour: str) -> None:
        """From the axis to a value, ``thick`` pixels."""
        left, right = self.x(self.x.low), self.x(value)
        self.parts.append(
            f'<rect x="{left:.1f}" y="{self.y(y) - thick / 2:.1f}" width="{max(right - left, 0.0):.1f}" '
            f'height="{thick:g}" fill="{colour}"/>'
        )

    def mark(
        self,
        x: float,
        y: float,
        look: str,
        colour: str,
        *,
        size: float = 3.4,
        opacity: float = 1.0,
        job: Job | None,
    ) -> None:
        """A mark at a value; beyond the axis, at its end."""
        drawn = linked(job, shape(self.x(x), self.y(y), look, colour, size, titled(job)))
        self.parts.append(drawn if opacity >= 1.0 else f'<g opacity="{opacity:g}">{drawn}</g>')

    def note(self, text: str) -> None:
        """Some words in the middle."""
        self.parts.append(
            label((self.x.start + self.x.end) / 2, (self.y.start + self.y.end) / 2, text, anchor="middle")
        )


@dataclass(frozen=True)
class Job:
    """What a mark stands for."""

    name: str
    about: str

    @property
    def anchor(self) -> str:
        """The id of its row in a page."""
        return f"job-{html.escape(self.name)}"


def titled(job: Job | None) -> str:
    return "" if job is None else f"<title>{html.escape(visible(job.about))}</title>"


def linked(job: Job | None, drawn: str) -> str:
    return drawn if job is None else f'<a href="#{job.anchor}">{drawn}</a>'


def shape(x: float, y: float, look: str, colour: str, size: float, inside: str = "") -> str:
    """A circle, or another mark: they are told apart also by those who see no red and green."""
    r = size
    match look:
        case "x":
            path = f"M{x - r:.1f} {y - r:.1f}l{2 * r:.1f} {2 * r:.1f}m0 {-2 * r:.1f}l{-2 * r:.1f} {2 * r:.1f}"
            # The wide stroke that nobody sees is what a finger hits.
            return (
                f'<g><path d="{path}" stroke="{colour}" stroke-width="1.8" fill="none"/>'
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r + 2:.1f}" fill="transparent"/>{inside}</g>'
            )
        case "v":
            path = f"M{x - r:.1f} {y - r:.1f}h{2 * r:.1f}L{x:.1f} {y + r:.1f}z"
        case "s":
            path = f"M{x - r:.1f} {y - r:.1f}h{2 * r:.1f}v{2 * r:.1f}h{-2 * r:.1f}z"
        case "*":
            path = _star(x, y, 2.0 * r)
        case _:
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" fill="{colour}">{inside}</circle>'
    return f'<path d="{path}" fill="{colour}">{inside}</path>'


def _star(x: float, y: float, r: float) -> str:
    corners = []
    for k in range(10):
        reach, turn = (r, r * 0.42)[k % 2], math.pi * (k / 5 - 0.5)
        corners.append(f"{x + reach * math.cos(turn):.1f} {y + reach * math.sin(turn):.1f}")
    return f"M{'L'.join(corners)}z"


def told_apart(values: Sequence[float]) -> list[str]:
    """Different numbers with as many digits as it takes to see that they differ, four at least."""
    every = ([number(value, digits) for value in values] for digits in range(4, 18))
    return next((texts for texts in every if len(set(texts)) == len(set(values))), [str(v) for v in values])


def label(
    x: float, y: float, text: object, *, anchor: str = "start", longest: int = 24, weight: str = ""
) -> str:
    bold = f' font-weight="{weight}"' if weight else ""
    return (
        f'<text class="ink" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{FONT}" '
        f'fill="{INK}"{bold}>{words(text, longest)}</text>'
    )


def legend(entries: Sequence[tuple[str, str, str]], y: float = 12.0, left: float = 150.0) -> str:
    """Look, colour and words of each; in one row."""
    parts, x = [], left
    for look, colour, text in entries:
        if look == "-":
            parts.append(f'<path d="M{x - 7:.1f} {y - 4:.1f}h14" stroke="{colour}" stroke-width="2"/>')
        elif look == ":":
            parts.append(f'<path d="M{x - 7:.1f} {y - 4:.1f}h14" stroke="{colour}" stroke-dasharray="3 3"/>')
        else:
            parts.append(shape(x, y - 4, look, colour, 3.4))
        parts.append(label(x + 11, y, text))
        x += 30 + LETTER * len(text)
    return "".join(parts)


def still(svg: str) -> str:
    """The same without what an image can't do: marks that lead somewhere, and say what they are."""
    bare = re.sub(r"<title>.*?</title>|<a href=[^>]*>|</a>", "", svg, flags=re.DOTALL)
    return re.sub(r"></(?:circle|path|rect)>", "/>", bare)


def picture(parts: Iterable[str], height: float, width: float = WIDTH) -> str:
    """The whole as an ``<svg>`` element."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="system-ui, sans-serif" role="img">'
        f"{''.join(parts)}</svg>"
    )
