"""What things are called: tuning jobs, a function that has no path, variables, and so many of anything; and
which name was probably meant by a misspelt one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from difflib import SequenceMatcher

TUNING_JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}")
FUNCTION_BY_VALUE = re.compile(r"value:[A-Za-z_]\w*:([0-9a-f]{64})")
"""``value:NAME:SHA256`` in place of ``module:function``: the hash of what is kept, and a name for people."""


def is_tuning_job_name(name: str) -> bool:
    """Whether AMT would take ``name``: 1 to 32 letters, digits and inner hyphens."""
    return len(name) <= 32 and TUNING_JOB_NAME.fullmatch(name) is not None


def tuning_job_name_from(text: str) -> str:
    """A valid tuning job name that resembles ``text`` (a flow run's name, say), at most 32 characters."""
    cleaned = re.sub(r"[^a-zA-Z0-9]+", "-", text).strip("-")[:32].strip("-")
    return cleaned or made_up_name()


def made_up_name() -> str:
    """A new name for a tuning job that was given none."""
    import secrets  # training jobs that are functions import this file, and need none of it

    return f"tuning-{secrets.token_hex(4)}"


def variable(prefix: str, name: str) -> str:
    """The environment variable that is named after a hyperparameter or a channel."""
    return prefix + re.sub(r"[^A-Za-z0-9]", "_", name).upper()


def count(amount: int, noun: str) -> str:
    """``1 job``, ``2 jobs``, ``no jobs``."""
    return f"{amount or 'no'} {noun}{'' if amount == 1 else 's'}"


def were(amount: int) -> str:
    """The verb of so many: ``was`` or ``were``."""
    return "was" if amount == 1 else "were"


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
    import difflib

    alike = difflib.SequenceMatcher(b=wanted)
    likeness = {key: _ratio(alike, key) for key in by_plain}
    first, *rest = sorted(likeness, key=lambda key: -likeness[key]) or [""]
    if likeness.get(first, 0.0) < cutoff or (rest and likeness[first] - likeness[rest[0]] < APART):
        return None
    return by_plain[first]


def _ratio(alike: SequenceMatcher[str], key: str) -> float:
    alike.set_seq1(key)
    return alike.ratio()
