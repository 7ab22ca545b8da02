"""The request bodies that put a model to work, each complete before anything is asked for.

Names are derived from what they name, so that whoever asks again asks for the same thing: a model is called
like its training job, an endpoint's configuration like its model with a digest of its settings (it can't be
changed on SageMaker, so other settings are another configuration).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from amt_flows.backends.sagemaker.model_rules import Violation, violations
from amt_flows.backends.sagemaker.tags import MAX_TAGS, TUNING_JOB, as_pairs
from amt_flows.deploy.candidate import Candidate
from amt_flows.deploy.settings import EndpointSettings, ModelSettings
from amt_flows.errors import BackendError, DeployRejected, Problem
from amt_flows.spec.dotted import dotted

TRAINING_JOB: Final = "amt-flows-training-job"
MADE_FOR: Final = "amt-flows-made-for"
"""Which configuration a model was made for, which endpoint a configuration. Only what was made for a thing
that failed is deleted with it."""
SEVERAL: Final = "several"
VARIANT: Final = "AllTraffic"
LONGEST_NAME: Final = 63
SERVERLESS_MEMORY: Final = range(1024, 6145, 1024)

Body = dict[str, Any]


def model_body(candidate: Candidate, settings: ModelSettings, made_for: str | None = None) -> Body:
    """The body of CreateModel. Raises DeployRejected with all that is wrong, without asking AWS."""
    vpc = candidate.vpc if settings.vpc is None else settings.vpc
    isolated = (
        candidate.network_isolation if settings.network_isolation is None else settings.network_isolation
    )
    body: Body = {
        "ModelName": settings.name or candidate.training_job,
        "PrimaryContainer": container(
            candidate, image=settings.image, model_data=settings.model_data, environment=settings.environment
        ),
        "ExecutionRoleArn": settings.role or candidate.role,
        "VpcConfig": dict(vpc),
        "EnableNetworkIsolation": isolated,
        "Tags": _tags(candidate, settings.tags, made_for),
    }
    problems = [*_container_problems(body["PrimaryContainer"], candidate.artifact)]
    if not body["ExecutionRoleArn"]:
        problems.append(Problem("role", None, "the training jobs name no role; give one for the model"))
    return checked("CreateModel", body, problems)


def container(
    candidate: Candidate, *, image: str | None, model_data: str | None, environment: Mapping[str, str]
) -> Body:
    """The image and the model's files. An address that ends with ``/`` is an uncompressed model."""
    place = model_data or candidate.artifact
    body: Body = {"Image": image or candidate.image, "Environment": dict(environment)}
    if place.endswith("/"):
        source = {"S3Uri": place, "S3DataType": "S3Prefix", "CompressionType": "None"}
        body["ModelDataSource"] = {"S3DataSource": source}
    else:
        body["ModelDataUrl"] = place
    return without_empty(body)


def configuration_body(
    candidate: Candidate, model: str, settings: EndpointSettings, endpoint: str | None = None
) -> Body:
    """The body of CreateEndpointConfig for one model. Raises DeployRejected."""
    variant: Body = {"VariantName": VARIANT, "ModelName": model, "InitialVariantWeight": 1.0}
    if settings.serverless_memory_mb is not None:
        variant["ServerlessConfig"] = {
            "MemorySizeInMB": settings.serverless_memory_mb,
            "MaxConcurrency": settings.serverless_max_concurrency,
        }
    elif settings.instance_type is not None:
        variant |= {
            "InstanceType": settings.instance_type,
            "InitialInstanceCount": settings.instance_count,
        }
    body: Body = {"ProductionVariants": [{**variant, **settings.variant}]}
    if settings.capture_to is not None:
        body["DataCaptureConfig"] = {
            "EnableCapture": True,
            "InitialSamplingPercentage": settings.capture_percent,
            "DestinationS3Uri": settings.capture_to,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        }
    if settings.kms_key is not None:
        body["KmsKeyId"] = settings.kms_key
    body |= settings.members
    # The endpoint is part of the name: a configuration that fails one endpoint is deleted with it, and must
    # not be another's.
    name = _named(model, {**body, "endpoint": endpoint})
    body |= {"EndpointConfigName": name, "Tags": _tags(candidate, settings.tags, endpoint)}
    return checked("CreateEndpointConfig", body, _machine_problems(settings))


def without_empty(body: Mapping[str, Any]) -> Body:
    return {name: value for name, value in body.items() if value not in (None, {}, [], ())}


def digest_of(content: Any) -> str:
    """64 hex digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def checked(operation: str, body: Body, problems: Iterable[Problem] = ()) -> Body:
    """The body without what is empty. Raises DeployRejected for a body that SageMaker would refuse."""
    body = without_empty(body)
    try:
        found = violations(operation, body)
    except ModuleNotFoundError as error:
        raise BackendError(
            "SageMaker needs boto3, which is not installed.", remedy="pip install 'amt-flows[sagemaker]'"
        ) from error
    said = list(problems)
    said += [Problem(dotted(one.steps), one.value, one.message) for one in found if not _is_said(one, said)]
    if len(body.get("Tags", ())) > MAX_TAGS:
        said.append(Problem("tags", len(body["Tags"]), f"SageMaker takes {MAX_TAGS}; leave some out"))
    if said:
        raise DeployRejected(operation, said)
    return body


def _is_said(one: Violation, said: Iterable[Problem]) -> bool:
    return any(problem.value is not None and problem.value == one.value for problem in said)


def _named(model: str, settings: Mapping[str, Any]) -> str:
    digest = digest_of(settings)[:8]
    return f"{model[: LONGEST_NAME - 9].rstrip('-')}-{digest}"


def _tags(candidate: Candidate, own: Mapping[str, str], made_for: str | None) -> list[dict[str, str]]:
    tags = {
        **candidate.tags,
        **own,
        TUNING_JOB: candidate.tuning_job,
        TRAINING_JOB: candidate.training_job,
    }
    return as_pairs(tags if made_for is None else {**tags, MADE_FOR: made_for})


def _container_problems(body: Body, artifact: str) -> Iterable[Problem]:
    if "Image" not in body:
        yield Problem("image", None, "the training jobs name no image of their own; give one for inference")
    place = body.get("ModelDataUrl")
    if isinstance(place, str) and not place.startswith(("s3://", "https://")):
        message = "is not in S3; upload it as model.tar.gz and give its address as model_data"
        yield Problem("model_data" if place != artifact else "artifact", place, message)


def _machine_problems(settings: EndpointSettings) -> Iterable[Problem]:
    memory = settings.serverless_memory_mb
    if (memory is None) == (settings.instance_type is None) and "InstancePools" not in settings.variant:
        yield Problem("instance_type", settings.instance_type, "give either this or serverless_memory_mb")
    if memory is not None and memory not in SERVERLESS_MEMORY:
        sizes = ", ".join(map(str, SERVERLESS_MEMORY))
        yield Problem("serverless_memory_mb", memory, f"must be one of {sizes}")
    # https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html, feature exclusions.
    if memory is not None and settings.capture_to is not None:
        yield Problem(
            "capture_to", settings.capture_to, "a serverless endpoint captures no data; leave it out"
        )
