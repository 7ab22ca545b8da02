"""AMT's training jobs as trials and jobs of our ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from amt_flows.amt.described_spec import typed
from amt_flows.amt.parent import objective_value
from amt_flows.backends.sagemaker.service import Answer
from amt_flows.backends.sagemaker.watched import seconds
from amt_flows.events import Ended, Event, Launched, Proposed
from amt_flows.ledger.algorithms import algorithm_named, secret_names
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.names import parse_training_job_name
from amt_flows.ledger.secrets import hidden
from amt_flows.ports import JobReport
from amt_flows.space.space import Value
from amt_flows.spec import EarlyStoppingType, StrategyType, TuningSpec

SOURCE = "amt"


def newcomers(ledger: Ledger, entries: Sequence[Answer]) -> list[Event]:
    """The events of the listed jobs that the ledger doesn't know, in the order of their creation.

    A trial has the number that AMT gave it in the job's name, unless another trial has it.
    """
    fresh = [entry for entry in entries if str(entry["TrainingJobName"]) not in ledger.jobs]
    fresh.sort(key=lambda entry: (entry["CreationTime"], str(entry["TrainingJobName"])))
    return list(_newcomers(ledger, fresh))


def _newcomers(ledger: Ledger, fresh: Sequence[Answer]) -> Iterator[Event]:
    trials: dict[int, dict[str, Value]] = {n: dict(t.configuration) for n, t in ledger.trials.items()}
    taken = {(job.trial, job.attempt) for job in ledger.jobs.values()}
    for entry in fresh:
        name, at = str(entry["TrainingJobName"]), entry["CreationTime"].timestamp()
        algorithm = algorithm_named(ledger.spec, str(entry.get("TrainingJobDefinitionName") or ""))
        configuration = typed(algorithm.spec, entry["TunedHyperParameters"])
        parts = parse_training_job_name(name)
        number, attempt = (parts.trial, parts.attempt) if parts is not None else (0, 1)
        again = trials.get(number) == configuration and (number, attempt) not in taken
        if not again:
            if number < 1 or number in trials:
                number, attempt = max(trials, default=0) + 1, 1
            trials[number] = configuration
            how = ledger.spec.strategy.value
            why = f"chosen by AMT's {how} strategy"
            yield Proposed(at, number, configuration, SOURCE, why, algorithm.name)
        taken.add((number, attempt))
        yield Launched(at, name, number, attempt)


# -- the end of a job --------------------------------------------------------------------------------------


def ending(
    ledger: Ledger,
    report: JobReport,
    entry: Answer | None,
    metrics: Mapping[str, float],
    *,
    now: float,
    judged: bool,
    stopped_early: bool,
    was_asked: bool,
) -> Ended:
    """The end of a job, from its report and its entry in AMT's list. ``metrics`` has the last value of each;
    ``was_asked``: AMT or we had it stopped.

    Its final objective is the one that AMT took, so that both find the same best. Unless it was ``judged``
    (AMT has not said, and won't any more), the log's last value counts.
    """
    own = ledger.algorithm_of(ledger.jobs[report.name]).metric_name
    value = objective_value(entry) if judged and entry is not None else metrics.get(own)
    entry = entry or {}
    ended_at = seconds(entry.get("TrainingEndTime")) or report.ended_at
    return Ended(
        at=now,
        job=report.name,
        outcome=report.outcome(
            stopped_early=stopped_early, has_objective=value is not None, was_asked=was_asked
        ),
        started_at=seconds(entry.get("TrainingStartTime")) or report.started_at,
        ended_at=now if ended_at is None else ended_at,
        metrics=metrics if value is None else {**metrics, own: value},
        artifact=report.artifact,
        log=report.log,
        failure=None if report.failure is None else hidden(report.failure, secret_names(ledger.algorithms)),
    )


# -- jobs that AMT stops -----------------------------------------------------------------------------------


def stops_jobs_early(spec: TuningSpec) -> bool:
    """Whether AMT may stop single training jobs: by the rule, by Hyperband's own, or by its own choice."""
    rule = spec.early_stopping.type is EarlyStoppingType.AUTO
    return rule or spec.strategy is StrategyType.HYPERBAND or spec.autotune


def time_is_up(algorithm: TuningSpec, entry: Answer, now: float) -> bool:
    """Whether a job that stops has had all the time that it was given."""
    longest, started = algorithm.training_job.max_runtime_seconds, seconds(entry.get("TrainingStartTime"))
    if longest is None or started is None:
        return False
    return (seconds(entry.get("TrainingEndTime")) or now) - started >= longest
