"""Candidates and results for tests of the deploy side."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from amt_flows.backends.simulated import Script
from amt_flows.deploy import Candidate
from amt_flows.results import TuningResult, result_of
from amt_flows.spec import TuningSpec
from worlds import run, spec


def result(tuning_spec: TuningSpec | None = None, **best: Any) -> TuningResult:
    """The result of a small tuning job; members of its best training job can be changed."""
    ledger, _ = run(tuning_spec or spec(), lambda hyperparameters: Script([0.5, 0.75]))
    found = result_of(ledger, "file:///journal")
    assert found.best is not None
    changed = found.best.model_copy(update={"artifact": "s3://bucket/model.tar.gz", **best})
    return found.model_copy(update={"best": changed})


def candidate(
    artifact: str | Path = "/nowhere", job: int = 1, value: float = 0.9, **changes: Any
) -> Candidate:
    members: dict[str, Any] = {
        "tuning_job": "demo",
        "training_job": f"demo-{job:03d}-0a1b2c3d",
        "artifact": str(artifact),
        "objective_metric": "validation:accuracy",
        "objective_type": "Maximize",
        "objective_value": value,
        "hyperparameters": {"learning_rate": 0.1, "optimizer": "adam"},
        "metrics": {"validation:accuracy": value, "loss": float("nan")},
        "fingerprint": "f" * 64,
        "journal": "file:///journal",
    }
    return Candidate(**{**members, **changes})


def model_directory(place: Path, files: Mapping[str, str] | None = None) -> Path:
    place.mkdir(parents=True)
    for name, text in (files or {"weights.bin": "1 2 3", "tokens/vocabulary.txt": "a b"}).items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return place


Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"x", **members: Any) -> Member:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    for key, value in members.items():
        setattr(entry, key, value)
    return entry, content


def archive(place: Path, *members: Member) -> Path:
    with tarfile.open(place, "w:gz") as file:
        for entry, content in members:
            file.addfile(entry, io.BytesIO(content) if entry.isreg() else None)
    return place


Check = Callable[[], None]
