"""Why one training job was proposed, and why it was stopped, as recorded when that was decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from amt_flows.errors import AmtFlowsError
from amt_flows.events import Judgement, Outcome
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.nearest import nearest
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
    """What the ledger says of the training job ``job_name``. Raises UnknownTrainingJob."""
    job = ledger.jobs.get(job_name)
    if job is None:
        meant = nearest(job_name, ledger.jobs, cutoff=0.9)
        raise UnknownTrainingJob(
            f"{ledger.name} has no training job {job_name}.",
            remedy=f"did you mean {meant}?" if meant else f"`amt-flows jobs {ledger.name}` lists them",
        )
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
        judged=len(job.judgements),
        stop=_deciding(job),
        stop_why=job.stop_why,
    )


def _deciding(job: TrainingJob) -> Judgement | None:
    if not job.stopped_early:
        return None
    return next((judgement for judgement in job.judgements if judgement.stop), None)
