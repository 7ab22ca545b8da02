"""The name that was probably meant by a misspelt one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


def plain(name: str) -> str:
    """What ``MaxRuntime``, ``max_runtime`` and ``max-runtime`` have in common."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def meant(name: str, names: Iterable[str]) -> str:
    """What to write instead: the nearest name, or which ones there are."""
    known = list(names)
    close = nearest(name, known)
    return f"write `{close}`" if close else f"those are {', '.join(known)}"


def nearest(name: str, names: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The one of ``names`` that ``name`` resembles most, or None.

    The same letters in another style always match, and so does the beginning of a name (``log`` for
    ``Logarithmic``), but that of several names is no guess at all. Otherwise the similarity must reach
    ``cutoff`` (1 is equality).
    """
    by_plain = {plain(candidate): candidate for candidate in names}
    wanted = plain(name)
    if wanted in by_plain:
        return by_plain[wanted]
    begun = [candidate for key, candidate in by_plain.items() if len(wanted) >= 3 and key.startswith(wanted)]
    if begun:
        return begun[0] if len(begun) == 1 else None
    close = difflib.get_close_matches(wanted, by_plain, n=1, cutoff=cutoff)
    return by_plain[close[0]] if close else None
