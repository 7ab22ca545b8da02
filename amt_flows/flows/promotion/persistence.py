"""How the outcome of a flow run of ``tune`` is written down, so that whoever asks the server later gets it
back: the result, or the error with all that it carries.

Prefect's own JSON would lose both. It reads a stored model back as a plain dictionary, since it takes
the form, a class beside ``data``, for that of an older Prefect; and an exception as its class called with
its text.
"""

from __future__ import annotations

from typing import Any

from prefect.serializers import (
    JSONSerializer,
    prefect_json_object_decoder,
    prefect_json_object_encoder,
)

from amt_flows.errors import Problem, SpecError, TuningJobFailed
from amt_flows.results import TuningResult

_RESULT, _PROBLEMS, _FAILED = "amt_flows.result", "amt_flows.spec_problems", "amt_flows.tuning_failed"


def encode(value: object) -> Any:
    """JSON for what JSON has no word for."""
    match value:
        case TuningResult():
            return {_RESULT: value.model_dump(mode="json")}
        case SpecError():
            return {_PROBLEMS: [[p.field, _json_value(p.value), p.message] for p in value.problems]}
        case TuningJobFailed():
            return {_FAILED: [value.happened, value.because, value.remedy, value.result]}
        case _:
            return prefect_json_object_encoder(value)


def decode(found: dict[str, Any]) -> Any:
    """The value that :func:`encode` was given."""
    if _RESULT in found:
        return TuningResult.model_validate(found[_RESULT])
    if _PROBLEMS in found:
        return SpecError([Problem(field, value, message) for field, value, message in found[_PROBLEMS]])
    if _FAILED in found:
        happened, because, remedy, result = found[_FAILED]
        return TuningJobFailed(happened, because=because, remedy=remedy, result=result)
    return prefect_json_object_decoder(found)


def _json_value(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


SERIALIZER: JSONSerializer[Any] = JSONSerializer(
    object_encoder=f"{__name__}.{encode.__name__}", object_decoder=f"{__name__}.{decode.__name__}"
)
