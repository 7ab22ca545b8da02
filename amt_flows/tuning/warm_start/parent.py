"""A parent of a warm start, wherever it is read from: a tuning job of ours, or of SageMaker's own tuner.
(Those in files are in :mod:`amt_flows.tuning.warm_start.table`.)"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, runtime_checkable

from amt_flows.backends.local.changes import changed_since_launch
from amt_flows.events import Outcome
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.spec import TrainingJobTemplate, TuningSpec

if TYPE_CHECKING:
    from amt_flows.amt.parent import AmtParent, AmtParentJob

ENDED: Final = ("Completed", "Failed", "Stopped")
"""AMT's terminal statuses of a tuning job."""
OUTCOMES: Final = {"Completed": Outcome.COMPLETED, "Stopped": Outcome.STOPPED}
"""AMT's statuses of a training job whose value counts."""


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
    runs: str = ""
    """What its training jobs ran: the command, the function or the image; empty where nobody knows."""
    changed: tuple[str, ...] = ()
    """What was changed since, a few words each."""


Reader: TypeAlias = Callable[[str], Parent]
"""From a parent's name to the parent. Raises TuningJobNotFound."""


@dataclass(frozen=True)
class PassedOver:
    """An earlier tuning job from which a new one can't learn, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Searched:
    """The earlier tuning jobs that searched a space: those to learn from, the latest first, and those that
    are not, each with its reason. ``more`` fit as far as their openings tell, and weren't looked into."""

    parents: tuple[Parent, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    more: int = 0


@runtime_checkable
class KnowsEarlier(Protocol):
    """A reader of parents that also finds those that nobody names."""

    def __call__(self, name: str) -> Parent: ...

    def earlier(self, like: TuningSpec) -> Searched:
        """The tuning jobs that searched the space of ``like`` before. Raises JournalError."""
        ...


# -- a tuning job of ours ----------------------------------------------------------------------------------


def parent_from_ledger(ledger: Ledger) -> Parent:
    """The tuning job that a ledger tells of, with its own training jobs in the order in which they ended."""
    spec = ledger.spec
    return Parent(
        name=ledger.name,
        source="amt-flows",
        status=ledger.status.value,
        objective_metric=spec.objective.metric_name,
        maximize=spec.maximize,
        static_hyperparameters=spec.static_hyperparameters,
        tuned=frozenset(spec.space().names),
        jobs=tuple(_own_job(ledger, job) for job in ledger.ended),
        kinds=kinds(spec),
        algorithms=1 + len(spec.other_definitions),
        runs=what_runs(spec.training_job),
        changed=tuple(f"{file.name} has changed since" for file in changed_since_launch(ledger)),
    )


def what_runs(template: TrainingJobTemplate) -> str:
    """The command, the function or the image of training jobs."""
    if template.function is not None:
        return template.function
    if template.command:
        return shlex.join(template.command)
    image = template.sagemaker.get("AlgorithmSpecification")
    named = image if isinstance(image, Mapping) else {}
    return str(named.get("TrainingImage") or named.get("AlgorithmName") or "")


def kinds(spec: TuningSpec) -> dict[str, str]:
    """The kind of each tuned hyperparameter, by its name."""
    return {
        **{one.name: "continuous" for one in spec.continuous},
        **{one.name: "integer" for one in spec.integer},
        **{one.name: "categorical" for one in spec.categorical},
    }


def _own_job(ledger: Ledger, job: TrainingJob) -> ParentJob:
    return ParentJob(
        name=job.name,
        configuration=ledger.trials[job.trial].configuration,
        value=job.final_value if job.has_usable_value else None,
        outcome=job.outcome or Outcome.LOST,
        started_at=job.started_at,
        ended_at=job.ended_at,
    )


# -- a tuning job of AMT's ---------------------------------------------------------------------------------


def parent_from_amt(tuning_job: AmtParent) -> Parent:
    """The parent that AMT's tuning job makes. Its values are strings still: the ranges that they belong to
    are ours."""
    return Parent(
        name=tuning_job.name,
        source="AMT",
        status=tuning_job.status,
        objective_metric=tuning_job.objective_metric,
        maximize=tuning_job.maximize,
        static_hyperparameters=tuning_job.static_hyperparameters,
        tuned=frozenset(name for job in tuning_job.jobs for name in job.tuned_hyperparameters),
        jobs=tuple(_amts_job(job) for job in tuning_job.jobs),
    )


def _amts_job(job: AmtParentJob) -> ParentJob:
    counts = job.status in OUTCOMES
    return ParentJob(
        name=job.name,
        configuration=job.tuned_hyperparameters,
        value=job.objective_value if counts else None,
        outcome=OUTCOMES.get(job.status, Outcome.FAILED),
        started_at=job.started_at,
        ended_at=job.ended_at,
    )
