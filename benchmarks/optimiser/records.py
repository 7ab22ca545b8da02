"""One line of JSON per simulated tuning, so that a run that was cut short goes on where it ended."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

from benchmarks.kept import keep, read_rows

Key: TypeAlias = tuple[str, str, int, int]


@dataclass(frozen=True)
class Record:
    """``losses`` in the order of completion (NaN for a failed job), ``seconds`` the CPU time of each job's
    proposal, what was learnt from its result included."""

    peer: str
    version: str
    task: str
    workers: int
    seed: int
    losses: tuple[float, ...]
    seconds: tuple[float, ...]

    @property
    def key(self) -> Key:
        return self.peer, self.task, self.workers, self.seed

    def best(self, jobs: int) -> float:
        """The least loss of the first ``jobs`` to complete; infinite if all of them failed."""
        return min((loss for loss in self.losses[:jobs] if math.isfinite(loss)), default=math.inf)


def read(path: Path | None) -> list[Record]:
    """What is in the file; nothing if there is none. The last line may be cut off."""
    return [
        Record(**{**row, "losses": tuple(row["losses"]), "seconds": tuple(row["seconds"])})
        for row in read_rows(path)
    ]


def append(path: Path | None, record: Record) -> None:
    keep(path, asdict(record))
