"""Tuning jobs side by side: what each found, and what that took, against the first of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from amt_flows.events import Outcome, decisive
from amt_flows.results import TuningResult
from amt_flows.show.text import duration, money, number

NOTHING = "–"


def figures(result: TuningResult, first: TuningResult) -> dict[str, Any]:
    """What is compared, as plain values. ``..._against_first`` are shares of the first tuning job's (0.77:
    23 % less), ``best_against_first`` is a difference, above 0 where this one is better; None where it means
    nothing."""
    best, its_best = _best(result), _best(first)
    same = (result.objective_metric, result.objective_type) == (first.objective_metric, first.objective_type)
    difference = None
    if same and best is not None and its_best is not None:
        difference = best - its_best if result.objective_type == "Maximize" else its_best - best
    reason = decisive(result.reasons)
    return {
        "name": result.name,
        "status": result.status.value,
        "objective": f"{result.objective_type} {result.objective_metric}",
        "strategy": result.spec.get("strategy", "Bayesian"),
        "early_stopping": result.spec.get("early_stopping", {}).get("type", "Off"),
        "best": best,
        "best_against_first": difference,
        "training_jobs": len(result.jobs),
        "stopped_early": sum(job.outcome == Outcome.STOPPED_EARLY.value for job in result.jobs),
        "failed": sum(job.failed for job in result.jobs),
        "epochs": _epochs(result),
        "epochs_against_first": _share(_epochs(result), _epochs(first)),
        "training_seconds": result.training_seconds,
        "training_seconds_against_first": _share(result.training_seconds, first.training_seconds),
        "runtime_seconds": result.runtime_seconds,
        "runtime_seconds_against_first": _share(result.runtime_seconds, first.runtime_seconds),
        "cost": result.cost,
        "ended_by": None if reason is None else reason.rule,
    }


def comparison_table(results: Sequence[TuningResult]) -> Table:
    """A column for each tuning job, the first of which the others are compared with."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("")
    columns = [figures(result, results[0]) for result in results]
    for column in columns:
        table.add_column(Text(column["name"]), justify="right")
    for title, cell in _ROWS:
        cells = [cell(column, i > 0) for i, column in enumerate(columns)]
        if any(text != NOTHING for text in cells):
            table.add_row(title, *(Text(text) for text in cells))
    return table


Cell = Callable[[dict[str, Any], bool], str]


def _plain(name: str) -> Cell:
    return lambda column, later: NOTHING if column[name] is None else str(column[name])


def _best_cell(column: dict[str, Any], later: bool) -> str:
    if column["best"] is None:
        return NOTHING
    difference = column["best_against_first"]
    if not later or difference is None:
        return number(column["best"])
    word = "better" if difference > 0 else "worse"
    by = f" ({number(abs(difference), 3)} {word})" if difference else " (the same)"
    return number(column["best"]) + by


def _amount(name: str, text: Callable[[Any], str]) -> Cell:
    def cell(column: dict[str, Any], later: bool) -> str:
        share = column[f"{name}_against_first"]
        change = ""
        if later and share is not None and round(share, 2) != 1:
            change = f" ({abs(1 - share):.0%} {'less' if share < 1 else 'more'})"
        return text(column[name]) + change

    return cell


_ROWS: tuple[tuple[str, Cell], ...] = (
    ("status", _plain("status")),
    ("objective", _plain("objective")),
    ("strategy", _plain("strategy")),
    ("early stopping", _plain("early_stopping")),
    ("best", _best_cell),
    ("training jobs", _plain("training_jobs")),
    ("stopped early", _plain("stopped_early")),
    ("failed", _plain("failed")),
    ("epochs trained", _amount("epochs", str)),
    ("total training time", _amount("training_seconds", duration)),
    ("tuning time", _amount("runtime_seconds", duration)),
    ("cost", lambda column, later: NOTHING if column["cost"] is None else money(column["cost"])),
    ("ended by", _plain("ended_by")),
)


def _best(result: TuningResult) -> float | None:
    return None if result.best is None else result.best.objective_value


def _epochs(result: TuningResult) -> int:
    return sum(job.epochs - job.went_on_after for job in result.jobs)


def _share(amount: float, first: float) -> float | None:
    return amount / first if first else None
