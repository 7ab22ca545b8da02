"""Metric definitions that a spec doesn't have to spell out: of the lines that ``report`` prints, and of
libraries whose output we know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from amt_flows.metrics.numbers import NUMBER
from amt_flows.reporting import metric_regex
from amt_flows.spec.parts import MetricDefinition, TrainingJobTemplate


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


def _definition(name: str, regex: str) -> MetricDefinition:
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
