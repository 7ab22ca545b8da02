"""Growing worlds onto moto, and taking them off again.

Moto's classes are patched while there is at least one world and restored with the last one. Of several worlds
the newest answers; when it goes, the one before answers again, in whatever order they go.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from botocore.exceptions import ConnectionClosedError
from botocore.model import OperationNotFoundError
from moto.core import errors as moto_errors
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, BaseResponse, EmptyResult
from moto.core.utils import camelcase_to_underscores
from moto.s3.exceptions import S3ClientError
from moto.s3.responses import S3Response
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse
from werkzeug.exceptions import HTTPException

from amt_flows.testing.sagemaker import moto_memory, moto_services
from amt_flows.testing.sagemaker.async_inference import LONGEST_SECONDS, AsyncInvocation, Promised
from amt_flows.testing.sagemaker.calls import Answer, Call, Place
from amt_flows.testing.sagemaker.faults import Fault
from amt_flows.testing.sagemaker.inference import MADE_UP, Inference, Invocation
from amt_flows.testing.sagemaker.refusals import ConnectionLost, Refusal, broken, unsimulated
from amt_flows.testing.sagemaker.request_check import check
from amt_flows.testing.sagemaker.service import OPERATIONS
from amt_flows.testing.sagemaker.tags import merged
from amt_flows.testing.sagemaker.twins import Tagged

logger = logging.getLogger("amt_flows")

CODES = (
    "AccessDeniedException",
    "ExpiredTokenException",
    "InternalFailure",
    "ResourceNotFound",
    "SerializationException",
    "ServiceUnavailable",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
)
"""Error codes that all of AWS knows and that moto would warn about, since no service's model has them."""


class World(Protocol):
    @property
    def empty_log_pages(self) -> int:
        """How many GetLogEvents answers before one that has events."""
        ...

    def admit(self, service: str, operation: str, params: Mapping[str, Any]) -> Fault | None:
        """Count a call, and raise Refusal, or return the fault that will lose its answer."""
        ...

    def answer(self, call: Call) -> Answer | None:
        """None for a call that is moto's to answer. Raises Refusal."""
        ...

    def forget(self, account: str, region: str) -> None:
        """Moto was reset."""
        ...

    def adopt(self, account: str, region: str) -> None:
        """Moto is about to look through what it has."""
        ...

    def invoke(self, place: Place, endpoint: str, asked: Invocation, target: str | None) -> Inference:
        """What the model of an endpoint answers. Raises Refusal."""
        ...

    def invoke_async(self, place: Place, endpoint: str, asked: AsyncInvocation) -> Promised:
        """Where the answer of an endpoint's model will be. Raises Refusal."""
        ...

    def tagged(self, account: str, region: str, arn: str) -> Tagged | None:
        """What is simulated and has this ARN."""
        ...


_MISSING = object()
_HEADER = "x-amzn-sagemaker-"
_lock = threading.RLock()
_worlds: list[World] = []
_undo: list[Callable[[], None]] = []


def plant(world: World) -> None:
    """Let a world answer."""
    with _lock:
        if not _worlds:
            _patch_all()
        _worlds.append(world)


def uproot(world: World) -> None:
    """Take a world away; with the last one moto is as it was."""
    with _lock:
        if world in _worlds:
            _worlds.remove(world)
            if not _worlds:
                while _undo:
                    _undo.pop()()


def current() -> World | None:
    return _worlds[-1] if _worlds else None


# -- patching ----------------------------------------------------------------------------------------


def _patch(owner: Any, name: str, value: Any) -> None:
    before = vars(owner).get(name, _MISSING)
    setattr(owner, name, value)
    _undo.append(lambda: delattr(owner, name) if before is _MISSING else setattr(owner, name, before))


def _patch_all() -> None:
    for operation in OPERATIONS:
        name = _method_name(operation)
        _patch(SageMakerResponse, name, _operation(operation, getattr(SageMakerResponse, name, None)))
    _patch(SageMakerResponse, "parse_parameters", _parse_parameters(SageMakerResponse.parse_parameters))
    _patch(BaseResponse, "call_action", _call_action(BaseResponse.call_action))
    for owner, name, wrap in (
        (BaseResponse, "_authenticate_and_authorize_normal_action", _authorize),
        (S3Response, "_authenticate_and_authorize_s3_action", _s3_action),
    ):
        _patch(owner, name, wrap(getattr(owner, name)))
    for name, wrap_method in (
        ("reset", _reset),
        ("iter_tagged_resources", _after_adopting),
        ("search", _after_adopting),
        ("_get_resource_from_arn", _by_arn),
        ("add_tags", _add_tags),
    ):
        # Older versions of moto have no tagging of their own.
        if hasattr(SageMakerModelBackend, name):
            _patch(SageMakerModelBackend, name, wrap_method(getattr(SageMakerModelBackend, name)))
    for owner, name, method in moto_services.patches(_empty_log_pages):
        _patch(owner, name, method)
    for name, wrap in (("invoke_endpoint", _invoke), ("invoke_endpoint_async", _invoke_async)):
        # Older versions of moto have no asynchronous one.
        if hasattr(SageMakerRuntimeResponse, name):
            _patch(SageMakerRuntimeResponse, name, wrap(getattr(SageMakerRuntimeResponse, name)))
    known = list(moto_errors.COMMON_ERROR_CODES)
    _patch(moto_errors, "COMMON_ERROR_CODES", [*known, *CODES])
    for owner, name, found in moto_memory.patches():
        _patch(owner, name, found)


def _empty_log_pages() -> int:
    world = current()
    return 0 if world is None else world.empty_log_pages


def _method_name(operation: str) -> str:
    """What moto calls the method of an operation."""
    return str(camelcase_to_underscores(operation))


def _operation(operation: str, original: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    def method(self: Any) -> Any:
        world = current()
        call = Call(operation, str(self.current_account), str(self.region), _raw(self))
        try:
            answer = None if world is None else world.answer(call)
        except Refusal as refusal:
            return ActionResult(refusal)
        if answer is None:
            if original is None:
                raise NotImplementedError
            self.parse_for_moto()
            return original(self)
        return ActionResult(answer) if answer else EmptyResult()

    return method


def _parse_parameters(original: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def parse_parameters(self: Any, request: Any) -> None:
        # Moto's parser breaks on values of a wrong type before anybody could refuse them.
        self.unread = None
        if self._get_action() in OPERATIONS:
            self.params = {}
            self.parse_for_moto = partial(original, self, request)
            return
        try:
            original(self, request)
        except Exception as error:
            self.params, self.unread = {}, error

    return parse_parameters


def _raw(response: Any) -> dict[str, Any]:
    """The parameters of a SageMaker call as they came."""
    try:
        found = json.loads(response.raw_body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _call_action(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """All services but S3 pass here."""

    def call_action(self: Any) -> Any:
        world, operation = current(), self._get_action()
        if world is None or not operation:
            return original(self)
        params = _raw(self) if self.service_name == "sagemaker" else {}
        try:
            fault = world.admit(str(self.service_name), str(operation), params)
        except Refusal as refusal:
            return _refused(self, refusal)
        action = f"{self.service_name}:{operation}"
        unread = getattr(self, "unread", None)
        try:
            if unread is not None:
                raise unread
            answer = original(self)
        except (NotImplementedError, OperationNotFoundError):
            return _refused(self, unsimulated(action))
        except Exception as error:
            wrong = check(str(operation), params) if self.service_name == "sagemaker" else None
            if wrong is not None:
                return _refused(self, wrong)
            # In process whoever called sees where; a served client would be sent a page of HTML.
            if not self.is_werkzeug_request:
                raise
            logger.error("The simulated AWS failed at %s.", action, exc_info=error)
            return _refused(self, broken(action, error))
        return answer if fault is None else _refused(self, fault.refusal)

    return call_action


def _authorize(original: Callable[..., None]) -> Callable[..., None]:
    """Moto tells of a missing permission in XML, which clients of JSON services can't read."""

    def authenticate_and_authorize(self: Any, resource: str = "*") -> None:
        try:
            original(self, resource)
        except HTTPException as error:
            message = getattr(error, "message", None)
            if message is None or self.headers.get("X-Amz-Target") is None:
                raise
            denied = getattr(error, "error_type", "") == "AccessDenied"
            raise JsonRESTError(
                "AccessDeniedException" if denied else "UnrecognizedClientException", message
            ) from None

    return authenticate_and_authorize


def _refused(response: Any, refusal: Refusal) -> Any:
    if isinstance(refusal, ConnectionLost) and not response.is_werkzeug_request:
        raise ConnectionClosedError(endpoint_url=response.uri)
    _, headers, body = response.serialized(ActionResult(refusal))
    headers["status"] = str(refusal.status)
    headers, body = response._enrich_response(headers, body)
    return refusal.status, headers, body


def _s3_action(original: Callable[..., None]) -> Callable[..., None]:
    """S3 has a way of its own, and this is where it knows which operation was meant."""

    def authenticate_and_authorize(self: Any, *args: Any, **kwargs: Any) -> None:
        world = current()
        if world is not None:
            try:
                fault = world.admit("s3", str(self.data.get("Action")), {})
            except Refusal as refusal:
                raise S3ClientError(refusal.code, refusal.message) from None
            if fault is not None:
                raise S3ClientError(fault.refusal.code, fault.refusal.message)
        original(self, *args, **kwargs)

    return authenticate_and_authorize


def _reset(original: Callable[[Any], None]) -> Callable[[Any], None]:
    def reset(self: Any) -> None:
        for world in list(_worlds):
            world.forget(str(self.account_id), str(self.region_name))
        original(self)

    return reset


def _after_adopting(original: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        world = current()
        if world is not None:
            world.adopt(str(self.account_id), str(self.region_name))
        return original(self, *args, **kwargs)

    return method


def _by_arn(original: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """Of the name in an ARN moto expects that it is spelled as it was given, and has no slash."""

    def get_resource_from_arn(self: Any, arn: str) -> Any:
        world = current()
        found = None if world is None else world.tagged(str(self.account_id), str(self.region_name), arn)
        return original(self, arn) if found is None else found

    return get_resource_from_arn


def _add_tags(original: Callable[..., Any]) -> Callable[..., Any]:
    """Moto's tagging API would have a key twice."""

    def add_tags(self: Any, arn: str, tags: list[dict[str, str]]) -> Any:
        world = current()
        found = None if world is None else world.tagged(str(self.account_id), str(self.region_name), arn)
        if found is None:
            return original(self, arn, tags)
        found.tags = merged(found.tags, tags)
        return found.tags

    return add_tags


def _invoke(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def invoke_endpoint(self: Any) -> Any:
        world, backend = current(), self.sagemakerruntime_backend
        name = str(self.path).split("/")[2]
        if world is None or backend.results_queue or backend.results.get(name):
            return original(self)  # a test has told moto what to answer
        headers, body = _of_request(self)
        asked = Invocation(body, headers.get("content-type", ""), headers.get("accept", ""))
        place = str(self.current_account), str(self.region)
        try:
            found = world.invoke(place, name, asked, headers.get(f"{_HEADER}target-variant"))
        except Refusal as refusal:
            return _not_invoked(refusal)
        answered = {"Content-Type": found.content_type, "x-Amzn-Invoked-Production-Variant": found.variant}
        if found.made_up is not None:
            answered[f"{_HEADER}custom-attributes"] = MADE_UP
        return 200, answered, found.body

    return invoke_endpoint


def _invoke_async(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def invoke_endpoint_async(self: Any) -> Any:
        world, backend = current(), self.sagemakerruntime_backend
        name = str(self.path).split("/")[2]
        told = backend.async_results_queue or backend.results_queue or backend.async_results.get(name)
        if world is None or told:
            return original(self)
        headers, body = _of_request(self)

        def header(one: str) -> str:
            return headers.get(f"{_HEADER}{one}", "")

        asked = AsyncInvocation(
            body,
            content_type=header("content-type"),
            accept=header("accept"),
            location=header("inputlocation"),
            inference_id=header("inference-id"),
            extension=header("s3outputpathextension"),
            filename=header("filename"),
            seconds=float(header("invocationtimeoutseconds") or LONGEST_SECONDS),
        )
        try:
            promise = world.invoke_async((str(self.current_account), str(self.region)), name, asked)
        except Refusal as refusal:
            return _not_invoked(refusal)
        answered = {
            "Content-Type": "application/json",
            f"{_HEADER}outputlocation": promise.output,
            f"{_HEADER}failurelocation": promise.failure,
        }
        return 202, {**answered, "status": 202}, json.dumps({"InferenceId": promise.inference_id})

    return invoke_endpoint_async


def _of_request(response: Any) -> tuple[dict[str, str], bytes]:
    """Its headers, by their names in small letters, and its body."""
    headers = {key.lower(): str(value) for key, value in response.headers.items()}
    raw = response.raw_body
    return headers, raw if isinstance(raw, bytes) else str(raw or "").encode()


def _not_invoked(refusal: Refusal) -> tuple[int, dict[str, Any], str]:
    told = {"__type": refusal.code, "Message": refusal.message}
    kind = {"Content-Type": "application/json", "x-amzn-ErrorType": refusal.code}
    return refusal.status, {**kind, "status": refusal.status}, json.dumps(told)
