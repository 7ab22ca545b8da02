"""Where each setting stands: in our spec, and in AMT's ``CreateHyperParameterTuningJob`` request.

One table serves reading a request, writing one, naming AMT's path in an error, and recognising AMT's
names in our own shape. Source: the API reference of ``CreateHyperParameterTuningJob``.

The rule: a member of the request that has a field in our spec is *mapped* and is kept nowhere else; every
other member of a training job definition is kept word for word in ``training_job.sagemaker``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from amt_flows.space.space import as_text

CONFIG: Final = "HyperParameterTuningJobConfig"
ONE: Final = "TrainingJobDefinition"
SEVERAL: Final = "TrainingJobDefinitions"

# What may stand word for word in `training_job.sagemaker`: the members of AMT's training job
# definition that have no field of ours. (Two of them are only partly ours; see `algorithm_places`.)
VERBATIM: Final = (
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "VpcConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "HyperParameterTuningResourceConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
)
SHARED: Final = ("AlgorithmSpecification", "StoppingCondition")


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Place:
    """One setting.

    ``items``: it is a list of objects, and these are the places within one of them (an ``own`` of "" is the
    element itself). ``read`` and ``write`` convert a present value (after and before ``items``); ``read`` may
    raise ValueError with what to write instead, and a ``write`` that answers None leaves the member out.
    ``needed``: AMT requires it of whoever gives the object it stands in, so it is written also when a spec
    leaves it at our default.
    """

    own: str
    amt: str
    read: Callable[[Any], Any] = _same
    write: Callable[[Any], Any] = _same
    needed: bool = False
    items: tuple[Place, ...] = ()


def _strategy(value: Any) -> Any:
    if value == "QuasiRandom":
        raise ValueError("AMT has no such strategy; write Bayesian, Random, Grid or Hyperband")
    return value


def _convergence(value: Any) -> bool:
    if value not in ("Enabled", "Disabled"):
        raise ValueError("write Enabled or Disabled")
    return bool(value == "Enabled")


def _autotune(value: Any) -> bool:
    if value != "Enabled":
        raise ValueError("the only mode is Enabled; leave Autotune out to do without it")
    return True


def _retries(value: Any) -> Any:
    if value in (0, "0"):
        raise ValueError("must be at least 1; leave RetryStrategy out to never try again")
    return value


def _tags(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    keys = [str(pair.get("key")) for pair in pairs]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"each key may stand once; more than once: {', '.join(twice)}")
    return {key: pair.get("value") for key, pair in zip(keys, pairs, strict=True)}


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


TUNING: Final = (
    Place("name", "HyperParameterTuningJobName"),
    Place("strategy", f"{CONFIG}.Strategy", read=_strategy, needed=True),
    Place("hyperband.min_resource", f"{CONFIG}.StrategyConfig.HyperbandStrategyConfig.MinResource"),
    Place("hyperband.max_resource", f"{CONFIG}.StrategyConfig.HyperbandStrategyConfig.MaxResource"),
    Place(
        "limits.max_parallel_training_jobs",
        f"{CONFIG}.ResourceLimits.MaxParallelTrainingJobs",
        needed=True,
    ),
    Place("limits.max_number_of_training_jobs", f"{CONFIG}.ResourceLimits.MaxNumberOfTrainingJobs"),
    Place("limits.max_runtime_seconds", f"{CONFIG}.ResourceLimits.MaxRuntimeInSeconds"),
    Place("early_stopping.type", f"{CONFIG}.TrainingJobEarlyStoppingType"),
    Place(
        "completion.target_objective_metric_value",
        f"{CONFIG}.TuningJobCompletionCriteria.TargetObjectiveMetricValue",
    ),
    Place(
        "completion.max_number_of_training_jobs_not_improving",
        f"{CONFIG}.TuningJobCompletionCriteria.BestObjectiveNotImproving.MaxNumberOfTrainingJobsNotImproving",
    ),
    Place(
        "completion.complete_on_convergence",
        f"{CONFIG}.TuningJobCompletionCriteria.ConvergenceDetected.CompleteOnConvergence",
        read=_convergence,
        write=lambda wanted: "Enabled" if wanted else "Disabled",
    ),
    Place("seed", f"{CONFIG}.RandomSeed"),
    Place("warm_start.type", "WarmStartConfig.WarmStartType", needed=True),
    Place(
        "warm_start.parents",
        "WarmStartConfig.ParentHyperParameterTuningJobs",
        needed=True,
        items=(Place("", "HyperParameterTuningJobName", needed=True),),
    ),
    Place(
        "tags",
        "Tags",
        read=_tags,
        write=_pairs,
        items=(Place("key", "Key", needed=True), Place("value", "Value", needed=True)),
    ),
    Place(
        "autotune", "Autotune.Mode", read=_autotune, write=lambda on: "Enabled" if on else None, needed=True
    ),
)

_NUMBERS: Final = (
    Place("name", "Name", needed=True),
    Place("min_value", "MinValue", write=as_text, needed=True),
    Place("max_value", "MaxValue", write=as_text, needed=True),
    Place("scaling_type", "ScalingType"),
)
_CHOICES: Final = (Place("name", "Name", needed=True), Place("values", "Values", write=list, needed=True))
_HINTS: Final = (Place("name", "Name", needed=True), Place("value_hint", "ValueHint", needed=True))
_METRICS: Final = (Place("name", "Name", needed=True), Place("regex", "Regex", needed=True))


@dataclass(frozen=True)
class Algorithm:
    """Where one algorithm's settings stand: the prefix in our spec, and three objects of the request."""

    own: str
    objective: str
    ranges: str
    definition: str


def algorithm_places(where: Algorithm) -> tuple[Place, ...]:
    """The settings that each training job definition has for itself."""
    own, definition = where.own, f"{where.definition}." if where.definition else ""
    return (
        Place(f"{own}definition_name", f"{definition}DefinitionName"),
        Place(f"{own}objective.type", f"{where.objective}.Type", needed=True),
        Place(f"{own}objective.metric_name", f"{where.objective}.MetricName", needed=True),
        Place(f"{own}integer", f"{where.ranges}.IntegerParameterRanges", items=_NUMBERS),
        Place(f"{own}continuous", f"{where.ranges}.ContinuousParameterRanges", items=_NUMBERS),
        Place(f"{own}categorical", f"{where.ranges}.CategoricalParameterRanges", items=_CHOICES),
        Place(f"{own}auto_parameters", f"{where.ranges}.AutoParameters", items=_HINTS),
        Place(f"{own}static_hyperparameters", f"{definition}StaticHyperParameters", write=dict),
        Place(f"{own}training_job.environment", f"{definition}Environment", write=dict),
        Place(
            f"{own}training_job.metric_definitions",
            f"{definition}AlgorithmSpecification.MetricDefinitions",
            items=_METRICS,
        ),
        Place(f"{own}training_job.max_runtime_seconds", f"{definition}StoppingCondition.MaxRuntimeInSeconds"),
        Place(
            f"{own}training_job.max_retry_attempts",
            f"{definition}RetryStrategy.MaximumRetryAttempts",
            read=_retries,
            write=lambda attempts: attempts or None,
            needed=True,
        ),
    )


SINGLE: Final = Algorithm("", f"{CONFIG}.HyperParameterTuningJobObjective", f"{CONFIG}.ParameterRanges", ONE)
# Within one training job definition, seen from that definition.
INSIDE: Final = Algorithm("", "TuningObjective", "HyperParameterRanges", "")


def one_of_several(index: int) -> Algorithm:
    """The algorithm of ``TrainingJobDefinitions[index]``: the spec's own comes first."""
    own = f"other_definitions[{index - 1}]." if index else ""
    definition = f"{SEVERAL}[{index}]"
    return Algorithm(own, f"{definition}.TuningObjective", f"{definition}.HyperParameterRanges", definition)


def table(algorithms: Iterable[Algorithm]) -> tuple[Place, ...]:
    """All settings of a request with these algorithms, in the order of the API reference."""
    return (*TUNING, *(place for where in algorithms for place in algorithm_places(where)))


def amt_names() -> Mapping[str, str]:
    """The member of AMT's request that each field of a spec with one algorithm is, e.g.
    ``limits.max_parallel_training_jobs``; ``[]`` stands for each item of a list. Fields that AMT lacks are
    missing."""
    names = dict[str, str]()
    for place in table([SINGLE]):
        names[place.own] = place.amt
        names |= {f"{place.own}[].{item.own}": item.amt for item in place.items}
    return names


@cache
def own_names() -> Mapping[str, tuple[str, ...]]:
    """AMT's names of members and objects, each with the paths of our spec that it may mean."""
    names: dict[str, list[str]] = {}
    for place in table([SINGLE, INSIDE]):
        own, amt = place.own.split("."), [step for step in place.amt.split(".") if step != CONFIG]
        while own and amt:
            paths = names.setdefault(amt[-1], [])
            if ".".join(own) not in paths:
                paths.append(".".join(own))
            own, amt = own[:-1], amt[:-1]
    return {name: tuple(paths) for name, paths in names.items()}
