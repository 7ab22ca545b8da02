"""One tuner, written once for the SDK's real classes and for the stand-ins, with what is expected of it.

This and the modules of cases run in the SDK's environment too: they need nothing but Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

JOB = "tuned-by-the-sdk"
ROLE = "arn:aws:iam::123456789012:role/trainer"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:1"
OUTPUT = "s3://bucket/models"
DATA = "s3://bucket/data/train"
REGEX = "validation:accuracy=([0-9.]+)"
METRICS = ({"Name": "validation:accuracy", "Regex": REGEX},)
# A bucket that the SDK makes by default has the account and the region in its name.
DEFAULT_BUCKET = "sagemaker-eu-west-1-123456789012"


@dataclass
class Case:
    """``kept``: what our request has beyond the SDK's (a path of members, and its value); ``dropped``: the
    paths of what the SDK's has and ours hasn't. ``sdk_fails``: the SDK itself can't start this tuner."""

    tuner: Any
    inputs: Any = None
    kept: Mapping[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    sdk_fails: bool = False
    prepared: bool = False


@dataclass(frozen=True)
class Kit:
    """The SDK's classes, real or stood in for, by their names, and a directory with ``train.py`` in it."""

    classes: Mapping[str, Any]
    source_dir: Path

    def __getattr__(self, name: str) -> Any:
        return self.classes[name]


Cases = dict[str, Callable[[Kit], Case]]


def source_dir(directory: Path) -> Path:
    (directory / "train.py").write_text("print('validation:accuracy=0.5')\n", encoding="utf-8")
    return directory


def rate(kit: Kit) -> dict[str, Any]:
    return {"rate": kit.ContinuousParameter(0.001, 0.5)}


def tuner_of(kit: Kit, trainer: Any, ranges: Any = None, **settings: Any) -> Any:
    """The SDK's tuner of an estimator or a trainer, for one metric and four jobs unless told otherwise."""
    given = {"metric_definitions": list(METRICS), "max_jobs": 4, **settings}
    return kit.HyperparameterTuner(trainer, "validation:accuracy", ranges or rate(kit), **given)
