"""A tuning job of ours as a parent."""

from __future__ import annotations

from amt_flows.events import Outcome
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.spec import TuningSpec
from amt_flows.tuning.warm_start.parent import Parent, ParentJob


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
        jobs=tuple(_job(ledger, job) for job in ledger.ended),
        kinds=kinds(spec),
        algorithms=1 + len(spec.other_definitions),
    )


def kinds(spec: TuningSpec) -> dict[str, str]:
    """The kind of each tuned hyperparameter, by its name."""
    return {
        **{one.name: "continuous" for one in spec.continuous},
        **{one.name: "integer" for one in spec.integer},
        **{one.name: "categorical" for one in spec.categorical},
    }


def _job(ledger: Ledger, job: TrainingJob) -> ParentJob:
    return ParentJob(
        name=job.name,
        configuration=ledger.trials[job.trial].configuration,
        value=job.final_value if job.has_usable_value else None,
        outcome=job.outcome or Outcome.LOST,
        started_at=job.started_at,
        ended_at=job.ended_at,
    )
