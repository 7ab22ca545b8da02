"""What the runs of a tuning job say, from its ledger: tags, params, statuses. Pure, and without secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from amt_flows.events import Outcome, TuningStatus, decisive
from amt_flows.ledger.algorithms import secret_names
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.names import training_job_name
from amt_flows.ledger.secrets import hidden
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.ports import RunStatus
from amt_flows.space.space import hyperparameter_texts

OURS: Final = "amt."
TUNING_JOB: Final = f"{OURS}tuning_job"
FINGERPRINT: Final = f"{OURS}fingerprint"
OPENED_AT: Final = f"{OURS}opened_at"
TRAINING_JOB: Final = f"{OURS}training_job"
COMPLETE: Final = f"{OURS}complete"
"""Says that nothing is missing of a run any more."""
SHARED: Final = f"{OURS}shared"
"""Says that the training job was told of its run, and may write to it itself."""
BEST: Final = f"{OURS}best"
RECOVERED: Final = "recovered"

STATUS_OF: Final[Mapping[Outcome, RunStatus]] = {
    Outcome.COMPLETED: RunStatus.FINISHED,
    Outcome.STOPPED_EARLY: RunStatus.KILLED,
    Outcome.TIMED_OUT: RunStatus.KILLED,
    Outcome.STOPPED: RunStatus.KILLED,
    Outcome.STOPPED_OUTSIDE: RunStatus.KILLED,
    Outcome.FAILED: RunStatus.FAILED,
    Outcome.INFRASTRUCTURE: RunStatus.FAILED,
    Outcome.NO_METRIC: RunStatus.FAILED,
    Outcome.LOST: RunStatus.FAILED,
}
_STATUS_OF_TUNING: Final[Mapping[TuningStatus, RunStatus]] = {
    TuningStatus.IN_PROGRESS: RunStatus.RUNNING,
    TuningStatus.STOPPING: RunStatus.RUNNING,
    TuningStatus.COMPLETED: RunStatus.FINISHED,
    TuningStatus.FAILED: RunStatus.FAILED,
    TuningStatus.STOPPED: RunStatus.KILLED,
}


def identity(ledger: Ledger) -> dict[str, str]:
    """The tags by which the runs of a tuning job are found again, but for when it was opened: of a record
    that was recovered that is another time."""
    return {TUNING_JOB: ledger.name, FINGERPRINT: ledger.fingerprint}


def opened_at(ledger: Ledger) -> str:
    """In milliseconds: two tuning jobs of one name, in two homes, are told apart by it."""
    return str(round(ledger.opened_at * 1000))


def is_recovered(ledger: Ledger) -> bool:
    return any(trial.source == RECOVERED for trial in ledger.trials.values())


def status_of_tuning(ledger: Ledger) -> RunStatus:
    return _STATUS_OF_TUNING[ledger.status]


def without_secrets(ledger: Ledger) -> Callable[[str], str]:
    """What takes the values of secret variables out of a text."""
    names = secret_names(ledger.algorithms)
    return lambda text: hidden(text, names)


def tuning_tags(ledger: Ledger, links: Mapping[str, str]) -> dict[str, str]:
    """Those of the tuning job's own run. ``links``: what else is to be linked to, by its tag."""
    clean, best, reason = without_secrets(ledger), ledger.best, decisive(ledger.reasons)
    objective = ledger.spec.objective
    tags = {
        **_given_tags(ledger),
        **identity(ledger),
        OPENED_AT: opened_at(ledger),
        **links,
        f"{OURS}status": ledger.status.value,
        f"{OURS}backend": ledger.backend or "local",
        f"{OURS}objective": f"{objective.type.value} {objective.metric_name}",
        f"{OURS}reason": "" if reason is None else reason.message,
        f"{OURS}rule": "" if reason is None else reason.rule,
        f"{OURS}training_jobs": str(len(ledger.jobs)),
    }
    if best is not None:
        tags[f"{OURS}best_training_job"] = best.name
        tags[f"{OURS}best_objective_value"] = repr(best.final_value)
    tags["mlflow.note.content"] = _note(ledger)
    return {key: clean(text) for key, text in tags.items() if text}


def _note(ledger: Ledger) -> str:
    best, reason = ledger.best, decisive(ledger.reasons)
    lines = [f"Tuning job **{ledger.name}** of amt-flows: {ledger.status.value}."]
    if reason is not None:
        lines.append(f"{reason.message}.")
    if best is not None:
        metric = ledger.algorithm_of(best).metric_name
        lines.append(f"The best training job is `{best.name}`, with {metric} = {best.final_value:g}.")
    return "\n\n".join(lines)


def tuning_params(ledger: Ledger) -> dict[str, str]:
    spec = ledger.spec
    limits = spec.limits
    return {
        "strategy": spec.strategy.value,
        "early_stopping": spec.early_stopping.type.value,
        "max_number_of_training_jobs": str(limits.max_number_of_training_jobs or ""),
        "max_parallel_training_jobs": str(limits.max_parallel_training_jobs),
        "seed": str(ledger.seed),
    }


def job_tags(ledger: Ledger, name: str, trial: int, attempt: int) -> dict[str, str]:
    """Those of a training job's run, of one that is yet to be launched too."""
    clean = without_secrets(ledger)
    one = ledger.trials[trial]
    tags = {
        **_given_tags(ledger),
        **identity(ledger),
        OPENED_AT: opened_at(ledger),
        TRAINING_JOB: name,
        f"{OURS}trial": str(trial),
        f"{OURS}attempt": str(attempt),
        f"{OURS}definition": one.definition,
        f"{OURS}proposed_by": one.source,
        f"{OURS}proposed_because": one.reason,
    }
    job = ledger.jobs.get(name)
    if job is not None:
        tags |= _ending_tags(ledger, job)
    return {key: clean(text) for key, text in tags.items() if text}


def _ending_tags(ledger: Ledger, job: TrainingJob) -> dict[str, str]:
    if job.outcome is None:
        return {f"{OURS}stop_reason": job.stop_why}
    is_best = ledger.finished and ledger.best is job
    return {
        f"{OURS}stop_reason": job.stop_why,
        f"{OURS}outcome": job.outcome.value,
        f"{OURS}reason": job.failure or job.stop_why,
        f"{OURS}objective_value": "" if job.final_value is None else repr(job.final_value),
        f"{OURS}log": job.log or "",
        f"{OURS}model": job.artifact or "",
        BEST: "true" if is_best else "",
    }


def job_params(ledger: Ledger, trial: int) -> dict[str, str]:
    """The hyperparameters, as the texts that the training job gets."""
    clean = without_secrets(ledger)
    one = ledger.trials[trial]
    spec = ledger.algorithm(one).spec
    texts = {
        **{name: str(text) for name, text in spec.static_hyperparameters.items()},
        **hyperparameter_texts(one.configuration),
    }
    return {name: clean(text) for name, text in texts.items()}


def trial_of(ledger: Ledger, name: str) -> tuple[int, int] | None:
    """The trial and attempt of a training job, launched or about to be."""
    job = ledger.jobs.get(name)
    if job is not None:
        return job.trial, job.attempt
    for one, attempt in ledger.to_launch():
        definition = ledger.algorithm(one).name
        if (
            training_job_name(ledger.name, one.number, one.configuration, attempt, definition=definition)
            == name
        ):
            return one.number, attempt
    return None


def _given_tags(ledger: Ledger) -> dict[str, str]:
    """The spec's own; what is MLflow's or ours means something else."""
    tags = ledger.spec.tags.items()
    return {key: value for key, value in tags if not key.startswith(("mlflow.", OURS))}
