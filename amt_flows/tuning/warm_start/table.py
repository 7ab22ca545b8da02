"""A table of training jobs as a parent: a data frame, or a CSV file."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from amt_flows.errors import Problem, SpecError
from amt_flows.events import Outcome
from amt_flows.spec import TuningSpec
from amt_flows.spec.given_file import NotAFile, read_given
from amt_flows.tuning.warm_start.parent import OUTCOMES, Parent, ParentJob

FINAL_VALUE: Final = "FinalObjectiveValue"
"""The objective's column in ``TuningResult.to_frame()`` and in the SageMaker SDK's analytics."""
MOST_ROWS: Final = 10_000
MOST_MEGABYTES: Final = 50


@runtime_checkable
class Frame(Protocol):
    """A pandas data frame, or what has its two members."""

    @property
    def columns(self) -> Any: ...
    @property
    def to_dict(self) -> Any: ...


Table: TypeAlias = Frame | Sequence[Mapping[str, Any]] | str | Path


def parent_from_frame(table: Table, like: TuningSpec, *, name: str = "") -> Parent:
    """The parent that a table makes: a row for each training job, a column for each hyperparameter and one
    for the objective, which is called as the metric is in ``like`` (the spec that is to be warm started) or
    ``FinalObjectiveValue``, which alone will do where a hyperparameter is called as the metric is. ``table``
    is a data frame, a list of mappings, or the path of a CSV file.

    A static hyperparameter of ``like`` without a column is taken to have had the same value. Understood as
    well are the columns TrainingJobName, TrainingJobStatus, TrainingStartTime and TrainingEndTime of
    ``TuningResult.to_frame()``; others are ignored. A row whose objective is empty or NaN is one of a job
    without a usable value, and is left out.

    Raises SpecError.
    """
    where = name or (str(table) if isinstance(table, str | Path) else "the data frame")
    columns, rows = _contents(table, where)
    if len(rows) > MOST_ROWS:
        raise _problem(
            where, f"has {len(rows):,} rows and at most {MOST_ROWS:,} are taken; give a part of them"
        )
    names = {*like.space().names, *like.static_hyperparameters}
    objective = _objective_in(columns, like.objective.metric_name, names, where)
    static = {key: value for key, value in like.static_hyperparameters.items() if key not in columns}
    known = names - {objective}
    tuned = frozenset(known & set(columns))
    return Parent(
        name=where,
        source=str(table) if isinstance(table, str | Path) else "a data frame",
        status="Completed",
        objective_metric=like.objective.metric_name,
        maximize=like.maximize,
        static_hyperparameters=static,
        tuned=tuned,
        jobs=tuple(_job(row, i, tuned, objective) for i, row in enumerate(rows, start=1)),
    )


def _objective_in(columns: Sequence[str], metric: str, hyperparameters: Set[str], where: str) -> str:
    """The objective's column. Where a hyperparameter is called as the metric is (``loss``, say), a column of
    that name is the hyperparameter's, as in what we write. Raises SpecError."""
    is_taken = metric in hyperparameters
    objective = next((one for one in (*((metric,) * (not is_taken)), FINAL_VALUE) if one in columns), None)
    if objective is not None:
        return objective
    if is_taken:
        why = f"with the objective; {metric} is a hyperparameter, too, and the column of that name is its"
        raise _problem(where, f"has no column {FINAL_VALUE} {why}")
    why = f"with the objective; its columns are {', '.join(columns)}"
    raise _problem(where, f"has no column {metric} (or {FINAL_VALUE}) {why}")


def _contents(table: Table, where: str) -> tuple[list[str], list[Mapping[str, Any]]]:
    if isinstance(table, str | Path):
        return _read(Path(table), where)
    if isinstance(table, Frame):
        return [str(column) for column in table.columns], list(table.to_dict("records"))
    return list(dict.fromkeys(str(column) for row in table for column in row)), list(table)


def _read(path: Path, where: str) -> tuple[list[str], list[Mapping[str, Any]]]:
    try:
        # Spreadsheets begin a file with a mark that would become a part of the first column's name.
        text = read_given(path, MOST_MEGABYTES).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        columns = list(reader.fieldnames or ())
        rows: list[Mapping[str, Any]] = list(reader)
    except FileNotFoundError:
        raise _problem(where, "there is no such file; give the path of a CSV file of training jobs") from None
    except NotAFile as error:
        raise _problem(where, str(error)) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _problem(where, f"can't be read as CSV: {error}") from None
    return columns, rows


def _job(row: Mapping[str, Any], number: int, tuned: frozenset[str], objective: str) -> ParentJob:
    status = str(row.get("TrainingJobStatus") or "Completed")
    return ParentJob(
        name=str(row.get("TrainingJobName") or f"row-{number}"),
        configuration={name: row.get(name) for name in tuned},
        value=_number(row.get(objective)) if status in OUTCOMES else None,
        outcome=OUTCOMES.get(status, Outcome.FAILED),
        started_at=_seconds(row.get("TrainingStartTime")),
        ended_at=_seconds(row.get("TrainingEndTime")),
    )


def is_empty(cell: object) -> bool:
    """Whether a cell has no value: an empty one of a file, or one that is missing in a data frame (a NaN, or
    the NA of its nullable columns, which is neither equal to itself nor different)."""
    if isinstance(cell, str):
        return not cell
    try:
        return bool(cell != cell)
    except TypeError:
        return True


def _number(cell: Any) -> float | None:
    try:
        value = float(cell)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _seconds(cell: Any) -> float | None:
    if isinstance(cell, str):
        try:
            cell = datetime.fromisoformat(cell)
        except ValueError:
            return None
    # A missing time in a data frame is a datetime too, one that differs from itself.
    if not isinstance(cell, datetime) or cell != cell:
        return None
    return (cell if cell.tzinfo else cell.replace(tzinfo=timezone.utc)).timestamp()


def _problem(where: str, message: str) -> SpecError:
    return SpecError([Problem("warm_start.parents", where, message)])
