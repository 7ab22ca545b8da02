"""Search: filters over what Describe tells of a job, and its tags.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Filter.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from amt_flows.testing.sagemaker.paging import page
from amt_flows.testing.sagemaker.refusals import Refusal, validation

Answer = Mapping[str, Any]
CREATED = "CreationTime"

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": lambda a, b: a > b,
    "GreaterThanOrEqualTo": lambda a, b: a >= b,
    "LessThan": lambda a, b: a < b,
    "LessThanOrEqualTo": lambda a, b: a <= b,
}
_COMBINATIONS: Mapping[str, Callable[[Any], bool]] = {"And": all, "Or": any}


def search(
    records: Sequence[Answer], name: str, known: Sequence[str], params: Mapping[str, Any]
) -> tuple[list[Answer], str | None]:
    """The records of one page that an expression is true of, and the token of the next page.

    ``name`` is the property that names a record, ``known`` are the members that a filter may speak of. The
    order is by LastModifiedTime unless SortBy names another, and descending; records that don't have it are
    by CreationTime. Raises a ValidationException.
    """
    expression = params.get("SearchExpression") or {}
    if params.get("VisibilityConditions") or params.get("CrossAccountFilterOption") == "CrossAccount":
        raise validation("Cross-account search and visibility conditions are not simulated.")
    _check(expression, known)
    found = [record for record in records if _holds(expression, record)]
    sort_by = str(params.get("SortBy") or ("LastModifiedTime" if "LastModifiedTime" in known else CREATED))
    if sort_by != CREATED:
        _check_property(sort_by, known)
    descending = params.get("SortOrder") != "Ascending"
    return page(
        found, lambda r: (_sortable(_value(r, sort_by)), str(_value(r, name))), params, descending=descending
    )


# -- what is wrong with an expression ----------------------------------------------------------------


def _check(expression: Mapping[str, Any], known: Sequence[str]) -> None:
    if expression.get("NestedFilters"):
        raise validation("NestedFilters are not simulated.")
    filters = list(_filters(expression))
    for one in filters:
        _check_property(str(one["Name"]), known)
        if one.get("Operator") not in ("Exists", "NotExists") and one.get("Value") is None:
            raise validation(f"Value is required for property {one['Name']}.")
    contains = [one["Name"] for one in filters if one.get("Operator") == "Contains"]
    if len(contains) > len(set(contains)):
        raise validation("'CONTAINS' operator usage limit of 1 exceeded.")


def _filters(expression: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    inner = [f for sub in expression.get("SubExpressions") or () for f in _filters(sub)]
    return [*(expression.get("Filters") or ()), *inner]


def _check_property(name: str, known: Sequence[str]) -> None:
    if name.split(".")[0] not in (*known, "Metrics"):
        raise _unknown(name)


def _unknown(name: str) -> Refusal:
    return validation(f"Unknown property name: {name}")


# -- whether it is true of a record ------------------------------------------------------------------


def _holds(expression: Mapping[str, Any], record: Answer) -> bool:
    parts = [_filter_holds(one, record) for one in expression.get("Filters") or ()]
    parts += [_holds(sub, record) for sub in expression.get("SubExpressions") or ()]
    return _COMBINATIONS[str(expression.get("Operator") or "And")](parts) if parts else True


def _filter_holds(one: Mapping[str, Any], record: Answer) -> bool:
    found, operator = _value(record, str(one["Name"])), str(one.get("Operator") or "Equals")
    if operator in ("Exists", "NotExists"):
        return (found is not None) == (operator == "Exists")
    if found is None:
        return operator == "NotEquals"
    given = str(one["Value"])
    if operator in _COMPARISONS:
        return _compare(_COMPARISONS[operator], found, given, str(one["Name"]))
    if operator in ("Equals", "NotEquals"):
        return _equal(found, given) == (operator == "Equals")
    if operator == "In":
        return str(found) in [word.strip() for word in given.split(",")]
    return given in str(found)  # Contains


def _equal(found: Any, given: str) -> bool:
    if isinstance(found, bool):
        return str(found).lower() == given.lower()
    if isinstance(found, datetime):
        return found.replace(microsecond=0) == _time(given)
    if isinstance(found, (int, float)):
        return float(found) == _number(given)
    return str(found) == given


def _compare(holds: Callable[[Any, Any], bool], found: Any, given: str, name: str) -> bool:
    if isinstance(found, datetime):
        return holds(found, _time(given))
    if isinstance(found, str) and not name.startswith("HyperParameters."):
        raise validation(f"The comparison is not supported for text property {name}.")
    try:
        return holds(float(found), _number(given))
    except (TypeError, ValueError):
        return False


def _number(given: str) -> float:
    try:
        return float(given)
    except ValueError:
        raise validation(f"Value {given} is not a number.") from None


def _time(given: str) -> datetime:
    try:
        return datetime.fromisoformat(given.removesuffix("Z"))
    except ValueError:
        raise validation(f"Value {given} is not a timestamp of the form YYYY-mm-dd'T'HH:MM:SS.") from None


def _value(record: Answer, name: str) -> Any:
    """The property that a filter names: ``HyperParameters.x``, ``Tags.x``, ``Metrics.x``, or a path."""
    first, _, rest = name.partition(".")
    if first == "Tags" and rest:
        return next((t["Value"] for t in record.get("Tags") or () if t["Key"] == rest), None)
    if first == "Metrics" and rest:
        metrics = record.get("FinalMetricDataList") or ()
        return next((m["Value"] for m in metrics if m["MetricName"] == rest), None)
    if first in ("HyperParameters", "Environment") and rest:
        return (record.get(first) or {}).get(rest)
    found: Any = record
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _sortable(value: Any) -> Any:
    """Values of one property in order, missing ones first, and such that JSON can carry them."""
    if value is None:
        return [0]
    if isinstance(value, datetime):
        return [1, value.isoformat(timespec="milliseconds")]
    return [1, value if isinstance(value, (int, float)) else str(value)]
