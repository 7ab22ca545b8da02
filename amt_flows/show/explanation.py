"""Explanations as text for people: what mattered, and why a training job was proposed and stopped.

The figures come from :mod:`amt_flows.results.explain`, which is loaded when asked for: it needs scipy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from amt_flows.events import Judgement, number_to_json
from amt_flows.ledger.ledger import Ledger
from amt_flows.names import count
from amt_flows.show.text import hyperparameter, number
from amt_flows.space.conditions import Condition

if TYPE_CHECKING:
    from amt_flows.results.explain import BestRegion, Why

# Below this the model foretells so little that its shares deserve a warning.
UNSURE_BELOW = 0.3

COLUMNS = ("Hyperparameter", "Alone", "With interactions", "Best values")


def importance_rows(ledger: Ledger) -> list[tuple[str, str, str, str]]:
    """A row for each hyperparameter, under ``COLUMNS``. Raises NothingToExplain."""
    from amt_flows.results.explain import best_region, importance

    ledger = ledger.of_one_algorithm()
    space = ledger.spec.space()
    return [
        (one.name, _share(one.alone, one.alone_sd), _share(one.total, one.total_sd), region)
        for one in importance(ledger)
        for region in (_best_values(best_region(ledger, one.name), space.condition_of(one.name)),)
    ]


def reliability_line(ledger: Ledger) -> str:
    """How far the shares can be trusted, in a sentence. Raises NothingToExplain."""
    from amt_flows.results.explain import predictability

    foretold = predictability(ledger)
    line = (
        f"Shares of the variance of {_objective(ledger)} over the ranges; the model foretells "
        f"{foretold:.0%} of the variance of results that it has not seen"
    )
    return f"{line}: take them with care." if foretold < UNSURE_BELOW else f"{line}."


def _objective(ledger: Ledger) -> str:
    """The objective that is explained; of several algorithms it is the leading one's."""
    leading = ledger.leading_algorithm
    return f"{leading.metric_name} of {leading.name}" if leading.name else leading.metric_name


def _share(share: float, sd: float) -> str:
    return f"{share:.0%} ± {sd:.0%}"


def _best_values(region: BestRegion, condition: Condition | None) -> str:
    text = region_text(region)
    return text if condition is None else f"{text}, when {condition}"


def region_text(region: BestRegion) -> str:
    """``0.001 to 0.02``, or ``adam, sgd``."""
    if region.choices:
        return ", ".join(region.choices)
    if region.low == region.high:
        return hyperparameter(region.low)
    return f"{_short(region.low)} to {_short(region.high)}"


def _short(value: str | int | float) -> str:
    # The ends of a region are points of a grid: more digits would promise what they don't hold.
    return number(value, 3) if isinstance(value, float) else str(value)


def importance_table(ledger: Ledger) -> Group:
    """For a terminal. Raises NothingToExplain."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in COLUMNS:
        table.add_column(column)
    # As Text: what looks like rich's markup in a name is part of the name.
    for row in importance_rows(ledger):
        table.add_row(*(Text(cell) for cell in row))
    return Group(Text(reliability_line(ledger)), Text(""), table)


def importance_json(ledger: Ledger) -> dict[str, object]:
    """All figures of a tuning job, the most important hyperparameter first. Raises NothingToExplain."""
    from amt_flows.results.explain import best_region, dependence, importance, predictability

    definition = ledger.leading_algorithm.name
    ledger = ledger.of_one_algorithm()
    space = ledger.spec.space()
    return {
        **({"definition": definition} if definition else {}),
        "objective": ledger.spec.objective.metric_name,
        "predictability": predictability(ledger),
        "importance": [
            {
                **asdict(one),
                "only_when": _condition_json(space.condition_of(one.name)),
                "best": _region_json(best_region(ledger, one.name)),
                "dependence": [asdict(point) for point in dependence(ledger, one.name)],
            }
            for one in importance(ledger)
        ],
    }


def _condition_json(condition: Condition | None) -> dict[str, object] | None:
    return None if condition is None else {"name": condition.on, "values": list(condition.values)}


def _region_json(region: BestRegion) -> dict[str, object]:
    if region.choices:
        return {"choices": list(region.choices)}
    return {"low": region.low, "high": region.high}


def why_json(why: Why) -> dict[str, object]:
    """All figures of a training job; NaN and the infinities as words, which JSON has no numbers for."""
    plain = asdict(why)
    plain["value"] = None if why.value is None else number_to_json(why.value)
    if why.stop is not None:
        numbers = {name: number_to_json(value) for name, value in why.stop.numbers.items()}
        median = None if why.stop.median is None else number_to_json(why.stop.median)
        value = number_to_json(why.stop.value)
        plain["stop"] = {**why.stop._asdict(), "value": value, "median": median, "numbers": numbers}
    return plain


def why_lines(ledger: Ledger, why: Why) -> Iterator[str]:
    """Why a training job was proposed, what came of it, and why it was stopped if it was."""
    metric = ledger.algorithm_of(ledger.jobs[why.job]).metric_name
    attempt = f", attempt {why.attempt}" if why.attempt > 1 else ""
    whose = f" of {why.definition}" if why.definition else ""
    yield f"{why.job} (trial {why.trial}{whose}{attempt})"
    for name, value in why.configuration.items():
        yield f"  {name} = {hyperparameter(value)}"
    yield f"Proposed by {why.source}{': ' if why.reason else ''}{why.reason}."
    shown = "no value" if why.value is None else f"{metric} {number(why.value)}"
    best = ledger.best
    compared = ""
    if best is not None and best.name == why.job:
        compared = "; it is the best training job"
    elif best is not None:
        compared = f"; the best is {number(best.final_value)} of {best.name}"
    state = "Still running" if why.outcome is None else why.outcome.value.capitalize()
    yield f"{state}: {shown}{compared}."
    if why.stop is not None:
        yield f"Stopped early at epoch {why.stop.epoch}: {why.stop.why}."
        yield f"  {judgement_numbers(why.stop)}"
    elif why.stop_why:
        yield f"Stopped: {why.stop_why}."
    elif why.judged:
        yield f"Early stopping looked at {count(why.judged, 'epoch')} of it and let it go on."


def judgement_numbers(judgement: Judgement) -> str:
    """What was weighed: ``value 0.6, median 0.7, compared with 8 jobs``, then the rule's own numbers."""
    parts = [f"value {number(judgement.value)}"]
    if judgement.median is not None:
        parts.append(f"median {number(judgement.median)}")
    parts.append(f"compared with {count(judgement.compared, 'job')}")
    parts += [f"{name} {number(value)}" for name, value in judgement.numbers.items()]
    return ", ".join(parts)
