"""The recipes of the libraries: their pages and examples, and what runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples/recipes"
PAGES = ROOT / "docs/recipes"
PATIENCE_SECONDS = 600

# Each page's example.
EXAMPLE = {
    "scikit-learn": "sklearn_digits",
    "xgboost": "xgboost_breast_cancer",
    "lightgbm": "lightgbm_diabetes",
    "pytorch": "pytorch_digits",
    "keras": "keras_digits",
}


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """A page's code blocks, as they stand."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page(name), re.DOTALL | re.MULTILINE)


def environment(tmp_path: Path) -> dict[str, str]:
    """Nothing of a training job around the command, one thread, and directories of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SM_", "SAGEMAKER_"))}
    return {
        **kept,
        "KERAS_BACKEND": "torch",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "AMT_FLOWS_HOME": str(tmp_path / "home"),
    }


def run(tmp_path: Path, *arguments: str) -> str:
    """What Python prints when it is started with these arguments in ``tmp_path``."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def reported(output: str) -> list[float]:
    """The values of an output's ``report`` lines, each with one metric."""
    return [float(value) for value in re.findall(r"^amt-report .*=(\S+);$", output, re.MULTILINE)]
