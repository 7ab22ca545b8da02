"""Lines of output that a metric's regular expression finds a value in."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from amt_flows.metrics.numbers import number_in

# Regular expression on the left, a text that it matches on the right. What is not here stands for itself.
_SAMPLES = (
    (r"\\s[*?]|\.[*?]+|\.\*\?|\(\?:[^()]*\)\?|\\d\*|\\w\*", ""),
    (r"\\s\+?", " "),
    (r"\\d\+?|\[0-9\]\+?", "1"),
    (r"\\[wS]\+?|\.\+\??", "x"),
    (r"\\b|[\^$]", ""),
    (r"\\(\W)", r"\1"),
    (r"([^\\])[*+?]", r"\1"),
)
_PROBES = (0.5, 1)


def metric_names(definitions: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(definition["Name"]) for definition in definitions]


def lines_for(values: Mapping[str, float], epoch: int, definitions: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line per value. Raises ValueError if no line can be made that a definition's regex matches."""
    regexes = {str(d["Name"]): str(d["Regex"]) for d in definitions}
    return [
        _template(name, regexes.get(name)).replace("{epoch}", str(epoch)).replace("{value}", _text(value))
        for name, value in values.items()
    ]


@lru_cache(maxsize=1024)
def _template(name: str, regex: str | None) -> str:
    # The probe decides once; afterwards each value is printed as it is, and a regex that knows no sign or
    # exponent misses it, as it would on the real service.
    if regex is None:
        return f"{name}={{value}}"
    pattern = re.compile(regex)
    for probe in _PROBES:
        for template in _candidates(name, regex):
            line = template.replace("{epoch}", "1").replace("{value}", _text(probe))
            if value_in(line, pattern) == probe:
                return template
    raise ValueError(
        f"no line of output comes to mind that {regex!r} finds a value of {name!r} in; "
        "give the script lines=..., a function of the epoch and its values"
    )


def _candidates(name: str, regex: str) -> Iterator[str]:
    yield f"amt-report epoch={{epoch}}; {name}={{value}};"  # as amt_flows.reporting prints it
    for separator in ("=", ": ", " = ", " "):
        yield f"{name}{separator}{{value}}"
        yield f"{name}{separator}{{value}};"
    start = regex.find("(")
    while start >= 0:
        if start == 0 or regex[start - 1] != "\\":
            for end in (m.end() for m in re.finditer(r"\)", regex)):
                if end > start and not re.match(r"\?(?!P<)", regex[start + 1 :]):
                    yield f"{_sample(regex[:start])}{{value}}{_sample(regex[end:])}"
        start = regex.find("(", start + 1)


def _text(value: float) -> str:
    return repr(value if isinstance(value, int) else float(value))


def _sample(regex: str) -> str:
    text = regex
    for pattern, replacement in _SAMPLES:
        text = re.sub(pattern, replacement, text)
    return text


def value_in(line: str, pattern: re.Pattern[str]) -> float | None:
    """Group 1 of the first match in a line as a number, if there is one: SageMaker's rule."""
    match = pattern.search(line)
    found = match[1] if match and pattern.groups else None
    return None if found is None else number_in(found)


def finite(value: float) -> bool:
    """Whether CloudWatch metrics take the value: NaN and infinity are refused there."""
    return math.isfinite(value)
