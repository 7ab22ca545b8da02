"""A parent of a warm start, wherever it was read from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from amt_flows.events import Outcome

ENDED: Final = ("Completed", "Failed", "Stopped")
"""AMT's terminal statuses of a tuning job."""


@dataclass(frozen=True)
class ParentJob:
    """A training job. ``configuration`` holds the tuned hyperparameters, in whatever types they were read;
    ``value`` is the final objective, None or not finite when the job ended without one that counts. Times are
    seconds since the epoch."""

    name: str
    configuration: Mapping[str, object]
    value: float | None
    outcome: Outcome = Outcome.COMPLETED
    started_at: float | None = None
    ended_at: float | None = None


@dataclass(frozen=True)
class Parent:
    """A tuning job and its own training jobs. What it inherited itself is no part of it: warm start is not
    recursive (AMT's guide "Run a Warm Start Hyperparameter Tuning Job")."""

    name: str
    source: str
    """Where it was read from, for a person: ``amt-flows``, ``AMT``, the path of a file."""
    status: str
    """AMT's ``HyperParameterTuningJobStatus``."""
    objective_metric: str
    maximize: bool
    static_hyperparameters: Mapping[str, str]
    tuned: frozenset[str]
    """The names of the tuned hyperparameters."""
    jobs: tuple[ParentJob, ...]
    kinds: Mapping[str, str] = field(default_factory=dict)
    """``continuous``, ``integer`` or ``categorical`` by the name of a tuned one, where it is known."""
    algorithms: int = 1


Reader: TypeAlias = Callable[[str], Parent]
"""From a parent's name to the parent. Raises TuningJobNotFound."""
