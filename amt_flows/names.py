"""What things are called: tuning jobs, a function that has no path, variables, and so many of anything."""

from __future__ import annotations

import re

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
