"""Faults on order: calls that are refused although nothing is wrong with them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from amt_flows.testing.sagemaker.refusals import Refusal

When = Callable[[Mapping[str, Any]], bool]


@dataclass(eq=False)
class Fault:
    """One order. ``hits`` counts the calls it refused; ``remove``, or leaving a ``with`` block, ends it."""

    operation: str
    refusal: Refusal
    times: int | None = None
    when: When | None = None
    rate: float = 1.0
    after: bool = False
    hits: int = 0
    _owner: list[Fault] = field(default_factory=list, repr=False)

    def remove(self) -> None:
        if self in self._owner:
            self._owner.remove(self)

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


class Faults:
    """The orders that stand."""

    def __init__(self, seed: int) -> None:
        self._orders: list[Fault] = []
        self._random = random.Random(seed)

    def order(
        self,
        operation: str,
        refusal: Refusal,
        *,
        times: int | None = None,
        when: When | None = None,
        rate: float = 1.0,
        after: bool = False,
    ) -> Fault:
        """Refuse calls of ``operation`` (``*`` and ``?`` match as in file names).

        All of them, or the next ``times``; only those whose parameters ``when`` is true of; each with the
        probability ``rate``. ``after``: the call takes effect first and then its answer is lost, which is
        what tells an idempotent client from one that hopes.
        """
        if not 0 <= rate <= 1:
            raise ValueError(f"rate is a probability, between 0 and 1, not {rate}")
        fault = Fault(operation, refusal, times, when, rate, after, _owner=self._orders)
        self._orders.append(fault)
        return fault

    def strikes(self, operation: str, params: Mapping[str, Any]) -> Fault | None:
        """The first order that refuses this call."""
        for fault in list(self._orders):
            if not fnmatchcase(operation, fault.operation):
                continue
            if fault.when is not None and not fault.when(params):
                continue
            if fault.rate < 1 and self._random.random() >= fault.rate:
                continue
            fault.hits += 1
            if fault.times is not None and fault.hits >= fault.times:
                fault.remove()
            return fault
        return None

    def clear(self) -> None:
        self._orders.clear()
