"""What an engine must do to run training jobs: start one by its name, say where it stands, drop it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, Protocol

from amt_flows.errors import Problem
from amt_flows.ports import JobRequest, Room
from amt_flows.spec import Resources, TuningSpec

START_SECONDS: Final = 1800.0
"""How long a machine may take, once it has a job, to begin with it: an image is pulled meanwhile."""


class EngineState(str, Enum):
    WAITING = "waiting"
    """For a machine, or for its start."""
    RUNNING = "running"
    OVER = "over"
    UNKNOWN = "unknown"
    """The engine has no job of that name; it may have forgotten it."""


@dataclass(frozen=True)
class EngineJob:
    """Where a job stands with its engine. ``why``: what the engine says of an end. ``since`` (seconds since
    the epoch): where it was handed to a machine, on which it has to begin."""

    state: EngineState
    why: str = ""
    since: float | None = None
    within: float = START_SECONDS
    """In how many seconds."""


@dataclass(frozen=True)
class Order:
    """What an engine is to run: ``program`` (and its arguments) on the job's directory. ``launch`` tells this
    job from an earlier one of the same name whose directory is gone."""

    request: JobRequest
    directory: Path
    launch: str
    program: Sequence[str]


class Engine(Protocol):
    """Its methods raise CapacityUnavailable while it can't be reached, BackendError for what doesn't pass."""

    @property
    def address(self) -> str: ...

    def check(self, spec: TuningSpec) -> Sequence[Problem]:
        """What would keep this spec's jobs from running there. Raises CapacityUnavailable."""
        ...

    def room(self, need: Resources) -> Room: ...

    def must_have_room(self, request: JobRequest) -> None:
        """Raises CapacityUnavailable when the job would only wait there."""
        ...

    def start(self, order: Order) -> None:
        """Have it run; one that it has already, of the same launch, is that one. Raises NameTaken when it has
        another of that name, LaunchRejected."""
        ...

    def jobs(self, tuning_job: str, names: Sequence[str]) -> Mapping[str, EngineJob]:
        """What it knows of these jobs of a tuning job, by name, in as few requests as can be."""
        ...

    def drop(self, tuning_job: str, name: str, *, lost: bool = False) -> None:
        """Don't start a job that waits; or (``lost``) let go of one whose worker has ended without a word."""
        ...
