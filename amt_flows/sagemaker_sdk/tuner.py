"""A ``HyperparameterTuner`` of the SDK, v2 or v3, as a spec.

It is first written as the request that the SDK would send, and then read as any other such request: what is
wrong with its values is said once, by the spec's own rules. Beside what the SDK's tuners leave out of a
trainer (see :mod:`~amt_flows.sagemaker_sdk.model_trainer`), v3's tuner leaves out of itself: the instances of
``override_resource_config``, the parameters whose ranges Autotune shall choose, and 0 as a seed or a target;
and it can't start several model trainers at once. All this is kept here, and can be asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from amt_flows.errors import Problem, SpecError
from amt_flows.sagemaker_sdk import estimator as v2
from amt_flows.sagemaker_sdk import model_trainer as v3
from amt_flows.sagemaker_sdk.ranges import amt_ranges
from amt_flows.sagemaker_sdk.reading import Reader, amt_name, kind_of, without_empty
from amt_flows.spec.amt_request import from_amt_request
from amt_flows.spec.model import TuningSpec

CONFIG: Final = "HyperParameterTuningJobConfig"
FLEXIBLE: Final = "HyperParameterTuningResourceConfig"
# The SDK's own hyperparameters say where the code is; a range for one of them makes no sense.
OF_THE_SDK: Final = "sagemaker_"


@dataclass(frozen=True)
class Dialect:
    """How a version of the SDK names the trainer, and reads it."""

    trainer: str
    definition: Callable[..., dict[str, Any]]
    hyperparameters: Callable[[Reader, Any, str], dict[str, str]]
    metric_definitions: Callable[[Reader, Any, str], Any]
    is_v3: bool


DIALECTS: Final = (
    Dialect("model_trainer", v3.definition, v3.hyperparameters, v3.metric_definitions, is_v3=True),
    Dialect("estimator", v2.definition, v2.hyperparameters, v2.metric_definitions, is_v3=False),
)


@dataclass(frozen=True)
class Algorithm:
    """One trainer of a tuner with what belongs to it; ``name`` is None when it is the only one."""

    name: str | None
    trainer: Any
    at: str
    metric_name: Any
    ranges: Any
    ranges_at: str
    metric_definitions: Any
    keep_static: Any
    instance_configs: Any
    inputs: Any
    inputs_at: str


def spec_from_tuner(tuner: object, *, inputs: Any = None, job_name: str | None = None) -> TuningSpec:
    """The spec of the tuning job that this tuner of the SageMaker SDK would start.

    ``inputs`` and ``job_name`` are the arguments of the SDK's ``tune`` (v3) or ``fit`` (v2); with several
    trainers ``inputs`` is a dict of their names. Without a ``job_name`` the spec has no name: the SDK's
    ``base_tuning_job_name`` is only the beginning of one.

    Nothing is changed in the tuner and no call is made. Source code must have been uploaded, see
    :func:`amt_flows.sagemaker_sdk.prepare`. What comes from outside of the tuner isn't looked at: the
    SDK's configuration file, and the tags of a Studio project.

    Raises SpecError with every problem found: in the SDK's names what can't be converted, or in AMT's names
    what breaks AMT's rules.
    """
    dialect = _dialect(tuner)
    reader = Reader()
    request = _request(reader, tuner, dialect, inputs)
    if reader.problems:
        raise SpecError(reader.problems)
    return from_amt_request({"HyperParameterTuningJobName": job_name, **request} if job_name else request)


def _dialect(tuner: object) -> Dialect:
    for dialect in DIALECTS:
        if all(
            hasattr(tuner, name)
            for name in (dialect.trainer, f"{dialect.trainer}_dict", "_hyperparameter_ranges")
        ):
            return dialect
    remedy = (
        "give a HyperparameterTuner of the SageMaker SDK: `sagemaker.train.tuner`, in v2 `sagemaker.tuner`"
    )
    if hasattr(tuner, "training_image") or hasattr(tuner, "training_image_uri"):
        remedy = f"{remedy}; make one for this trainer"
    raise SpecError([Problem("tuner", kind_of(tuner), remedy)])


def _request(reader: Reader, tuner: Any, dialect: Dialect, inputs: Any) -> dict[str, Any]:
    algorithms = list(_algorithms(reader, tuner, dialect, inputs))
    config, definitions = _config(reader, tuner), []
    kind = reader.get(tuner, "objective_type", "tuner")
    for algorithm in algorithms:
        objective = {"Type": kind, "MetricName": algorithm.metric_name}
        ranges, static = _hyperparameters(reader, tuner, dialect, algorithm)
        definition = _definition(reader, dialect, algorithm)
        if static or not dialect.is_v3:
            definition["StaticHyperParameters"] = static
        if algorithm.name is None:
            config["HyperParameterTuningJobObjective"] = objective
            if ranges is not None:
                config["ParameterRanges"] = ranges
        else:
            definition |= {"DefinitionName": algorithm.name, "TuningObjective": objective}
            definition["HyperParameterRanges"] = ranges or {}
        definitions.append(definition)
    several = algorithms[0].name is not None if algorithms else True
    optional = {
        "WarmStartConfig": _warm_start(reader, tuner),
        "Tags": _tags(reader, tuner, algorithms),
        "Autotune": {"Mode": "Enabled"} if getattr(tuner, "autotune", False) else None,
    }
    return {
        CONFIG: config,
        **({"TrainingJobDefinitions": definitions} if several else {"TrainingJobDefinition": definitions[0]}),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _algorithms(reader: Reader, tuner: Any, dialect: Dialect, inputs: Any) -> Iterator[Algorithm]:
    """The only trainer, or each of several by name, as the SDK orders them."""
    only = getattr(tuner, dialect.trainer)
    if only is not None:
        yield Algorithm(
            name=None,
            trainer=only,
            at=f"tuner.{dialect.trainer}",
            metric_name=reader.get(tuner, "objective_metric_name", "tuner"),
            ranges=tuner._hyperparameter_ranges,
            ranges_at="tuner.hyperparameter_ranges",
            metric_definitions=reader.get(tuner, "metric_definitions", "tuner"),
            keep_static=getattr(tuner, "hyperparameters_to_keep_static", None),
            instance_configs=reader.get(tuner, "instance_configs", "tuner"),
            inputs=inputs,
            inputs_at="inputs",
        )
        return
    trainers = getattr(tuner, f"{dialect.trainer}_dict") or {}
    if inputs is not None and not (isinstance(inputs, Mapping) and inputs.keys() <= trainers.keys()):
        named = ", ".join(sorted(trainers))
        reader.refuse("inputs", kind_of(inputs), f"must be a dict with the inputs of each of {named}")
        inputs = None

    def of(name: str, attribute: str) -> Any:
        return (getattr(tuner, attribute, None) or {}).get(name)

    def plain(name: str, attribute: str) -> Any:
        return reader.plain(of(name, attribute), f"tuner.{attribute}.{name}")

    for name in sorted(trainers):
        yield Algorithm(
            name=name,
            trainer=trainers[name],
            at=f"tuner.{dialect.trainer}_dict.{name}",
            metric_name=plain(name, "objective_metric_name_dict"),
            ranges=of(name, "_hyperparameter_ranges_dict"),
            ranges_at=f"tuner.hyperparameter_ranges_dict.{name}",
            metric_definitions=plain(name, "metric_definitions_dict"),
            keep_static=of(name, "hyperparameters_to_keep_static_dict"),
            instance_configs=plain(name, "instance_configs_dict"),
            inputs=(inputs or {}).get(name),
            inputs_at=f"inputs.{name}",
        )


def _config(reader: Reader, tuner: Any) -> dict[str, Any]:
    def get(name: str) -> Any:
        return reader.get(tuner, name, "tuner")

    limits = {
        "MaxNumberOfTrainingJobs": get("max_jobs"),
        "MaxParallelTrainingJobs": get("max_parallel_jobs"),
        "MaxRuntimeInSeconds": get("max_runtime_in_seconds") or None,
    }
    config = {
        "Strategy": get("strategy"),
        "ResourceLimits": {name: value for name, value in limits.items() if value is not None},
        "TrainingJobEarlyStoppingType": get("early_stopping_type"),
        "RandomSeed": get("random_seed"),
        "StrategyConfig": get("strategy_config"),
        "TuningJobCompletionCriteria": get("completion_criteria_config"),
    }
    return {name: value for name, value in config.items() if value is not None}


def _hyperparameters(
    reader: Reader, tuner: Any, dialect: Dialect, algorithm: Algorithm
) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """(AMT's ParameterRanges or None, the static hyperparameters). With Autotune a static one that isn't to
    be kept becomes a parameter whose range is chosen."""
    given = algorithm.ranges
    json_values = not dialect.is_v3 and v2.is_framework(algorithm.trainer)
    ranges: dict[str, Any] | None = None
    if given is not None:
        ranges = dict(amt_ranges(reader, given, algorithm.ranges_at, json_values=json_values))
    static = dialect.hyperparameters(reader, algorithm.trainer, algorithm.at)
    static = {name: text for name, text in static.items() if name not in (given or {})}
    if getattr(tuner, "autotune", False):
        kept = list(algorithm.keep_static or ())
        for name in sorted(set(kept) - static.keys()):
            reader.refuse(
                "tuner.hyperparameters_to_keep_static",
                name,
                f"is no static hyperparameter; those are {', '.join(static) or 'none'}",
            )
        if dialect.is_v3:
            kept += [name for name in static if name.startswith(OF_THE_SDK)]
        hints = [{"Name": name, "ValueHint": text} for name, text in static.items() if name not in kept]
        static = {name: text for name, text in static.items() if name in kept}
        ranges = {**(ranges or {}), "AutoParameters": hints}
    return (without_empty(ranges) or None if dialect.is_v3 else ranges), static


def _definition(reader: Reader, dialect: Dialect, algorithm: Algorithm) -> dict[str, Any]:
    trainer, at = algorithm.trainer, algorithm.at
    definition = dialect.definition(
        reader, trainer, at, inputs=algorithm.inputs, inputs_at=algorithm.inputs_at
    )
    metrics = algorithm.metric_definitions
    if metrics is None:
        metrics = dialect.metric_definitions(reader, trainer, at)
    if metrics is not None and (metrics or not dialect.is_v3):
        definition["AlgorithmSpecification"]["MetricDefinitions"] = [_capitalised(one) for one in metrics]
    if algorithm.instance_configs is not None:
        # The instances of a trainer are overridden as a whole, but for the key of their volumes.
        given = [definition.pop(name, {}) for name in ("ResourceConfig", FLEXIBLE)]
        keys = [one["VolumeKmsKeyId"] for one in given if "VolumeKmsKeyId" in one]
        definition[FLEXIBLE] = {
            **({"VolumeKmsKeyId": keys[0]} if keys else {}),
            "InstanceConfigs": algorithm.instance_configs,
        }
    return definition


def _warm_start(reader: Reader, tuner: Any) -> Any:
    given = reader.get(tuner, "warm_start_config", "tuner")
    # v2 keeps the parents as a set, whose order changes from run to run: the same tuner, the same spec.
    if given is not None and isinstance(getattr(tuner.warm_start_config, "parents", None), set):
        parents = given["ParentHyperParameterTuningJobs"]
        given["ParentHyperParameterTuningJobs"] = sorted(parents, key=str)
    return given


def _tags(reader: Reader, tuner: Any, algorithms: list[Algorithm]) -> list[Any] | None:
    """The tuner's, then those of the first trainer that aren't among them."""
    own = getattr(tuner, "tags", None)
    tags = [_capitalised(tag) for tag in reader.plain(own, "tuner.tags") or ()]
    for algorithm in algorithms[:1]:
        for tag in reader.get(algorithm.trainer, "tags", algorithm.at) or ():
            if _capitalised(tag) not in tags:
                tags.append(_capitalised(tag))
    return tags or None


def _capitalised(one: Any) -> Any:
    """A tag or a metric definition; v3 takes them in lower case too."""
    return {amt_name(name): value for name, value in one.items()} if isinstance(one, Mapping) else one
