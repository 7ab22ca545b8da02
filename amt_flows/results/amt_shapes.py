"""AMT's own answers for a tuning job: ``DescribeHyperParameterTuningJob`` and the two lists.

They fit botocore's output model for every spec that SageMaker would take. One that it wouldn't (a time limit
of five seconds, say) is described as it is. Times are aware datetimes, as boto3 gives them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final

from amt_flows.errors import SpecError
from amt_flows.events import Inherited, InheritedJob, Outcome, TuningStatus, decisive
from amt_flows.ledger.inherited import best_inherited
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import RETRYABLE, TrainingJob
from amt_flows.results.ranking import pareto_front, ranked
from amt_flows.rules.convergence import jobs_not_improving
from amt_flows.space.space import as_text, hyperparameter_texts
from amt_flows.spec import ContinuousRange, IntegerRange, StrategyType, TuningSpec, WarmStartType
from amt_flows.spec.amt_fields import ONE, SEVERAL
from amt_flows.spec.parts import is_table

LONGEST_FAILURE_REASON = 1024
STOPPING: Final = "Stopping"
"""AMT's word for a training job that was asked to stop and has not ended."""


def until(ledger: Ledger, now: float) -> float:
    """Until when the tuning job has run; never before the last thing known of it."""
    return ledger.finished_at if ledger.finished_at is not None else max(now, ledger.last_at)


def when(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)


def training_job_status(job: TrainingJob) -> str:
    """AMT's ``TrainingJobStatus``."""
    match job.outcome:
        case None:
            return STOPPING if job.stop_asked_at is not None else "InProgress"
        case Outcome.COMPLETED | Outcome.NO_METRIC:
            return "Completed"
        case Outcome.STOPPED_EARLY | Outcome.TIMED_OUT | Outcome.STOPPED | Outcome.STOPPED_OUTSIDE:
            return "Stopped"
        case Outcome.FAILED | Outcome.INFRASTRUCTURE | Outcome.LOST:
            return "Failed"


def objective_status(job: TrainingJob) -> str:
    """AMT's ``ObjectiveStatus``: Succeeded when a final metric was read and can be used."""
    if job.live:
        return "Pending"
    return "Succeeded" if job.has_usable_value else "Failed"


_REGION_AND_ACCOUNT = "local:000000000000"


def _arn(kind: str, name: str) -> str:
    # The shapes require an ARN; a job on one's own machine has none, so its region says "local".
    return f"arn:aws:sagemaker:{_REGION_AND_ACCOUNT}:{kind}/{name.lower()}"


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def training_job_summary(ledger: Ledger, job: TrainingJob) -> dict[str, Any]:
    """AMT's ``HyperParameterTrainingJobSummary``; times are aware datetimes, as boto3 gives them."""
    trial = ledger.trials[job.trial]
    algorithm = ledger.algorithm(trial).spec
    final = {**_objective(algorithm), "Value": job.final_value} if job.has_usable_value else None
    return _without_none(
        {
            "TrainingJobDefinitionName": algorithm.definition_name,
            "TrainingJobName": job.name,
            "TrainingJobArn": _arn("training-job", job.name),
            "CreationTime": when(job.launched_at),
            "TrainingStartTime": when(job.started_at),
            "TrainingEndTime": when(job.ended_at),
            "TrainingJobStatus": training_job_status(job),
            "TunedHyperParameters": hyperparameter_texts(trial.configuration),
            "FailureReason": None if job.failure is None else job.failure[:LONGEST_FAILURE_REASON],
            "FinalHyperParameterTuningJobObjectiveMetric": final,
            "ObjectiveStatus": objective_status(job),
        }
    )


def overall_best_training_job(ledger: Ledger) -> dict[str, Any] | None:
    """The best training job of this tuning job and its parents, as a summary that names the tuning job;
    None but for a warm start with identical data and algorithm, as AMT has it, or while there is none."""
    warm_start, own = ledger.spec.warm_start, ledger.best
    if warm_start is None or warm_start.type is not WarmStartType.IDENTICAL_DATA_AND_ALGORITHM:
        return None
    found = best_inherited(ledger.inherited, ledger.loss)
    ours = math.inf if own is None or own.final_value is None else ledger.loss(own.final_value)
    if found is not None and ledger.loss(found[1].value) < ours:
        return _inherited_summary(ledger, *found)
    return None if own is None else {**training_job_summary(ledger, own), "TuningJobName": ledger.name}


def _inherited_summary(ledger: Ledger, parent: Inherited, job: InheritedJob) -> dict[str, Any]:
    # When it was created isn't known; the shape requires a time.
    times = (job.started_at, job.ended_at, ledger.opened_at)
    return _without_none(
        {
            "TrainingJobName": job.job,
            "TrainingJobArn": _arn("training-job", job.job),
            "TuningJobName": None if is_table(parent.parent) else parent.parent,
            "CreationTime": when(next(time for time in times if time is not None)),
            "TrainingStartTime": when(job.started_at),
            "TrainingEndTime": when(job.ended_at),
            "TrainingJobStatus": "Completed",
            "TunedHyperParameters": hyperparameter_texts(job.configuration),
            "FinalHyperParameterTuningJobObjectiveMetric": {**_objective(ledger.spec), "Value": job.value},
            "ObjectiveStatus": "Succeeded",
        }
    )


def _warm_start_config(spec: TuningSpec) -> dict[str, Any] | None:
    """AMT's ``WarmStartConfig``; files among the parents have no place in it."""
    if spec.warm_start is None:
        return None
    names = [name for name in spec.warm_start.parents if not is_table(name)]
    parents = [{"HyperParameterTuningJobName": name} for name in names]
    if not parents:
        return None
    return {"ParentHyperParameterTuningJobs": parents, "WarmStartType": spec.warm_start.type.value}


def training_job_status_counters(ledger: Ledger) -> dict[str, int]:
    statuses = [training_job_status(job) for job in ledger.jobs.values()]
    retryable = sum(job.outcome in RETRYABLE for job in ledger.jobs.values())
    return {
        "Completed": statuses.count("Completed"),
        "InProgress": statuses.count("InProgress") + statuses.count("Stopping"),
        "RetryableError": retryable,
        "NonRetryableError": statuses.count("Failed") - retryable,
        "Stopped": statuses.count("Stopped"),
    }


def objective_status_counters(ledger: Ledger) -> dict[str, int]:
    statuses = [objective_status(job) for job in ledger.jobs.values()]
    return {status: statuses.count(status) for status in ("Succeeded", "Pending", "Failed")}


def describe(ledger: Ledger, now: float) -> dict[str, Any]:
    """AMT's ``DescribeHyperParameterTuningJob`` answer for a tuning job as it stands at ``now``; with further
    objectives, of which AMT knows nothing, also ``ParetoFront``, the names of its training jobs."""
    spec, described = ledger.spec, _with_hints(ledger)
    end = until(ledger, now)
    best = ledger.best
    not_improving = jobs_not_improving(ledger, spec.completion.min_relative_improvement)
    details: dict[str, Any] = {"NumberOfTrainingJobsObjectiveNotImproving": not_improving}
    if ledger.converged_at is not None:
        details["ConvergenceDetectedTime"] = when(ledger.converged_at)
    reason = decisive(ledger.reasons)
    failure = None if reason is None else reason.message[:LONGEST_FAILURE_REASON]
    status = ledger.amts_status or ledger.status
    return _without_none(
        {
            "HyperParameterTuningJobName": ledger.name,
            "HyperParameterTuningJobArn": _arn("hyper-parameter-tuning-job", ledger.name),
            "HyperParameterTuningJobConfig": tuning_job_config(described),
            **training_job_definitions(described),
            "HyperParameterTuningJobStatus": status.value,
            "CreationTime": when(ledger.opened_at),
            "HyperParameterTuningEndTime": when(ledger.finished_at),
            "LastModifiedTime": when(ledger.last_at),
            "TrainingJobStatusCounters": training_job_status_counters(ledger),
            "ObjectiveStatusCounters": objective_status_counters(ledger),
            "BestTrainingJob": None if best is None else training_job_summary(ledger, best),
            "OverallBestTrainingJob": overall_best_training_job(ledger),
            "ParetoFront": [job.name for job in pareto_front(ledger)] if spec.other_objectives else None,
            "WarmStartConfig": _warm_start_config(spec),
            "Autotune": {"Mode": "Enabled"} if ledger.asked.autotune else None,
            "FailureReason": failure if status is TuningStatus.FAILED else None,
            "TuningJobCompletionDetails": details,
            "ConsumedResources": {"RuntimeInSeconds": int(ledger.running_seconds(end))},
        }
    )


def tuning_job_summary(ledger: Ledger) -> dict[str, Any]:
    """AMT's ``HyperParameterTuningJobSummary``, as ``ListHyperParameterTuningJobs`` gives it."""
    return _without_none(
        {
            "HyperParameterTuningJobName": ledger.name,
            "HyperParameterTuningJobArn": _arn("hyper-parameter-tuning-job", ledger.name),
            "HyperParameterTuningJobStatus": (ledger.amts_status or ledger.status).value,
            "Strategy": _strategy(ledger.spec),
            "CreationTime": when(ledger.opened_at),
            "HyperParameterTuningEndTime": when(ledger.finished_at),
            "LastModifiedTime": when(ledger.last_at),
            "TrainingJobStatusCounters": training_job_status_counters(ledger),
            "ObjectiveStatusCounters": objective_status_counters(ledger),
            "ResourceLimits": _resource_limits(ledger.spec),
        }
    )


def training_jobs(ledger: Ledger) -> dict[str, Any]:
    """AMT's ``ListTrainingJobsForHyperParameterTuningJob`` answer, best objective first."""
    return {"TrainingJobSummaries": [training_job_summary(ledger, job) for job in ranked(ledger)]}


# -- the request, as it is described --------------------------------------------------------------


def _with_hints(ledger: Ledger) -> TuningSpec:
    """With the value hints that were given in the place of the ranges that were chosen from them."""
    asked = {name: getattr(ledger.asked, name) for name in _RANGES}
    return ledger.spec.model_copy(update=asked)


_RANGES: Final = ("continuous", "integer", "categorical", "auto_parameters", "other_definitions")


def tuning_job_config(spec: TuningSpec) -> dict[str, Any]:
    """AMT's ``HyperParameterTuningJobConfig``, with every default written out. What is ours alone has no
    place in it. Several algorithms have their objectives and ranges in their definitions."""
    alone = not spec.other_definitions
    return _without_none(
        {
            "Strategy": _strategy(spec),
            "StrategyConfig": _strategy_config(spec),
            "HyperParameterTuningJobObjective": _objective(spec) if alone else None,
            "ResourceLimits": _resource_limits(spec),
            "ParameterRanges": _ranges(spec) if alone else None,
            "TrainingJobEarlyStoppingType": spec.early_stopping.type.value,
            "TuningJobCompletionCriteria": _completion_criteria(spec) or None,
            "RandomSeed": spec.seed,
        }
    )


def _objective(spec: TuningSpec) -> dict[str, Any]:
    return {"Type": spec.objective.type.value, "MetricName": spec.objective.metric_name}


def _strategy_config(spec: TuningSpec) -> dict[str, Any] | None:
    if spec.hyperband is None:
        return None
    resources = {"MinResource": spec.hyperband.min_resource, "MaxResource": spec.hyperband.max_resource}
    return {"HyperbandStrategyConfig": resources}


def _ranges(spec: TuningSpec) -> dict[str, Any]:
    hints = [{"Name": one.name, "ValueHint": one.value_hint} for one in spec.auto_parameters]
    return {
        "IntegerParameterRanges": [_range(one) for one in spec.integer],
        "ContinuousParameterRanges": [_range(one) for one in spec.continuous],
        "CategoricalParameterRanges": [
            {"Name": one.name, "Values": list(one.values)} for one in spec.categorical
        ],
        **({"AutoParameters": hints} if hints else {}),
    }


def _strategy(spec: TuningSpec) -> str:
    # The nearest one that AMT has a word for.
    return "Random" if spec.strategy is StrategyType.QUASI_RANDOM else spec.strategy.value


def _resource_limits(spec: TuningSpec) -> dict[str, Any]:
    limits = spec.limits
    return _without_none(
        {
            "MaxNumberOfTrainingJobs": limits.max_number_of_training_jobs,
            "MaxParallelTrainingJobs": limits.max_parallel_training_jobs,
            "MaxRuntimeInSeconds": limits.max_runtime_seconds,
        }
    )


def _range(asked: ContinuousRange | IntegerRange) -> dict[str, str]:
    return {
        "Name": asked.name,
        "MinValue": as_text(asked.min_value),
        "MaxValue": as_text(asked.max_value),
        "ScalingType": asked.scaling_type.value,
    }


def _completion_criteria(spec: TuningSpec) -> dict[str, Any]:
    completion = spec.completion
    jobs = completion.max_number_of_training_jobs_not_improving
    converged = {"CompleteOnConvergence": "Enabled"} if completion.complete_on_convergence else None
    return _without_none(
        {
            "TargetObjectiveMetricValue": completion.target_objective_metric_value,
            "BestObjectiveNotImproving": None
            if jobs is None
            else {"MaxNumberOfTrainingJobsNotImproving": jobs},
            "ConvergenceDetected": converged,
        }
    )


def training_job_definitions(spec: TuningSpec) -> dict[str, Any]:
    """AMT's ``TrainingJobDefinition``, or ``TrainingJobDefinitions`` of several algorithms, by that name;
    none for a spec that doesn't say how its training jobs run on SageMaker, which the shape would require."""
    from amt_flows.spec.amt_request import to_amt_request

    others = (other.training_job for other in spec.other_definitions)
    if not all(template.sagemaker for template in (spec.training_job, *others)):
        return {}
    try:
        request = to_amt_request(spec, drop_unsupported=True)
    except SpecError:
        return {}
    if SEVERAL in request:
        return {SEVERAL: [with_both_resource_shapes(one) for one in request[SEVERAL]]}
    return {ONE: with_both_resource_shapes(request[ONE])}


_INSTANCES: Final = ("InstanceType", "InstanceCount", "VolumeSizeInGB")


def with_both_resource_shapes(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A training job definition with its instances in both of AMT's shapes, for clients that look for them in
    the one where the request had the other. Of several instance configurations ``ResourceConfig`` has the
    first; groups of instances have no place in the other shape."""
    plain, flexible = definition.get("ResourceConfig"), definition.get("HyperParameterTuningResourceConfig")
    if flexible and not plain:
        first = {**flexible, **(flexible.get("InstanceConfigs") or [{}])[0]}
        told = {name: first[name] for name in (*_INSTANCES, "VolumeKmsKeyId") if name in first}
        return {**definition, "ResourceConfig": told}
    if plain and not flexible and "InstanceType" in plain:
        told = {name: plain[name] for name in (*_INSTANCES, "VolumeKmsKeyId") if name in plain}
        return {**definition, "HyperParameterTuningResourceConfig": told}
    return dict(definition)
