"""What counts as a number in a text: the one idea of it, for whoever reads, recommends or writes one.

A number is a sign if any, decimal digits with at most one point among them, and an exponent if any; or
``nan``, ``inf``, ``infinity`` in any case: what ``float`` and JSON print, and what a strict reader in any
language takes. So ``-.5``, ``+3``, ``5.``, ``1e-05`` are numbers. ``1_000``, ``0x10``, ``1,234.5``, ``12%``,
``0.95.``, ``tensor(0.5)`` and digits beyond ASCII are not, although Python's ``float`` takes some of them:
guessing what is meant would give another curve than SageMaker's. Standard library only: the local worker uses
it, too.
"""

from __future__ import annotations

import re

NUMBER = r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[Nn][Aa][Nn]|[Ii][Nn][Ff](?:inity)?)"
"""A regex for a number, without a group of its own. Only constructs that every regex engine knows."""

_NUMBER = re.compile(NUMBER, re.IGNORECASE)

# What a person sees as one number, also where it is none for us. A minus behind a word or a number joins
# (2026-01-31, loss-0.5, 0.47+0.01); groups of three digits are taken for one number.
_AS_SEEN = re.compile(
    r"0x[0-9a-f]+"
    r"|(?:(?<![\w.)\]])[-+])?"
    r"(?:[0-9]{1,3}(?:(?:,[0-9]{3})+|(?:_[0-9]{3})+)(?:\.[0-9]+)?(?![0-9,_])"
    r"|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?"
    r"|(?<![a-z])(?:nan|inf(?:inity)?)(?![a-z]))",
    re.IGNORECASE | re.ASCII,
)
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)
_NEAR = 60  # characters to either side of a text that may belong to the same number


def number_in(text: str) -> float | None:
    """The number that a text is, spaces around it aside; None for anything else."""
    text = text.strip(" \t")
    return float(text) if _NUMBER.fullmatch(text) else None


def whole_around(line: str, start: int, end: int) -> str:
    """The number, or the word, of which ``line[start:end]`` is only a part; empty when it is no part of one.

    ``0.`` of ``0.95``, ``1`` of ``1e-5``, ``0.25`` of ``-0.25``, ``1`` of ``1,234.5``, ``inf`` of ``info``.
    """
    text = line[start:end]
    start, end = start + len(text) - len(text.lstrip(" \t")), end - len(text) + len(text.rstrip(" \t"))
    near = max(0, start - _NEAR)
    window = line[near : end + _NEAR]
    for expression in (_AS_SEEN, *([_WORD] if line[start:end].isalpha() else [])):
        for seen in expression.finditer(window):
            at, to = near + seen.start(), near + seen.end()
            if at <= start and end <= to and (at, to) != (start, end):
                # 95 of 95. at the end of a sentence
                return "" if number_in(seen[0]) == number_in(line[start:end]) else seen[0]
    return ""
