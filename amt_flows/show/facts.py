"""What is said of a tuning job wherever it is summed up: how it stands, what came of it, what that took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from amt_flows.events import Outcome, TuningStatus
from amt_flows.ledger.failures import failure_line
from amt_flows.names import count
from amt_flows.results import TrainingJobRecord, TuningResult, spec_of
from amt_flows.results.edges import edges
from amt_flows.show.text import duration, hyperparameters, money, number, place


def status(result: TuningResult) -> str:
    """AMT's status in lower-case words."""
    return {TuningStatus.IN_PROGRESS: "in progress"}.get(result.status, result.status.value.lower())


def took(result: TuningResult) -> str:
    """``after 4 min 5 s``, or ``for 12.3 s of 5 min`` of one that runs."""
    if result.ended_at is not None:
        return f"after {duration(result.runtime_seconds)}"
    limit = spec_of(result).limits.max_runtime_seconds
    of = "" if limit is None else f" of {duration(limit)}"
    return f"for {duration(result.runtime_seconds)}{of}"


def tally(result: TuningResult) -> str:
    """``12 of 20 training jobs launched (9 completed, 2 stopped early, 1 running)``."""
    limit = spec_of(result).limits.max_number_of_training_jobs
    launched = len(result.jobs)
    of = f"{launched} of {count(limit, 'training job')}" if limit else count(launched, "training job")
    states = Counter(map(_ended_as, result.jobs))
    detail = ", ".join(f"{amount} {name}" for name, amount in states.most_common())
    return f"{of} launched ({detail})" if detail else f"{of} launched"


def none_launched(result: TuningResult) -> str:
    """What stands in place of a table of training jobs."""
    return "None was launched yet." if result.ended_at is None else "None was launched."


def _ended_as(job: TrainingJobRecord) -> str:
    unusable = job.failed and job.outcome == Outcome.COMPLETED.value
    return f"{job.state} without a usable value" if unusable else job.state


def facts(result: TuningResult) -> Iterator[tuple[str, str]]:
    """The best training job, then the :func:`spendings`: what, and what it is."""
    best = result.best
    if best is not None:
        of = f", of {best.definition}" if best.definition else ""
        yield "best", f"{result.objective_metric} {number(best.objective_value)} by {best.name}{of}"
        yield "with", hyperparameters(best.hyperparameters)
        for edge in edges(result):
            yield "on an edge", str(edge)
        yield "its model", "none was left" if best.artifact is None else place(best.artifact)
    front = front_line(result)
    if front:
        yield "Pareto front", front
    yield from spendings(result)


def front_line(result: TuningResult) -> str:
    """What came of several objectives, in one sentence without its stop; empty when there is but one."""
    others = result.other_metrics()
    if not others:
        return ""
    silent = [name for name in others if not any(name in job.metrics for job in result.jobs)]
    ended = any(job.has_usable_value for job in result.jobs)
    if not result.pareto_front:
        why = f": no training job has told {' or '.join(silent)}" if silent and ended else ""
        return f"empty{why}" if ended else "empty so far"
    metrics = ", ".join([result.objective_metric, *others])
    jobs = count(len(result.pareto_front), "training job")
    return f"{jobs} that no other betters in one of {metrics} without being worse in another"


def spendings(result: TuningResult) -> Iterator[tuple[str, str]]:
    """What it took and what was saved of that, the last failure, and where the record is."""
    yield "training", f"{duration(result.training_seconds)} summed over all training jobs"
    if result.saved.stopped_jobs:
        saved = f"{duration(result.saved.seconds)} of training saved ({result.saved.share:.0%})"
        yield "early stopping", f"{count(result.saved.stopped_jobs, 'job')} stopped, about {saved}"
    if result.cost is not None:
        yield "cost", money(result.cost)
    last = _last_failure(result)
    if last is not None:
        reason = failure_line(last.failure) or f"no usable value of {result.objective_metric} in its output"
        yield "last failure", f"{last.name}: {reason}"
    yield "record", place(result.journal)


def _last_failure(result: TuningResult) -> TrainingJobRecord | None:
    broken = [job for job in result.jobs if job.failed]
    return max(broken, key=lambda job: job.ended_at or 0.0, default=None)
