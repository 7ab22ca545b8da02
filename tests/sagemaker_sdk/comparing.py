"""Comparison of a request of the SDK with ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amt_flows.spec.dotted import copied, put, take
from sagemaker_sdk.case import Case


def same_meaning(request: Any) -> Any:
    """The request without the differences that mean nothing: "1" and "1.0" as the end of a range, and the
    order of parents, which v2 keeps in a set."""
    if isinstance(request, Mapping):
        return {name: _meaning(name, value) for name, value in request.items()}
    return [same_meaning(one) for one in request] if isinstance(request, list) else request


def _meaning(name: str, value: Any) -> Any:
    if name in ("MinValue", "MaxValue"):
        return float(value)
    if name == "ParentHyperParameterTuningJobs":
        return sorted(value, key=str)
    return same_meaning(value)


def expected(case: Case, request: Mapping[str, Any]) -> Any:
    """The SDK's request, with what the SDK's tuner loses and ours keeps."""
    body = copied(request)
    for path in case.dropped:
        take(body, path)
    for path, value in case.kept.items():
        put(body, path, value)
    return same_meaning(body)
