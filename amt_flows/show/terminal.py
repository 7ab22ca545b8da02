"""What a terminal shows of a tuning job: the table of its training jobs and the summary at its end."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from amt_flows.events import TuningStatus
from amt_flows.names import count
from amt_flows.results import TrainingJobRecord, TuningResult
from amt_flows.show.facts import facts, status, tally, took
from amt_flows.show.leaderboard_rows import tuned_in
from amt_flows.show.text import (
    NOTHING,
    duration,
    hyperparameter,
    hyperparameters,
    local_time,
    number,
    visible,
)

if TYPE_CHECKING:
    from amt_flows.results.records import DamagedRecord, Record

_COLOURS = {"completed": "green", "running": "cyan", "stopping": "yellow", "stopped early": "yellow"}


def terminal_summary(
    result: TuningResult, *, limit: int = 5, home: str | None = None, program: str = "amt-flows"
) -> RenderableType:
    """Where a tuning job stands, or what came of it, and what to do next.

    ``home`` is repeated in the commands that are proposed; leave it out for the usual place. ``program`` is
    how the command line is called where it is not on the search path.
    """
    parts: list[RenderableType] = [_headline(result)]
    parts += [Text(f"  {reason.rule}: {reason.message}") for reason in result.reasons]
    if result.jobs:
        parts += [Text(""), JobsTable(result, limit)]
        if len(result.jobs) > limit:
            parts.append(Text(f"  and {count(len(result.jobs) - limit, 'more training job')}", style="dim"))
    parts += [Text(""), _facts(result), Text(""), _next_steps(result, home, program)]
    return Group(*parts)


def _headline(result: TuningResult) -> Text:
    style = {TuningStatus.COMPLETED: "bold green", TuningStatus.FAILED: "bold red"}
    text = Text.assemble(
        (result.name, "bold"), " ", (status(result), style.get(result.status, "bold yellow"))
    )
    return text.append(f" {took(result)}: {tally(result)}")


@dataclass(frozen=True)
class Visible:
    """Anything that a terminal shows, with the control characters of others' texts written out."""

    inner: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.inner, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


UNLIMITED = 100_000


@dataclass(frozen=True)
class JobsTable:
    """The training jobs, best first; the best one bold.

    Where there is no room for a column for each hyperparameter they share one, and the names go without
    that of the tuning job, which they all begin with.
    """

    result: TuningResult
    limit: int | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for apart in (True, False):
            lines = _Lines(*self._head(apart), self._rows(apart))
            if lines.width <= options.max_width or (not apart and len(lines.rows) > FOLDED_AT_MOST):
                yield from lines.segments(console)
                return
        yield self._folded()

    def _head(self, apart: bool) -> tuple[list[str], list[bool]]:
        """The titles of the columns, and which of them stand to the right."""
        result, names = self.result, tuned_in(self.result, self.result.jobs)
        several = any(job.definition for job in result.jobs)
        others = result.other_metrics()
        words = ["training job", *(["algorithm"] if several else []), "status"]
        objectives = [result.objective_metric if apart and not several else "objective", *others]
        figures = [*objectives, *(["front"] if others else []), "epochs", "time"]
        titles = names if apart else ["hyperparameters"]
        return [*words, *figures, *titles], [False] * len(words) + [True] * len(figures) + [False] * len(
            titles
        )

    def _rows(self, apart: bool) -> list[_Row]:
        result, names = self.result, tuned_in(self.result, self.result.jobs)
        several, prefix = any(job.definition for job in result.jobs), f"{result.name}-"
        best = None if result.best is None else result.best.name
        others, front = result.other_metrics(), set(result.pareto_front)
        rows = []
        for job in result.jobs[: self.limit]:
            given = job.hyperparameters
            values = [hyperparameter(given[title]) if title in given else "" for title in names]
            told = values if apart else [hyperparameters(given)]
            words = [job.name if apart else job.name.removeprefix(prefix)]
            words += [job.definition] if several else []
            on_front = ["yes" if job.name in front else ""] if others else []
            figures = [number(job.metrics.get(metric)) for metric in others] + on_front
            cells = [*words, job.state, number(job.latest_value), *figures, *_length(job), *told]
            rows.append(_Row(cells, len(words), _style(job), job.name == best))
        return rows

    def _folded(self) -> Table:
        """What is too long for its column goes on in the next line."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold dim")
        titles, right = self._head(apart=False)
        for title, to_the_right in zip(titles, right, strict=True):
            folds = title in ("training job", "algorithm", "hyperparameters")
            table.add_column(
                title,
                justify="right" if to_the_right else "left",
                no_wrap=not folds and title not in self.result.other_metrics(),
                overflow="fold" if folds else "ellipsis",
            )
        for row in self._rows(apart=False):
            cells = [Text(cell, row.style if at == row.state else "") for at, cell in enumerate(row.cells)]
            table.add_row(*cells, style="bold" if row.best else None)
        return table


FOLDED_AT_MOST = 1000
"""Rows. More of them are written as they are, however long, for rich takes a millisecond to fold one."""
GAP = "  "


@dataclass(frozen=True)
class _Row:
    """The cells of a training job; which of them is its state, how that one looks, and whether it is the
    best."""

    cells: list[str]
    state: int
    style: str
    best: bool


class _Lines:
    """A table in which each row is one line."""

    def __init__(self, titles: Sequence[str], right: Sequence[bool], rows: list[_Row]) -> None:
        self.rows, self._right, self._titles = rows, right, titles
        columns = zip(titles, *(row.cells for row in rows), strict=True)
        self._widths = [max(map(_width, cells)) for cells in columns]

    @property
    def width(self) -> int:
        return sum(self._widths) + len(GAP) * (len(self._widths) - 1)

    def segments(self, console: Console) -> RenderResult:
        if console.color_system is None:
            lines = (GAP.join(self._filled(cells)) for cells in self._all())
            yield Segment("".join(f"{line}\n" for line in lines))
            return
        yield Segment(f"{GAP.join(self._filled(self._titles))}\n", console.get_style("bold dim"))
        for row in self.rows:
            whole, cells = console.get_style("bold" if row.best else ""), self._filled(row.cells)
            yield Segment(GAP.join(cells[: row.state]) + GAP, whole)
            yield Segment(cells[row.state], whole + console.get_style(row.style))
            yield Segment(f"{GAP}{GAP.join(cells[row.state + 1 :])}\n", whole)

    def _all(self) -> Iterator[Sequence[str]]:
        yield self._titles
        for row in self.rows:
            yield row.cells

    def _filled(self, cells: Sequence[str]) -> list[str]:
        """As wide as their columns."""
        return [
            (" " * (width - _width(cell)) + cell) if right else (cell + " " * (width - _width(cell)))
            for cell, width, right in zip(cells, self._widths, self._right, strict=True)
        ]


def _width(cell: str) -> int:
    """In places of a terminal; of a cell with a line break more than any has."""
    if cell.isascii():
        return UNLIMITED if "\n" in cell else len(cell)
    return UNLIMITED if "\n" in cell else cell_len(cell)


def _style(job: TrainingJobRecord) -> str:
    return _COLOURS.get(job.state, "red" if job.failed else "")


def _length(job: TrainingJobRecord) -> list[str]:
    return [str(job.epochs) if job.epochs else NOTHING, duration(job.training_seconds)]


def records_table(records: Sequence[Record | DamagedRecord]) -> Table:
    """The tuning jobs of a home directory, a line each."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold dim")
    for title in ("tuning job", "status", "jobs", "best", "created", "took"):
        table.add_column(title, overflow="fold", justify="right" if title == "jobs" else "left")
    for record in records:
        table.add_row(*(Text(cell) for cell in _record_cells(record)))
    return table


def _record_cells(record: Record | DamagedRecord) -> list[str]:
    ledger = record.ledger
    if ledger is None:
        return [record.name, "damaged", "", "", "", ""]
    limit = ledger.spec.limits.max_number_of_training_jobs
    jobs = f"{len(ledger.ended)}/{limit}" if limit is not None else str(len(ledger.ended))
    best = "" if ledger.best is None else number(ledger.best.final_value)
    length = duration(ledger.finished_at - ledger.opened_at) if ledger.finished_at is not None else ""
    metric = ledger.leading_algorithm.metric_name
    return [
        ledger.name,
        ledger.status.value,
        jobs,
        f"{metric} {best}" if best else NOTHING,
        local_time(ledger.opened_at),
        length,
    ]


def _facts(result: TuningResult) -> Table:
    """Two columns: what, and what it is."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for what, text in facts(result):
        grid.add_row(Text(what), Text(text))
    return grid


def _next_steps(result: TuningResult, home: str | None, program: str) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="cyan", overflow="fold")
    grid.add_column(style="dim")
    suffix = f" --home {shlex.quote(home)}" if home else ""
    for command, purpose in _commands(result):
        grid.add_row(Text(f"{program} {command}{suffix}"), Text(purpose))
    return grid


def _commands(result: TuningResult) -> list[tuple[str, str]]:
    lines = [(f"jobs {result.name}", "all training jobs")]
    shown = worth_reading(result)
    if shown is not None:
        lines.append((f"logs {shown.name}", "what it printed"))
    if result.ended_at is None:
        lines.append((f"stop {result.name}", "end it, keep the best so far"))
    else:
        lines.append((f"status {result.name} --json", "for the next step of a pipeline"))
    return lines


def worth_reading(result: TuningResult) -> TrainingJobRecord | None:
    """The training job whose output is worth a look: the best one, or else one that failed."""
    if result.best is not None:
        return result.best
    return next((job for job in result.jobs if job.failed), None)
