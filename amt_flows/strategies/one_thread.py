"""Linear algebra in one thread.

The matrices of a tuning job are small. A BLAS library that spreads them over all cores, which are busy with
training jobs, waits for its slowest thread at every step: a proposal then takes twenty times as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS to one thread inside, and give it back its threads afterwards."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    # Finding the loaded libraries takes some 20 ms; numpy and scipy are loaded by then.
    return ThreadpoolController()
