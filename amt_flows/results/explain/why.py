"""Why one training job was proposed, and why it was stopped, as recorded when that was decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from amt_flows.errors import AmtFlowsError
from amt_flows.events import Judgement, Outcome
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.short_names import training_jobs_called
from amt_flows.names import nearest
from amt_flows.space.space import Value


class UnknownTrainingJob(AmtFlowsError):
    """The tuning job has no training job of that name."""

    exit_code = 3


@dataclass(frozen=True)
class Why:
    """``source`` is the part of the strategy that proposed the configuration, ``reason`` what it expected of
    it then. ``stop`` is the judgement that stopped the job early, None if none did; ``stop_why`` the reason
    for any stop that was asked for. ``judged`` counts the epochs that the early-stopping rule looked at.
    """

    job: str
    trial: int
    attempt: int
    configuration: Mapping[str, Value]
    source: str
    reason: str
    outcome: Outcome | None
    value: float | None
    judged: int
    stop: Judgement | None
    stop_why: str
    definition: str = ""
    """Which of several algorithms it is of."""


def why(ledger: Ledger, job_name: str) -> Why:
    """What the ledger says of the training job ``job_name``, which may be a short one
    (:mod:`amt_flows.ledger.short_names`). Raises UnknownTrainingJob."""
    called = training_jobs_called(ledger, job_name)
    if len(called) != 1:
        raise _not_one(ledger, job_name, called)
    job = ledger.jobs[called[0]]
    trial = ledger.trials[job.trial]
    return Why(
        job=job.name,
        trial=job.trial,
        attempt=job.attempt,
        configuration=trial.configuration,
        source=trial.source,
        definition=trial.definition,
        reason=trial.reason,
        outcome=job.outcome,
        value=job.curve.last_value if job.live else job.final_value,
        judged=job.judged,
        stop=job.verdict if job.stopped_early else None,
        stop_why=job.stop_why,
    )


def _not_one(ledger: Ledger, given: str, called: list[str]) -> UnknownTrainingJob:
    if called:
        several = ", ".join(called[:5]) + (", ..." if len(called) > 5 else "")
        return UnknownTrainingJob(
            f"{ledger.name} has {len(called)} training jobs that {given} may mean: {several}.",
            remedy="give more of the name",
        )
    meant = nearest(given, ledger.jobs, cutoff=0.9)
    return UnknownTrainingJob(
        f"{ledger.name} has no training job {given}.",
        remedy=f"did you mean {meant}?" if meant else f"`amt-flows jobs {ledger.name}` lists them",
    )
