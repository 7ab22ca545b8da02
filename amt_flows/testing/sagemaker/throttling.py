"""Rate limits: refusing calls by chance or by a token bucket."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class TokenBucket:
    """``burst`` calls at once, then ``per_second`` of them, in the world's time. AWS publishes no numbers
    for SageMaker; people meet the limit at some calls a second."""

    per_second: float
    burst: int = 1

    def __post_init__(self) -> None:
        if self.per_second < 0 or self.burst < 1:
            raise ValueError(f"per_second must not be negative and burst at least 1, not {self}")


@dataclass(frozen=True)
class Chance:
    """Each call is refused with this probability."""

    probability: float

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"a probability is between 0 and 1, not {self.probability}")


Throttle = TokenBucket | Chance


class Throttles:
    """Which calls pass. ``rules`` are by operation (``CreateTrainingJob``), and ``*`` is for all others
    together, as the service's limits are shared."""

    def __init__(self, rules: Mapping[str, Throttle], seed: int) -> None:
        self._rules = dict(rules)
        self._random = random.Random(seed)
        self._tokens: dict[str, tuple[float, float]] = {}  # rule -> (tokens left, when that was)

    def admits(self, operation: str, now: float) -> bool:
        key = operation if operation in self._rules else "*"
        rule = self._rules.get(key)
        if rule is None:
            return True
        if isinstance(rule, Chance):
            return self._random.random() >= rule.probability
        left, then = self._tokens.get(key, (float(rule.burst), now))
        left = min(float(rule.burst), left + (now - then) * rule.per_second)
        admitted = left >= 1
        self._tokens[key] = (left - 1 if admitted else left, now)
        return admitted
