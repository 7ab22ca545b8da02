"""Where a member of ``CreateTrainingJob`` stands in our spec, for messages."""

from __future__ import annotations

from amt_flows.backends.sagemaker.request import FLEXIBLE, sent_definitions
from amt_flows.backends.sagemaker.service_model import Steps
from amt_flows.spec import TuningSpec
from amt_flows.spec.dotted import dotted
from amt_flows.spec.objective_rules import objective_field

HERE = "training_job.sagemaker"


def field_of(spec: TuningSpec, steps: Steps) -> str:
    """The field of a spec that decides the member at ``steps`` of its training jobs' requests."""
    first, *rest = steps
    template = spec.training_job
    if first == "TrainingJobName":
        return "name"
    if first == "HyperParameters" and rest:
        return _hyperparameter(spec, str(rest[0]))
    if first == "Environment":
        return dotted(("training_job.environment", *rest))
    if first == "Tags":
        keys = list(spec.tags)
        at = rest[0] if rest else None
        return dotted(("tags", keys[at])) if isinstance(at, int) and at < len(keys) else "tags"
    if first == "RetryStrategy":
        return "training_job.max_retry_attempts"
    if steps[:2] == ("StoppingCondition", "MaxRuntimeInSeconds"):
        return "training_job.max_runtime_seconds"
    if steps[:2] == ("AlgorithmSpecification", "MetricDefinitions"):
        return _metric_definition(spec, steps[2:])
    if first == "InputDataConfig" and rest and isinstance(rest[0], int):
        own = len(template.sagemaker.get("InputDataConfig", ()))
        if rest[0] >= own:
            return dotted(("training_job.inputs", list(template.inputs)[rest[0] - own]))
    if first == "ResourceConfig" and FLEXIBLE in template.sagemaker:
        configs = "InstanceConfigs" in template.sagemaker[FLEXIBLE]
        return dotted((HERE, FLEXIBLE, *(("InstanceConfigs", 0) if configs else ()), *rest))
    return dotted((HERE, *steps))


def _hyperparameter(spec: TuningSpec, name: str) -> str:
    ranges = {
        "continuous": [one.name for one in spec.continuous],
        "integer": [one.name for one in spec.integer],
        "categorical": [one.name for one in spec.categorical],
    }
    for kind, names in ranges.items():
        if name in names:
            return f"{kind}[{names.index(name)}]"
    return dotted(("static_hyperparameters", name))


def _metric_definition(spec: TuningSpec, rest: Steps) -> str:
    """The definitions of the objectives may be ones that we put in front."""
    given = spec.training_job.metric_definitions
    sent = sent_definitions(spec.training_job, spec.objective.metric_name, spec.other_metrics)
    added = len(sent) - len(given)
    if not rest or not isinstance(rest[0], int):
        return "training_job.metric_definitions"
    if rest[0] < added:
        return objective_field(spec, sent[rest[0]].name)
    return dotted(("training_job.metric_definitions", rest[0] - added, *(str(s).lower() for s in rest[1:])))
