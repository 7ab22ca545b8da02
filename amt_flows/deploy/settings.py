"""How a model is to be put to work on SageMaker, beside what its training says already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ModelSettings:
    """Everything here has a default from the training job or from SageMaker."""

    image: str | None = None
    """The image that answers requests. Without it, the training image."""
    model_data: str | None = None
    """Where the model is, if not where training left it: for a model that was tuned elsewhere."""
    role: str | None = None
    """The role that the model runs as. Without it, the training jobs'."""
    environment: Mapping[str, str] = field(default_factory=dict)
    vpc: Mapping[str, Any] | None = None
    """SageMaker's VpcConfig. Without it, the training jobs'; ``{}`` for none."""
    network_isolation: bool | None = None
    """Without it, as the training jobs."""
    tags: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    """Without it, the training job's."""


@dataclass(frozen=True)
class EndpointSettings:
    """An endpoint's machines: instances of a type, or none of one's own (serverless)."""

    instance_type: str | None = None
    instance_count: int = 1
    serverless_memory_mb: int | None = None
    """Instead of instances: 1024, 2048, ... 6144."""
    serverless_max_concurrency: int = 5
    kms_key: str | None = None
    """Encrypts the instances' volumes."""
    capture_to: str | None = None
    """Where requests and answers are kept, ``s3://...``. Without it, they are not."""
    capture_percent: int = 100
    tags: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)
    """Further members of CreateEndpointConfig, verbatim (AsyncInferenceConfig, ...)."""
    variant: Mapping[str, Any] = field(default_factory=dict)
    """Further members of its production variant, verbatim (ManagedInstanceScaling, ...)."""


@dataclass(frozen=True)
class PackageSettings:
    """What the model registry is told of a model, beside where it came from."""

    image: str | None = None
    """The image that answers requests. Without it, the training image."""
    model_data: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    content_types: tuple[str, ...] = ("application/json",)
    response_types: tuple[str, ...] = ("application/json",)
    instance_types: tuple[str, ...] = ()
    """Instance types that it may be deployed on. Without them, any."""
    group_tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the group, if it is made here. (SageMaker has none for a version.)"""


@dataclass(frozen=True)
class Waiting:
    """How an endpoint is waited for."""

    timeout_seconds: float = 3600.0
    poll_seconds: float = 15.0
