"""Short text for people: numbers, durations and places."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Final
from urllib.parse import unquote, urlsplit

from amt_flows.space.space import Value

NOTHING = "–"


def number(value: float | None, digits: int = 5) -> str:
    """A measured value with as many digits as a person compares: ``0.97314``, ``120000``, ``3.2e-07``."""
    if value is None:
        return NOTHING
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    # `g` turns to powers of ten as soon as it runs out of digits, which nobody reads in a count of rows.
    if 10**digits <= abs(value) < 1e12:
        return f"{value:.0f}"
    return f"{value:.{digits}g}"


def hyperparameter(value: Value) -> str:
    """A text in quotes where nobody could see where it begins and ends: an empty one, one with blanks at an
    end, one of several lines."""
    if isinstance(value, str):
        plain = value and value == value.strip() and value.isprintable()
        return value if plain else json.dumps(value, ensure_ascii=False)
    return number(value, 6) if isinstance(value, float) else str(value)


def shortened(names: Sequence[str], longest: int) -> list[str]:
    """Names of at most so many letters: where one is longer, they go without what all of them begin and end
    with, and not without that in which they differ. ``…`` stands for what is left out."""
    if max(map(len, names), default=0) <= longest:
        return list(names)
    before = after = 0
    if len(set(names)) > 1:
        before = _alike(names)
        after = _alike([name[before:][::-1] for name in names])
    # One letter is as short as its mark.
    before, after = (0 if alike == 1 else alike for alike in (before, after))
    told = ("…" * bool(before) + name[before : len(name) - after] + "…" * bool(after) for name in names)
    return [one if len(one) <= longest else f"{one[: longest - 1]}…" for one in told]


def _alike(names: Sequence[str]) -> int:
    """With how many of the same letters all of them begin, in whole words."""
    alike = [one for one, *_ in takewhile(lambda each: len(set(each)) == 1, zip(*names, strict=False))]
    while alike and alike[-1].isalnum():
        alike.pop()
    return len(alike)


def hyperparameters(configuration: Mapping[str, Value]) -> str:
    """A configuration on one line: ``learning_rate=0.01 depth=6``."""
    return " ".join(f"{name}={hyperparameter(value)}" for name, value in configuration.items())


def money(amount: float) -> str:
    """An amount in whatever currency the price was given: two decimals, more when it is less than 1 %."""
    return f"{amount:.2f}" if amount == 0 or abs(amount) >= 0.01 else f"{amount:.2g}"


def duration(seconds: float | None) -> str:
    """``0.8 s``, ``12.3 s``, ``4 min 5 s``, ``1 h 53 min``, ``2 d 3 h``: the two largest units."""
    if seconds is None or math.isnan(seconds):
        return NOTHING
    if math.isinf(seconds):
        return "for ever"
    if round(seconds, 1) < 60:
        return f"{max(seconds, 0.0):.1f} s"
    if round(seconds) < 3600:
        return _two(round(seconds), 60, "min", "s")
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return _two(minutes, 60, "h", "min")
    return _two(round(minutes / 60), 24, "d", "h")


def _two(amount: int, ratio: int, large: str, small: str) -> str:
    whole, rest = divmod(amount, ratio)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


def local_time(seconds: float | None) -> str:
    """``2026-03-01 14:05`` in this machine's time zone."""
    return NOTHING if seconds is None else datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def place(uri: str) -> str:
    """A URI as a person types it: a path for a file of this machine, anything else unchanged."""
    try:
        parts = urlsplit(uri)
    except ValueError:  # half an IPv6 address: it comes from anywhere
        return uri
    return unquote(parts.path) if parts.scheme == "file" and parts.netloc in ("", "localhost") else uri


def last_lines(text: str, limit: int) -> str:
    """The last ``limit`` lines that are not blank at the end."""
    return "\n".join(text.rstrip().splitlines()[-limit:])


# C0 and C1 but for newline and tab, marks that turn the direction of what follows, line separators that only
# some programs know, byte-order marks, and halves of characters.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    """A terminal, a page or a log shows this as it is: ``\\x1b`` is written out and colours nothing. Newlines
    and tabs stay."""
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)
