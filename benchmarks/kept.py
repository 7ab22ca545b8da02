"""Finished runs in a file, so that none is run again; and how sure a difference between two is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

DRAWS = 4000


def read_rows(path: Path | None) -> list[dict[str, Any]]:
    """The runs in a file, one JSON object a line; none if there is no file. A line that was cut off, as the
    last one of a run that was killed, is no run."""
    if path is None or not path.exists():
        return []
    rows = []
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def keep(path: Path | None, row: Mapping[str, Any]) -> None:
    """Add a run to the file, if there is to be one: on a line of its own, also after one that was cut off."""
    if path is None:
        return
    before = path.read_text() if path.exists() else ""
    gap = "" if before.endswith("\n") or not before else "\n"
    with path.open("a") as file:
        file.write(f"{gap}{json.dumps(row)}\n")


def interval(gaps: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The ends (shape ``(k,)`` each) of the 90 % bootstrap interval of the mean of paired differences (shape
    ``(n, k)``, a row a pair)."""
    rng = np.random.default_rng(0)
    means = gaps[rng.integers(len(gaps), size=(DRAWS, len(gaps)))].mean(axis=1)
    low, high = np.quantile(means, (0.05, 0.95), axis=0)
    return low, high
