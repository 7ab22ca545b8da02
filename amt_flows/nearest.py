"""The name that was probably meant by a misspelt one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final


def plain(name: str) -> str:
    """What ``MaxRuntime``, ``max_runtime`` and ``max-runtime`` have in common."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def meant(name: str, names: Iterable[str]) -> str:
    """What to write instead: the nearest name, or which ones there are."""
    known = list(names)
    close = nearest(name, known)
    return f"write `{close}`" if close else f"those are {', '.join(known)}"


LIKENESS: Final = 0.65
APART: Final = 0.05
"""By so much the most similar name must be more similar than the next, to be a guess at all."""


def nearest(name: str, names: Iterable[str], *, cutoff: float = LIKENESS) -> str | None:
    """The one of ``names`` that ``name`` resembles most, or None.

    The same letters in another style always match, and so does the beginning of a name (``log`` for
    ``Logarithmic``), but that of several names is no guess at all. Otherwise the similarity must reach
    ``cutoff`` (1 is equality), and no other name may be about as similar.
    """
    by_plain = {plain(candidate): candidate for candidate in names}
    wanted = plain(name)
    if wanted in by_plain:
        return by_plain[wanted]
    begun = [candidate for key, candidate in by_plain.items() if len(wanted) >= 3 and key.startswith(wanted)]
    if begun:
        return begun[0] if len(begun) == 1 else None
    alike = difflib.SequenceMatcher(b=wanted)
    likeness = {key: _ratio(alike, key) for key in by_plain}
    first, *rest = sorted(likeness, key=lambda key: -likeness[key]) or [""]
    if likeness.get(first, 0.0) < cutoff or (rest and likeness[first] - likeness[rest[0]] < APART):
        return None
    return by_plain[first]


def _ratio(alike: difflib.SequenceMatcher[str], key: str) -> float:
    alike.set_seq1(key)
    return alike.ratio()
