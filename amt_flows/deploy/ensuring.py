"""Making something on SageMaker that is to be there once, however often it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from amt_flows.backends.sagemaker.errors import Trouble
from amt_flows.deploy.hosting import Hosting, trouble_of
from amt_flows.errors import BackendError, CapacityUnavailable, NameTaken
from amt_flows.spec.dotted import MISSING, dotted, get

_EMPTY: Final[tuple[Any, ...]] = (None, {}, [], False)


@dataclass(frozen=True)
class Kind:
    """A kind of thing on SageMaker, and how it is made and looked at."""

    called: str
    create: str
    describe: str
    name: str
    """The member that names it."""
    arn: str
    guarded: tuple[str, ...] = ()
    """Members that must be missing where they are not asked for: who has them does other things, or is seen
    by others. What else the service tells beyond what was asked for are its defaults."""


MODEL: Final = Kind(
    "model",
    "create_model",
    "describe_model",
    "ModelName",
    "ModelArn",
    (
        "Containers",
        "EnableNetworkIsolation",
        "InferenceExecutionConfig",
        "PrimaryContainer.Environment",
        "VpcConfig",
    ),
)
CONFIGURATION: Final = Kind(
    "endpoint configuration",
    "create_endpoint_config",
    "describe_endpoint_config",
    "EndpointConfigName",
    "EndpointConfigArn",
    (
        "AsyncInferenceConfig",
        "DataCaptureConfig",
        "ExecutionRoleArn",
        "KmsKeyId",
        "ShadowProductionVariants",
        "VpcConfig",
    ),
)


@dataclass(frozen=True)
class Made:
    """Something that is there now."""

    name: str
    arn: str
    created: bool
    """False when it was there already."""


def ensure(hosting: Hosting, kind: Kind, body: Mapping[str, Any]) -> Made:
    """Make it, or find that it is there with this very content.

    A call whose answer was lost, or whose caller died, is thus repeated without harm. Raises NameTaken for
    something else of the same name, CapacityUnavailable, BackendError.
    """
    name = str(body[kind.name])
    what = f"creating {kind.called} {name}"
    try:
        answer = hosting.call(kind.create, body, what)
    except CapacityUnavailable:
        raise
    except BackendError as error:
        # Also for words that we don't know: what Describe tells is what counts.
        if trouble_of(error) not in (Trouble.IN_USE, Trouble.INVALID):
            raise
        found = hosting.look(kind.describe, {kind.name: name}, f"describing {kind.called} {name}")
        if found is None:
            raise
        _check(kind, name, body, found)
        return Made(name, str(found[kind.arn]), created=False)
    return Made(name, str(answer[kind.arn]), created=True)


def _check(kind: Kind, name: str, asked: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    differing = [*_differences({**asked, "Tags": None}, found, ())]
    differing += [member for member in kind.guarded if _has(found, member) and not _has(asked, member)]
    if differing:
        raise NameTaken(
            f"There is a {kind.called} {name} already, and it has another {', another '.join(differing)}.",
            because="it was made with other settings, or by another program",
            remedy=f"delete it if nothing uses it, or choose another name for the {kind.called}",
        )


def _has(body: Mapping[str, Any], member: str) -> bool:
    return get(body, member) not in (MISSING, *_EMPTY)


def _differences(asked: Any, found: Any, at: tuple[str | int, ...]) -> Iterator[str]:
    """Where ``found`` is not what was asked; what the service added is not looked at."""
    if asked in _EMPTY:
        if found not in _EMPTY and asked is not None:
            yield dotted(at)
    elif isinstance(asked, Mapping) and isinstance(found, Mapping) and at[-1:] != ("Environment",):
        for member, value in asked.items():
            yield from _differences(value, found.get(member), (*at, member))
    elif isinstance(asked, list) and isinstance(found, list) and len(asked) == len(found):
        for number, pair in enumerate(zip(asked, found, strict=True)):
            yield from _differences(*pair, (*at, number))
    elif asked != found:
        yield dotted(at)
