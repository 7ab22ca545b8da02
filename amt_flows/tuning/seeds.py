"""The seed of a tuning job to which none was given."""

from __future__ import annotations

import secrets


def drawn_seed() -> int:
    """Below 2**31, which is a ``RandomSeed`` of AMT's too. Drawn once, when the tuning job is opened; from
    then on it is the record's, and each training job carries it."""
    return secrets.randbelow(2**31)
