"""From DescribeHyperParameterTuningJob's answer to a spec: what somebody asked AMT for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from amt_flows.amt.parent import static_hyperparameters
from amt_flows.backends.sagemaker.service import Answer
from amt_flows.backends.sagemaker.watched import definitions_of
from amt_flows.errors import SpecError
from amt_flows.metrics.expressions import lint
from amt_flows.space.space import Value
from amt_flows.spec import MetricDefinition, TuningSpec, differences
from amt_flows.spec.amt_fields import CONFIG, ONE, SEVERAL
from amt_flows.spec.dotted import copied
from amt_flows.spec.verbatim import ONE_DAY

ASKED: Final = ("HyperParameterTuningJobName", CONFIG, ONE, SEVERAL, "WarmStartConfig", "Autotune")
"""The members of the answer that are the request's."""


_PLAIN: Final = "ResourceConfig"
_FLEXIBLE: Final = "HyperParameterTuningResourceConfig"


def described_spec(answer: Answer) -> TuningSpec:
    """The spec of a tuning job as AMT tells it, without its tags, which it doesn't.

    What AMT runs already isn't refused for metric definitions that we would rather have otherwise: they are
    left out. Raises SpecError for anything else that no spec of ours can say.
    """
    body = {name: copied(answer[name]) for name in ASKED if answer.get(name) is not None}
    for definition in _definitions_in(body):
        _tidy(definition)
    try:
        return TuningSpec.parse(body)
    except SpecError:
        for definition in _definitions_in(body):
            definition.get("AlgorithmSpecification", {}).pop("MetricDefinitions", None)
        return TuningSpec.parse(body)


def _definitions_in(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if ONE in body:
        yield body[ONE]
    yield from body.get(SEVERAL) or ()


def _tidy(definition: dict[str, Any]) -> None:
    """Take out what the service adds to what it was asked."""
    if "StaticHyperParameters" in definition:
        definition["StaticHyperParameters"] = static_hyperparameters(definition)
    for name in [name for name, value in definition.items() if value is False or value is None]:
        del definition[name]
    if _PLAIN in definition and _FLEXIBLE in definition:
        # Both say the same, but that only one can name several instance types.
        del definition[_PLAIN if definition[_FLEXIBLE].get("InstanceConfigs") else _FLEXIBLE]


def changes_asked(body: Mapping[str, Any], answer: Answer) -> list[str]:
    """The settings, a line each, in which a described tuning job is not the one that a request asks for. Its
    tags are not looked at, nor what the service says where nothing was asked."""
    return differences(_comparable(answer, body), _comparable(body, body))


def _comparable(answer: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    answer = {name: copied(answer[name]) for name in ASKED if answer.get(name) is not None}
    for definition, asked in zip(_definitions_in(answer), _definitions_in(body), strict=False):
        definition.setdefault("StoppingCondition", {}).setdefault("MaxRuntimeInSeconds", ONE_DAY)
        if "MetricDefinitions" not in asked.get("AlgorithmSpecification", {}):
            definition.get("AlgorithmSpecification", {}).pop("MetricDefinitions", None)
        for one, other in ((_PLAIN, _FLEXIBLE), (_FLEXIBLE, _PLAIN)):
            if one in asked and other not in asked and one in definition:
                definition.pop(other, None)
    spec = described_spec(answer).to_json()
    spec.pop("name", None)
    return spec


# -- one algorithm of several ------------------------------------------------------------------------------


def typed(algorithm: TuningSpec, texts: Mapping[str, str]) -> dict[str, Value]:
    """A configuration with the types of its ranges. One whose range AMT chose is a number if it can be."""
    kinds: dict[str, type[Value]] = {one.name: str for one in algorithm.categorical}
    kinds |= {one.name: int for one in algorithm.integer} | {one.name: float for one in algorithm.continuous}
    return {name: _value(text, kinds.get(name)) for name, text in texts.items()}


def _value(text: str, kind: type[Value] | None) -> Value:
    if kind is str:
        return text
    try:
        number = float(text)
        if kind is float or not number.is_integer():
            return number
        return int(number) if kind is int or "." not in text else number
    except (ValueError, OverflowError):
        return text


def readable_definitions(answer: Answer, definition_name: str) -> tuple[MetricDefinition, ...] | None:
    """The metric definitions of a tuning job's algorithm that our reader of logs can use; None where the
    request has none, for then the service has its own."""
    for definition in _definitions_in(answer):
        if not answer.get(SEVERAL) or definition.get("DefinitionName") == definition_name:
            given = definitions_of(definition)
            return tuple(one for one in given if not lint(one.regex)) if given else None
    return None
