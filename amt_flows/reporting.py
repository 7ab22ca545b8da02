"""For training scripts: report metrics, read hyperparameters, find directories, say why it failed.

Standard library only, Python 3.8 or newer, and nothing here imports the rest of amt-flows: copy this one
file into any image. The same calls work on this machine, in a SageMaker training container (both keep the
container contract below ``SAGEMAKER_BASE_DIR``, or ``/opt/ml``), and in a script started by hand::

    from amt_flows.reporting import hyperparameters, model_dir, report

    rate = float(hyperparameters().get("learning-rate", "0.1"))
    for epoch in range(1, 11):
        ...
        report({"validation:accuracy": accuracy}, epoch=epoch, loss=loss)
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["channel", "checkpoint_dir", "fail", "hyperparameters", "metric_regex", "model_dir", "report"]

_MARK = "amt-report"

# What repr() makes of a float. Only constructs that every regex engine knows, since SageMaker's may not be
# Python's.
_VALUE = r"[-+]?(?:[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?|nan|inf)"

_LONGEST_NAME, _LONGEST_REGEX = 255, 500  # SageMaker's limits for a metric definition


def report(
    values: Mapping[str, float] | None = None, /, *, epoch: int | None = None, **metrics: float
) -> None:
    """Print one line with the current values of some metrics, and flush it.

    Names that Python can't spell go into a mapping: ``report({"validation:accuracy": 0.9}, epoch=3)``.
    Values may be NaN or infinite, and anything that ``float`` takes (a NumPy or PyTorch scalar). The n-th
    report of a metric is its n-th epoch for the tuner, whatever ``epoch`` says. But a script that goes on
    from a checkpoint says by ``epoch`` with which it goes on, counting from 0 or 1 as it did before.
    With several processes, report from one of them. Raises ValueError for a name that can't be read back,
    for a value that is no number, and when there is nothing to report.
    """
    both = dict(values or {}, **metrics)
    if not both:
        raise ValueError("nothing to report: give at least one metric, e.g. report(loss=0.1)")
    parts = [] if epoch is None else [f"epoch={int(epoch)};"]
    for name, value in both.items():
        try:
            parts.append(f"{_checked(name)}={float(value)!r};")
        except TypeError:
            raise ValueError(f"the value of {name!r} is no number: {value!r}") from None
    # One write per line: lines of several threads or processes stay whole.
    sys.stdout.write(f"{_MARK} {' '.join(parts)}\n")
    sys.stdout.flush()


def metric_regex(name: str) -> str:
    """The regular expression, at most 500 characters, whose group 1 is a value that ``report`` printed.

    Raises ValueError for a name that ``report`` would refuse.
    """
    regex = f"{_MARK} (?:.*; )?{re.escape(_checked(name))}=({_VALUE});"
    if len(regex) > _LONGEST_REGEX:
        raise ValueError(f"the metric name {name!r} needs a regex of more than 500 characters; shorten it")
    return regex


def hyperparameters() -> dict[str, str]:
    """The job's hyperparameters, all strings; empty in a script that was started by hand."""
    try:
        text = (_base() / "input/config/hyperparameters.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        text = os.environ.get("SM_HPS") or "{}"
    found = json.loads(text)
    return {name: v if isinstance(v, str) else json.dumps(v) for name, v in found.items()}


def model_dir() -> Path:
    """Where to write the model; it exists. ``./model`` when started by hand."""
    return _directory("SM_MODEL_DIR", "model")


def checkpoint_dir() -> Path:
    """Where to write checkpoints; it exists. ``./checkpoints`` when started by hand."""
    return _directory("SM_CHECKPOINT_DIR", "checkpoints")


def channel(name: str) -> Path:
    """Where the input channel ``name`` is, file or directory. ``./data/<name>`` when started by hand."""
    given = os.environ.get("SM_CHANNEL_" + re.sub(r"[^A-Za-z0-9]", "_", name).upper())
    return Path(given) if given else (_base() / "input/data" if _in_a_job() else Path("data")) / name


def fail(reason: str) -> None:
    """Say why training failed; the first 1,024 characters become the job's failure reason. End the script
    with a non-zero exit status afterwards: this call doesn't."""
    sys.stderr.write(reason.rstrip("\n") + "\n")
    if _in_a_job():
        file = _base() / "output/failure"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(reason, encoding="utf-8", errors="replace")


def _checked(name: str) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise ValueError(f"a metric name is a string of 1 to 255 characters, not {name!r}")
    if name == "epoch":
        raise ValueError("'epoch' can't be a metric's name here: pass epoch=... instead")
    bad = [c for c in name if c in ";=" or c.isspace() or not c.isprintable()]
    if bad:
        raise ValueError(f"the metric name {name!r} must not contain {bad[0]!r}; use ':' or '_' instead")
    return name


def _base() -> Path:
    return Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml")


def _in_a_job() -> bool:
    return bool(os.environ.get("SAGEMAKER_BASE_DIR")) or Path("/opt/ml/input/config").is_dir()


def _directory(variable: str, name: str) -> Path:
    path = Path(os.environ.get(variable) or (_base() / name if _in_a_job() else name))
    path.mkdir(parents=True, exist_ok=True)
    return path
