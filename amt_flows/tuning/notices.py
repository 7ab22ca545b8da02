"""What is worth a look before a tuning job runs: the spec's own advice, what can't act within its limits, and
what the place where it is to run doesn't use. ``plan`` shows it, ``run`` and the flow say it once."""

from __future__ import annotations

from collections.abc import Iterator

from amt_flows.backends.places import AMT, LOCAL, RAY, SAGEMAKER, WORK_POOL
from amt_flows.ledger.algorithms import algorithms_of
from amt_flows.ledger.ledger import Ledger
from amt_flows.names import count
from amt_flows.rules.budget import worst_case_cost
from amt_flows.rules.convergence import LEAST
from amt_flows.spec import EarlyStoppingType, TuningSpec
from amt_flows.spec.advice import warnings
from amt_flows.spec.rules import grid_size


def notices(spec: TuningSpec, address: str) -> list[str]:
    """Each a sentence or two, with the field it is about first. ``address``: that of the place."""
    kind = address.partition(":")[0]
    return [*warnings(spec), *_idle(spec, kind), *_too_dear(spec, kind), *_on(spec, kind)]


def opening_notices(ledger: Ledger) -> list[str]:
    """What is to be said when a tuning job begins; nothing of one that is taken up again: it was said."""
    begun = ledger.finished or bool(ledger.jobs)
    return [] if begun else [*notices(ledger.spec, ledger.backend), *_learnt(ledger)]


def _learnt(ledger: Ledger) -> Iterator[str]:
    """From what a tuning job learns that may find its teachers itself."""
    if not ledger.spec.learn_from:
        return
    given = () if ledger.spec.warm_start is None else ledger.spec.warm_start.parents
    found = [
        f"{one.parent} ({len(one.jobs)} of its training jobs; {one.source})"
        for one in ledger.inherited
        if one.parent not in given
    ]
    told = f"it starts from what was found by {', '.join(found)}" if found else "no earlier one fits"
    yield f"learn_from: {told}"


def _idle(spec: TuningSpec, kind: str) -> Iterator[str]:
    """Rules of ours that the number of training jobs leaves no room for."""
    jobs = spec.limits.max_number_of_training_jobs or grid_size(spec)
    if jobs is None:
        return
    completion, stopping = spec.completion, spec.early_stopping
    of = count(jobs, "training job")
    # AMT's own way to detect convergence is not published.
    if completion.complete_on_convergence and kind != AMT and jobs <= LEAST:
        yield (
            f"completion.complete_on_convergence: can't act within {of}: convergence is "
            f"looked for once {LEAST} have ended; allow more, or leave it out"
        )
    patience = completion.max_number_of_training_jobs_not_improving
    if patience is not None and jobs <= patience + 1:
        yield (
            f"completion.max_number_of_training_jobs_not_improving: can't act within {of}: the first "
            f"improves, and {patience} more that don't are waited for; write less, or leave it out"
        )
    compared = stopping.min_jobs
    if stopping.type is not EarlyStoppingType.OFF and compared is not None and jobs <= compared:
        yield (
            f"early_stopping.min_jobs: with {of} none is compared with {count(compared, 'other')}; "
            "write less, or leave it out"
        )


def _too_dear(spec: TuningSpec, kind: str) -> Iterator[str]:
    """A cost that a single training job might pass is never risked."""
    most, worst = spec.limits.max_cost, worst_case_cost(spec)
    if most is not None and kind != AMT and most < worst:
        yield (
            f"limits.max_cost: one training job may cost {worst:.4g}, more than the {most:.4g} allowed, so "
            "that none would be launched; raise it, or lower training_job.max_runtime_seconds"
        )


def _on(spec: TuningSpec, kind: str) -> Iterator[str]:
    """What the place doesn't use of it, each said once, by its field in the whole spec."""
    for algorithm in algorithms_of(spec):
        yield from (algorithm.field(notice) for notice in _of_other_places(algorithm.spec, kind))
    # Late: what a place needs to say is of no use elsewhere.
    if kind == LOCAL:
        from amt_flows.backends.local.notices import notices as of_one
    elif kind in (SAGEMAKER, AMT):
        from amt_flows.backends.sagemaker.notices import notices as of_one
    else:
        return
    for algorithm in algorithms_of(spec):
        for notice in of_one(algorithm.spec):
            yield algorithm.field(notice)
        if kind == AMT and spec.limits.concurrency_limits:
            yield "limits.concurrency_limits: is not used by AMT, which launches training jobs itself"
        if kind == AMT:
            yield from (algorithm.field(notice) for notice in _without_order(algorithm.spec))


def _of_other_places(spec: TuningSpec, kind: str) -> Iterator[str]:
    job = spec.training_job
    if job.resources.is_asked and kind in (SAGEMAKER, AMT):
        yield "training_job.resources: is not used on SageMaker, where the instance type decides"
    if job.runtime_env and kind != RAY:
        yield "training_job.runtime_env: is used on Ray only"
    if job.warm and kind != LOCAL:
        yield "training_job.warm: is used for jobs that are processes of this machine only"
    if job.job_variables and kind != WORK_POOL:
        yield "training_job.job_variables: is used in a Prefect work pool only"


def _without_order(spec: TuningSpec) -> Iterator[str]:
    for i, one in enumerate(spec.categorical):
        if one.ordered:
            yield f"categorical[{i}].ordered: is not used by AMT, which knows no order of values"
