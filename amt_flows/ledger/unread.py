"""Why a training job has no value of a metric, in words: what was found instead, and what it told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from amt_flows.metrics.expressions import recommended
from amt_flows.metrics.numbers import NUMBER
from amt_flows.names import nearest
from amt_flows.ports import Unread

EACH_COUNTS: Final = (
    "each counts as an epoch of its own. If several processes of a training job print it, let one do so: "
    "`if int(os.environ.get('RANK', '0')) == 0:`"
)


def unread_in_words(one: Unread) -> str:
    """What was found and is no value, and what to do about it."""
    if one.epoch is not None:
        return f"{one.metric} was reported more than once for epoch {one.epoch}, and {EACH_COUNTS}"
    return f"{_found(one)}, so it is not counted. Let group 1 be the number alone: ({NUMBER})"


def no_usable_value(
    metric: str, *, defined: bool, unread: Iterable[Unread], names: Sequence[str], said: str | None = None
) -> str:
    """``defined``: the spec has an expression for the metric; else it was to be reported. ``names``: what the
    job's output has in front of numbers. ``said``: what the backend says about it, which explains it all."""
    if said:
        return f"no usable value of {metric}: {said}"
    mine = next((one for one in unread if one.metric == metric and one.epoch is None), None)
    said = f"no usable value of {metric} in its output: {_found(mine) if mine else _NOTHING[defined]}"
    if defined and not mine and metric in names:
        said += f", though it has {metric} in front of a number"
    others = [name for name in dict.fromkeys(names) if name != metric]
    if not others:
        return said
    said += f"; it has {', '.join(others)}"
    meant = _meant(metric, others)
    if meant is None:
        return said
    if defined or mine:
        return f"{said}. Is {meant} meant?"
    return f"{said}. If {meant} is meant, give training_job.metric_definitions with {recommended(meant)}"


_NOTHING: Final = {
    True: "nothing in it matches the expression of that metric",
    False: "no line of `report` has it, and no expression is given for it",
}


def _meant(metric: str, names: Sequence[str]) -> str | None:
    """The name that most likely stands for the metric: ``val_acc`` for ``validation:accuracy``."""
    last = _words(metric)[-1:]
    alike = [name for name in names if _words(name)[-1:] == last or _begins(last, _words(name)[-1:])]
    return nearest(metric, names) or (alike[0] if len(alike) == 1 else nearest(metric, alike))


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.lower())


def _begins(one: list[str], other: list[str]) -> bool:
    if not one or not other:
        return False
    short, long = sorted((one[0], other[0]), key=len)
    return len(short) >= 3 and long.startswith(short)


def _found(one: Unread) -> str:
    what = f"which is only a part of {one.whole!r}" if one.whole else "which is no number"
    return f"the expression of {one.metric} found {one.text!r}, {what}"
