"""The recipes of the libraries: their pages and examples, and what runs them."""

from __future__ import annotations

import re
from pathlib import Path

import pages
import programs
from pages import ROOT

EXAMPLES = ROOT / "examples/recipes"
PAGES = ROOT / "docs/recipes"
PATIENCE_SECONDS = 600
# Beside those of any program.
VARIABLES = {"KERAS_BACKEND": "torch", "PYTHONUNBUFFERED": "1"}

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
    return pages.blocks(page(name), language)


def run(tmp_path: Path, *arguments: str) -> str:
    """What Python prints when it is started with these arguments in ``tmp_path``."""
    return programs.python(tmp_path, *arguments, variables=VARIABLES, patience=PATIENCE_SECONDS).stdout


def reported(output: str) -> list[float]:
    """The values of an output's ``report`` lines, each with one metric."""
    return [float(value) for value in re.findall(r"^amt-report .*=(\S+);$", output, re.MULTILINE)]
