"""Reading metrics from a training job's output.

The rules are SageMaker's: every output line is searched with each metric's regex, group 1 is the value, the
n-th match is epoch n, and the last match is the final value. Here is what can be said about a regex before
anything runs, and definitions for libraries whose output we know.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from amt_flows.reporting import metric_regex

if TYPE_CHECKING:
    from amt_flows.spec import MetricDefinition, TrainingJobTemplate

LONGEST_REGEX: Final = 500

NUMBER: Final = r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[Nn]a[Nn]|[Ii]nf)"
"""A regex for a number as training libraries print it, without a group of its own."""


@dataclass(frozen=True)
class Reading:
    """What a metric definition finds in one line. ``text`` is None when it doesn't match, ``value`` is None
    when what it found is no number."""

    metric: str
    text: str | None
    value: float | None


def definitions(
    template: TrainingJobTemplate, objective_metric: str, other_metrics: Iterable[str] = ()
) -> tuple[MetricDefinition, ...]:
    """The metrics that a job's output is searched for: the template's own, and first the objectives as
    ``amt_flows.reporting.report`` prints them, but for those that the template defines.

    Raises ValueError when an objective's name is one that ``report`` refuses.
    """
    given = template.metric_definitions
    known = {definition.name for definition in given}
    added = [name for name in (objective_metric, *other_metrics) if name not in known]
    return (*(_definition(name, metric_regex(name)) for name in added), *given)


def try_on(defined: Sequence[MetricDefinition], sample_line: str) -> tuple[Reading, ...]:
    """What each definition finds in a line of output, in their order. Raises re.error for a bad regex."""
    return tuple(_reading(d.name, re.compile(d.regex), sample_line) for d in defined)


def read_values(
    defined: Sequence[MetricDefinition], lines: Iterable[str]
) -> tuple[tuple[str, int, float], ...]:
    """(metric, epoch, value) of the values in a job's output, by line and then by definition; each metric's
    epochs count from 1.

    Text that a regex finds but that is no number counts as no match. Raises re.error for a bad regex.
    """
    compiled = [(d.name, re.compile(d.regex)) for d in defined]
    epochs: Counter[str] = Counter()
    values: list[tuple[str, int, float]] = []
    for line in lines:
        for name, pattern in compiled:
            value = _reading(name, pattern, line).value
            if value is not None:
                epochs[name] += 1
                values.append((name, epochs[name], value))
    return tuple(values)


def _reading(name: str, pattern: re.Pattern[str], line: str) -> Reading:
    match = pattern.search(line)
    if match is None or match[1] is None:
        return Reading(name, None, None)
    try:
        return Reading(name, match[1], float(match[1]))
    except ValueError:
        return Reading(name, match[1], None)


# -- what is wrong with a regex ----------------------------------------------------------------------


def lint(regex: str) -> list[str]:
    """Why a metric's regex can't work; empty when nothing is wrong with it."""
    if len(regex) > LONGEST_REGEX:
        return [f"is {len(regex)} characters long; SageMaker takes at most {LONGEST_REGEX}"]
    try:
        pattern = re.compile(regex)
    except re.error as error:
        return [f"is not a regular expression: {error}"]
    if pattern.groups == 0:
        return ["has no group: put the part that is the value in parentheses, e.g. 'accuracy: ([0-9.]+)'"]
    before, inside, after = _around_group_1(regex)
    if _is_lazy(inside) and _may_stop_here(after):
        better = f"{before}(\\S+){after}"
        return [f"its ({inside}) takes as little as it can, never a whole number: write {better}"]
    return []


def warnings(regex: str) -> list[str]:
    """What a working regex would miss; empty for one that has problems (see :func:`lint`) or no gap."""
    if lint(regex):
        return []
    before, group, _ = _around_group_1(regex)
    try:
        inside = re.compile(group)
    except re.error:  # it refers to other groups: it can't be tried by itself
        return []
    kinds = {"a sign (-0.25)": "-0.25", "an exponent (1.5e-05)": "1.5e-05", "nan": "nan"}
    missed = [kind for kind, text in kinds.items() if not inside.fullmatch(text)]
    found = [f"its group 1 does not accept {' or '.join(missed)}; (\\S+) does"] if missed else []
    if re.search(r"(?<!\\)\.[*+]$", before):
        found.append(f"the {before[-2:]} in front of group 1 takes all of the number but its last digit")
    return found


def _around_group_1(regex: str) -> tuple[str, str, str]:
    """The text before, inside and after the first capturing group of a regex that has one."""
    start, depth, i = -1, 0, 0
    while i < len(regex):
        c = regex[i]
        if c == "\\":
            i += 1
        elif c == "[":
            i = _end_of_set(regex, i)
        elif c == "(":
            named = re.match(r"\(\?P<\w+>", regex[i:])
            if start < 0 and (named or regex[i + 1] != "?"):
                start = i + (named.end() if named else 1)
                depth = 0
            elif start >= 0:
                depth += 1
        elif c == ")" and start >= 0:
            if depth == 0:
                return regex[: regex.rindex("(", 0, start)], regex[start:i], regex[i + 1 :]
            depth -= 1
        i += 1
    return regex, "", ""


def _end_of_set(regex: str, i: int) -> int:
    """The index of the ``]`` that closes the character set which opens at ``i``."""
    i += 2 if regex[i + 1 : i + 2] == "^" else 1
    i += 1  # a ] that comes first is an ordinary character
    while i < len(regex) and regex[i] != "]":
        i += 2 if regex[i] == "\\" else 1
    return i


def _is_lazy(inside: str) -> bool:
    return re.search(r"(?:[*+?]|\{[0-9,]+\})\?$", inside) is not None


def _may_stop_here(after: str) -> bool:
    """Whether what follows the group is content with nothing, in the middle of a number."""
    try:
        return re.compile(after.lstrip(")")).match("10", 1) is not None
    except re.error:
        return False


def required_text(regex: str) -> str:
    """The longest text that certainly stands in every line which ``regex`` matches; empty if none is certain.

    A line without it needs no search, which is what keeps reading a chatty job's output cheap.
    """
    # Flags change what a letter means, and these escapes take the characters behind them.
    if re.search(r"\(\?[aiLmsux-]|\\[xuUN0-9]", regex):
        return ""
    runs, run, depth, i = [], "", 0, 0
    while i < len(regex):
        c, literal = regex[i], ""
        repeat = re.match(r"\{[0-9]*,?[0-9]*\}", regex[i:])
        if repeat:
            i += repeat.end() - 1
        elif c == "\\":
            i += 1
            literal = "" if regex[i].isalnum() else regex[i]
        elif c == "[":
            i = _end_of_set(regex, i)
        elif c in "()":
            depth += 1 if c == "(" else -1
        elif c == "|" and depth == 0:
            return ""
        elif c not in ".^$*+?{}|":
            literal = c
        follows = regex[i + 1 : i + 2]
        certain = literal != "" and depth == 0 and (not follows or follows not in "*?{")
        run = run + literal if certain else ""
        runs.append(run)
        if follows == "+":
            run = ""
        i += 1
    return max(runs, key=len, default="")


# -- ready-made definitions --------------------------------------------------------------------------


def _definition(name: str, regex: str) -> MetricDefinition:
    # Late, because the rules of a spec lint its regexes with the functions above.
    from amt_flows.spec import MetricDefinition

    return MetricDefinition(name=name, regex=regex)


def keras(metric: str, *, name: str | None = None) -> MetricDefinition:
    """Keras' ``fit`` with ``verbose=1`` or ``2``, e.g. ``keras("val_accuracy")``.

    A ``val_`` metric has one value an epoch. Others are printed at every refresh of the progress bar too:
    for them train with ``verbose=2``, or what counts as an epoch is a refresh.
    """
    regex = rf"^(?!.* ETA: ).* - {re.escape(metric)}: ({NUMBER})"
    return _definition(name or metric, regex)


def mxnet(metric: str, *, data: str = "Validation", name: str | None = None) -> MetricDefinition:
    """MXNet's ``LogValidationMetricsCallback``, e.g. ``mxnet("accuracy")``; with ``data="Train"`` the module
    API's own line for the training set."""
    regex = rf"Epoch\[[0-9]+\] {re.escape(data)}-{re.escape(metric)}=({NUMBER})"
    return _definition(name or f"{data}-{metric}", regex)


def chainer_print_report(metric: str, *, entries: Sequence[str], name: str | None = None) -> MetricDefinition:
    """The column ``metric`` of the table that Chainer's ``PrintReport(entries)`` prints, e.g.
    ``validation/main/accuracy``.

    A row with an empty cell is skipped: its columns can't be told apart. Raises ValueError when ``metric``
    is not one of the entries.
    """
    before = list(entries).index(metric)
    after = len(entries) - before - 1
    cell = r"[-+.0-9einfa]+"
    # It clears the rest of the terminal (ESC [ J) before each row, terminal or not.
    regex = rf"^(?:\x1b\[J)?\s*(?:{cell}\s+){{{before}}}({NUMBER})(?:\s+{cell}){{{after}}}\s*$"
    return _definition(name or metric, regex)


def chainer_evaluator(metric: str, *, name: str | None = None) -> MetricDefinition:
    """What Chainer's ``Evaluator()`` returns (and ``LogReport`` writes), when a script prints it."""
    regex = rf"[\"']{re.escape(metric)}[\"']: (?:\w+(?:\.\w+)*\()?({NUMBER})"
    return _definition(name or metric, regex)


def xgboost(metric: str, *, data: str = "validation", name: str | None = None) -> MetricDefinition:
    """XGBoost's evaluation lines, also as SageMaker's own containers write them: ``xgboost("auc")`` is
    ``validation:auc``."""
    regex = rf"\[[0-9]+\].*(?:\s|#011){re.escape(data)}-{re.escape(metric)}:({NUMBER})"
    return _definition(name or f"{data}:{metric}", regex)


def lightgbm(metric: str, *, data: str = "valid_0", name: str | None = None) -> MetricDefinition:
    """LightGBM's evaluation lines, from Python (``log_evaluation``) or its command line.

    Its early stopping prints the best iteration once more at the end, which so becomes the final value.
    """
    start = r"(?:\[[0-9]+\]|Iteration:[0-9]+,)(?:.*\s|\s)"
    regex = rf"{start}{re.escape(data)}(?:'s)? {re.escape(metric)} ?: ({NUMBER})"
    return _definition(name or f"{data}:{metric}", regex)
