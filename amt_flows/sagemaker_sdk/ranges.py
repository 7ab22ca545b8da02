"""The SDK's parameter ranges, as AMT's and as ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypedDict

from pydantic import ValidationError

from amt_flows.errors import SpecError
from amt_flows.sagemaker_sdk.reading import Reader, kind_of
from amt_flows.spec.parts import CategoricalRange, ContinuousRange, IntegerRange, Part
from amt_flows.spec.shape import shape_problems


class Ranges(TypedDict):
    """The three lists of ranges as a spec has them: ``TuningSpec(**ranges_from(...), ...)``."""

    continuous: tuple[ContinuousRange, ...]
    integer: tuple[IntegerRange, ...]
    categorical: tuple[CategoricalRange, ...]


class _Ranges(Part):
    continuous: tuple[ContinuousRange, ...]
    integer: tuple[IntegerRange, ...]
    categorical: tuple[CategoricalRange, ...]


_OWN_NAMES: Final = {
    "Name": "name",
    "MinValue": "min_value",
    "MaxValue": "max_value",
    "ScalingType": "scaling_type",
    "Values": "values",
}
_KINDS: Final = ("Integer", "Continuous", "Categorical")


def ranges_from(hyperparameter_ranges: Mapping[str, object]) -> Ranges:
    """The SDK's ``hyperparameter_ranges`` (name to IntegerParameter, ContinuousParameter or
    CategoricalParameter, of v2 or v3) as a spec's three lists, in the given order.

    Raises SpecError. Rules between values, such as a minimum below the maximum, are the spec's to check.
    """
    reader = Reader()
    amt = amt_ranges(reader, hyperparameter_ranges, "hyperparameter_ranges")
    if reader.problems:
        raise SpecError(reader.problems)
    own: dict[str, Any] = {
        kind.lower(): [
            {_OWN_NAMES[name]: value for name, value in one.items()} for one in amt[f"{kind}ParameterRanges"]
        ]
        for kind in _KINDS
    }
    try:
        read = _Ranges(**own)
    except ValidationError as error:
        raise SpecError(shape_problems(_Ranges, own, error)) from None
    return Ranges(continuous=read.continuous, integer=read.integer, categorical=read.categorical)


def amt_ranges(
    reader: Reader, ranges: object, at: str, *, json_values: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """The members of AMT's ParameterRanges, empty ones too. Bounds are written as the SDK writes them.

    ``json_values``: write categorical values as JSON, as v2 does for framework estimators.
    """
    amt: dict[str, list[dict[str, Any]]] = {f"{kind}ParameterRanges": [] for kind in _KINDS}
    if not isinstance(ranges, Mapping):
        reader.refuse(at, kind_of(ranges), "must map names to ranges of the SageMaker SDK")
        return amt
    for name, one in ranges.items():
        if one is None:  # the SDK ignores it
            continue
        if not isinstance(name, str):
            reader.refuse(at, kind_of(name), "a hyperparameter's name must be a string")
            continue
        kind = _kind(one)
        if kind is None:
            reader.refuse(
                f"{at}.{name}",
                kind_of(one),
                "is not a range of the SageMaker SDK; give an IntegerParameter, a ContinuousParameter "
                "or a CategoricalParameter",
            )
        else:
            amt[f"{kind}ParameterRanges"].append(
                {"Name": name, **_members(reader, one, f"{at}.{name}", json_values=json_values)}
            )
    return amt


def _kind(one: object) -> str | None:
    """The SDK gives each instance of a range, and of its subclasses, a ``__name__``."""
    kind = getattr(one, "__name__", None)
    needed = ("values",) if kind == "Categorical" else ("min_value", "max_value", "scaling_type")
    return str(kind) if kind in _KINDS and all(hasattr(one, name) for name in needed) else None


def _members(reader: Reader, one: Any, at: str, *, json_values: bool) -> dict[str, Any]:
    if not hasattr(one, "values"):
        return {
            "MinValue": reader.text(one.min_value, f"{at}.min_value"),
            "MaxValue": reader.text(one.max_value, f"{at}.max_value"),
            "ScalingType": reader.get(one, "scaling_type", at),
        }
    texts = [reader.text(value, f"{at}.values[{i}]") for i, value in enumerate(one.values)]
    return {"Values": [json.dumps(text) for text in texts] if json_values else texts}
