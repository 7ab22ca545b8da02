"""What would keep SageMaker from taking a spec's training jobs, found without asking it.

The request of a sample configuration is built and held against the service's model, and against the rules
between its members that the API reference states in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from amt_flows.backends.sagemaker.fields import HERE, field_of
from amt_flows.backends.sagemaker.model_rules import violations
from amt_flows.backends.sagemaker.request import (
    WITH_SCRIPT_MODE,
    create_training_job_request,
    own_algorithm,
    sent_definitions,
)
from amt_flows.backends.sagemaker.tags import MAX_TAGS, OURS
from amt_flows.errors import Problem
from amt_flows.ledger.names import JobName
from amt_flows.ports import JobRequest
from amt_flows.space.space import as_text
from amt_flows.spec import TuningSpec
from amt_flows.spec.dotted import MISSING, get
from amt_flows.spec.objective_rules import objective_field
from amt_flows.spec.sagemaker_rules import training_job_problems


def problems_of(spec: TuningSpec) -> list[Problem]:
    """Everything that is wrong; empty if only the account (roles, buckets, quotas) can still object."""
    local = list(_inputs(spec))
    stated = [
        *training_job_problems(spec),
        *_tags(spec),
        *_warm_pool(spec),
        *_entrypoint(spec),
        *_secrets(spec),
        *_no_checkpoints(spec),
    ]
    try:
        body = create_training_job_request(_sample(spec))
    except ValueError:
        return [*local, *stated, *_unreadable(spec)]
    except (AttributeError, KeyError, TypeError, IndexError):
        # A part of the verbatim members has the wrong type; which one, its own rules say better.
        return [*local, *stated] or [Problem(HERE, None, "can't be made into a training job's request")]
    named = {problem.field for problem in (*local, *stated)}
    modelled = [
        Problem(field_of(spec, one.steps), one.value, one.message)
        for one in violations("CreateTrainingJob", body)
    ]
    return [*local, *stated, *(problem for problem in modelled if not _is_said(problem.field, named))]


def _unreadable(spec: TuningSpec) -> Iterator[Problem]:
    for name in (spec.objective.metric_name, *spec.other_metrics):
        try:
            sent_definitions(spec.training_job, name)
        except ValueError as error:
            yield Problem(objective_field(spec, name), name, f"can't be read from the output: {error}")


def _secrets(spec: TuningSpec) -> Iterator[Problem]:
    if spec.training_job.secret_environment:
        names = ", ".join(spec.training_job.secret_environment)
        message = (
            "SageMaker shows a training job's environment to everyone who may describe the job; give the ARN "
            "of a Secrets Manager secret in `training_job.environment`, and let the script fetch it"
        )
        yield Problem("training_job.secret_environment", names, message)


def _no_checkpoints(spec: TuningSpec) -> Iterator[Problem]:
    resumes = spec.hyperband is not None and spec.hyperband.resume_stopped
    if resumes and not spec.training_job.sagemaker.get("CheckpointConfig"):
        message = f"SageMaker keeps a job's checkpoints where {HERE}.CheckpointConfig says; give its S3Uri"
        yield Problem("hyperband.resume_stopped", True, message)


def _is_said(field: str, named: set[str]) -> bool:
    """Whether a better message speaks of this field, or of something that it is part of."""
    return any(field == one or field.startswith((f"{one}.", f"{one}[")) for one in named)


def _sample(spec: TuningSpec) -> JobRequest:
    name = spec.name or "a"
    return JobRequest(
        name=str(JobName(name, 1, "0" * 8, 1)),
        tuning_job=name,
        trial=1,
        attempt=1,
        hyperparameters={**spec.static_hyperparameters, **_sample_configuration(spec)},
        fingerprint=spec.fingerprint(),
        template=spec.training_job,
        objective_metric=spec.objective.metric_name,
        tags=spec.tags,
        other_metrics=spec.other_metrics,
    )


def _sample_configuration(spec: TuningSpec) -> Mapping[str, str]:
    """Numbers are always short and on one line; of texts the one of several lines, or else the longest, tells
    whether all fit."""
    return {
        **{one.name: as_text(one.min_value) for one in spec.continuous},
        **{one.name: as_text(one.min_value) for one in spec.integer},
        **{one.name: max(one.values, key=_hard_to_fit) for one in spec.categorical},
    }


def _hard_to_fit(text: str) -> tuple[bool, int]:
    return len(text.splitlines()) > 1 or text.endswith("\n"), len(text)


def _inputs(spec: TuningSpec) -> Iterator[Problem]:
    channels = spec.training_job.sagemaker.get("InputDataConfig", ())
    names = (
        [get(channel, "ChannelName") for channel in channels] if isinstance(channels, list | tuple) else []
    )
    for name, address in spec.training_job.inputs.items():
        if not address.startswith("s3://"):
            message = "is not in S3; upload it and give its s3:// address"
            yield Problem(f"training_job.inputs.{name}", address, message)
        elif name in names:
            message = "is a channel of InputDataConfig too; leave one of them out"
            yield Problem(f"training_job.inputs.{name}", address, message)


def _tags(spec: TuningSpec) -> Iterator[Problem]:
    if len(spec.tags) + len(OURS) > MAX_TAGS:
        message = f"SageMaker takes {MAX_TAGS}, of which {len(OURS)} are ours; leave some out"
        yield Problem("tags", len(spec.tags), message)
    for key in spec.tags:
        if key in OURS:
            yield Problem(f"tags.{key}", key, "is set by amt-flows; choose another name")


def _warm_pool(spec: TuningSpec) -> Iterator[Problem]:
    given = spec.training_job.sagemaker
    kept = get(given, "ResourceConfig.KeepAlivePeriodInSeconds")
    if kept is not MISSING and kept and given.get("EnableManagedSpotTraining"):
        yield Problem(
            f"{HERE}.ResourceConfig.KeepAlivePeriodInSeconds",
            kept,
            "spot instances can't be kept warm; leave it out, or EnableManagedSpotTraining",
        )
    groups = get(given, "ResourceConfig.InstanceGroups")
    for name in ("InstanceType", "InstanceCount"):
        value = get(given, f"ResourceConfig.{name}")
        if groups is not MISSING and value is not MISSING:
            yield Problem(f"{HERE}.ResourceConfig.{name}", value, "stands in each of InstanceGroups; move it")
        if groups is MISSING and value is MISSING and isinstance(given.get("ResourceConfig"), Mapping):
            yield Problem(f"{HERE}.ResourceConfig.{name}", None, "is needed and not given")


def _entrypoint(spec: TuningSpec) -> Iterator[Problem]:
    given: Any = spec.training_job.sagemaker.get("AlgorithmSpecification")
    if get(given, "AlgorithmName") is not MISSING:
        for name in ("ContainerEntrypoint", "ContainerArguments"):
            if get(given, name) is not MISSING:
                yield Problem(
                    f"{HERE}.AlgorithmSpecification.{name}",
                    given[name],
                    "is for a TrainingImage, not for a registered algorithm; leave it out",
                )
    algorithm = own_algorithm(spec.training_job)
    if algorithm not in (None, *WITH_SCRIPT_MODE) and spec.training_job.metric_definitions:
        yield Problem(
            "training_job.metric_definitions",
            len(spec.training_job.metric_definitions),
            f"SageMaker's own {algorithm} brings its metrics and takes no others; leave them out",
        )
