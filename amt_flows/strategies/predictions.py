"""What the search for the next configuration asks of a model."""

from __future__ import annotations

from typing import Protocol

from amt_flows.strategies.gaussian_process import Array, Mask


class Predictions(Protocol):
    """``points`` are the places it learnt from (shape ``(n, d)``), pending ones included; ``incumbent`` is
    the target to improve on: the least known or expected."""

    @property
    def points(self) -> Array: ...

    @property
    def categorical(self) -> Mask: ...

    @property
    def incumbent(self) -> float: ...

    def predict(self, places: Array) -> tuple[Array, Array]:
        """Means and standard deviations at places (``(m, d)`` → ``(m,)`` each)."""
        ...

    def predict_with_gradient(self, place: Array) -> tuple[float, float, Array, Array]:
        """At one place (shape ``(d,)``): mean, standard deviation, and their gradients (``(d,)`` each)."""
        ...
