"""What a strategy may see of a tuning job: one row per trial, and the answer it gives."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, overload

from amt_flows.space.space import Configuration, Space, configuration_key

Curve: TypeAlias = tuple[tuple[int, float], ...]


class TrialState(str, Enum):
    """Where a trial stands, in the four ways that matter to a strategy."""

    PENDING = "pending"
    """Proposed, queued or running: it takes a place in the space but has no final value."""
    COMPLETED = "completed"
    """Ended with a finite final value."""
    STOPPED = "stopped"
    """Cut short (early stopping, a time limit): ``loss`` is where it stood, not where it would have ended."""
    FAILED = "failed"
    """Ended without a usable value: crashed, NaN, or no metric at all."""


@dataclass(frozen=True)
class TrialRow:
    """One trial as a strategy sees it.

    ``loss`` is the objective turned so that smaller is better (negated when maximising); None unless
    the state is COMPLETED or STOPPED, and then finite. ``curve`` holds (epoch, loss) pairs, ascending
    by epoch, in the same sign. ``seconds`` is the training time so far.

    ``other_losses`` are those of further objectives, if the tuning job has any, with the same turn; None for
    a metric that wasn't there.

    ``parent`` names the earlier tuning job that an inherited row comes from (warm start); such rows stand
    before the others, have numbers below 1, and are COMPLETED. ``identical`` says whether the parent had the
    same data and algorithm, so that its losses can be compared with ours; if not, only their order within
    that parent is a hint.
    """

    number: int
    configuration: Configuration
    state: TrialState
    loss: float | None = None
    curve: Curve = ()
    seconds: float | None = None
    parent: str = ""
    identical: bool = True
    other_losses: tuple[float | None, ...] = ()
    is_start: bool = False
    """One of the starts that were added when the tuning job was opened: alike, and not spread out."""

    @property
    def is_hint(self) -> bool:
        """Whether it comes from a parent whose losses can't be compared with ours."""
        return self.parent != "" and not self.identical


class History(Sequence[TrialRow]):
    """The rows of a tuning job's trials, one algorithm's or all, as it goes on.

    Rows are added at the end, and a row is replaced when more is known of its trial; its configuration never
    changes. So what is derived from configurations is derived once, however many there are.
    """

    def __init__(self, rows: Iterable[TrialRow] = ()) -> None:
        self._rows = list(rows)
        self._keys: dict[int, tuple[Space, set[str], int]] = {}
        self._taken: dict[int, int] = {}
        self._of_parents: dict[int, tuple[Space, list[TrialRow]]] = {}

    @overload
    def __getitem__(self, at: int) -> TrialRow: ...

    @overload
    def __getitem__(self, at: slice) -> list[TrialRow]: ...

    def __getitem__(self, at: int | slice) -> TrialRow | list[TrialRow]:
        return self._rows[at]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[TrialRow]:
        return iter(self._rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._rows == list(other)

    __hash__ = None  # type: ignore[assignment]

    def add(self, row: TrialRow) -> int:
        """Its place."""
        self._rows.append(row)
        return len(self._rows) - 1

    def replace(self, place: int, row: TrialRow) -> None:
        self._rows[place] = row

    def used_keys(self, space: Space) -> Set[str]:
        """As :func:`used_keys`; it grows with the history."""
        # By identity: to compare two spaces takes longer than all the rest.
        _, keys, seen = self._keys.get(id(space), (space, set[str](), 0))
        if seen < len(self._rows):
            keys.update(_keys(space, self._rows[seen:]))
            self._keys[id(space)] = space, keys, len(self._rows)
        return keys

    def hints(self, space: Space) -> Sequence[TrialRow]:
        """As :func:`hints_of`. Rows of parents stand first and never change, so they are found once."""
        if id(space) not in self._of_parents:
            self._of_parents[id(space)] = space, _hints(space, self._rows)
        return self._of_parents[id(space)][1]

    def first_free(self, space: Space) -> int:
        """As :func:`first_free`. What is taken stays taken, so the walk goes on where it ended."""
        used = self.used_keys(space)
        self._taken[id(space)] = _first_free(space, used, self._taken.get(id(space), 0))
        return self._taken[id(space)]


def first_free(space: Space, history: Sequence[TrialRow]) -> int:
    """The index in ``space.grid()`` of the first configuration that no row has; the space's size when there
    is none. ``space`` is finite."""
    if isinstance(history, History):
        return history.first_free(space)
    return _first_free(space, used_keys(space, history), 0)


def _first_free(space: Space, used: Set[str], start: int) -> int:
    size, index = space.size or 0, start
    while index < size and configuration_key(space.grid_at(index)) in used:
        index += 1
    return index


def used_keys(space: Space, history: Sequence[TrialRow]) -> Set[str]:
    """The keys of the configurations of ``space`` that a row has, whatever its state.

    Rows from elsewhere (a parent with wider ranges) take no place in this space and are left out, so
    that the number of keys can be compared with ``space.size``. So are those of a parent with other data:
    what it tried was not tried here.
    """
    return history.used_keys(space) if isinstance(history, History) else set(_keys(space, history))


def hints_of(space: Space, history: Sequence[TrialRow]) -> Sequence[TrialRow]:
    """The rows of parents whose losses can't be compared with ours, that have a loss and lie in ``space``."""
    return history.hints(space) if isinstance(history, History) else _hints(space, history)


def _hints(space: Space, rows: Iterable[TrialRow]) -> list[TrialRow]:
    # Those of parents stand before all others.
    of_parents = itertools.takewhile(lambda row: row.parent, rows)
    return [
        row
        for row in of_parents
        if row.is_hint and row.loss is not None and space.contains(row.configuration)
    ]


def _keys(space: Space, rows: Iterable[TrialRow]) -> Iterator[str]:
    return (
        configuration_key(row.configuration)
        for row in rows
        if not row.is_hint and space.contains(row.configuration)
    )


@dataclass(frozen=True)
class Proposal:
    """A configuration to try, which part of the strategy chose it, and why, in a few words."""

    configuration: Configuration
    source: str
    reason: str = ""


def held_back(losses: Sequence[float], completed: Sequence[float]) -> list[float]:
    """The losses that rows which were cut short are taken to end with: where each stood, but no better than
    the median of the ``completed`` ones, and no worse than the worst of them. A promising value early on must
    not become the one to beat, and a poor one says little about how poor the end would have been. With
    nothing completed, they are taken as they stand."""
    if not completed:
        return list(losses)
    best, worst = statistics.median_low(completed), max(completed)
    return [min(max(loss, best), worst) for loss in losses]
