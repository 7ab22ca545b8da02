"""Points that are spread evenly over the cube, always the same: what is averaged over the space is averaged
over them.

A Halton sequence whose digits are shuffled, by Owen 2017, "A randomized Halton algorithm in R". A Sobol
sequence errs a little less with as many points, but scipy's takes a third of a second to load, which a report
would have to wait for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Final

import numpy as np

from amt_flows.strategies.gaussian_process import Array

FINEST: Final = 2.0**-32
"""Digits beyond that make no difference."""


def spread_out(dimension: int, amount: int) -> Array:
    """Shape ``(amount, dimension)``, in [0, 1)."""
    shuffled = np.random.default_rng(0)
    points = np.zeros((amount, dimension))
    for column, base in enumerate(islice(_primes(), dimension)):
        rest, unit = np.arange(amount), 1.0
        while unit > FINEST:
            unit /= base
            points[:, column] += shuffled.permutation(base)[rest % base] * unit
            rest //= base
    return np.minimum(points, 1.0 - FINEST)


def _primes() -> Iterator[int]:
    found: list[int] = []
    for number in count(2):
        if all(number % prime for prime in found):
            found.append(number)
            yield number
