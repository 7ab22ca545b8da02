"""The README's code blocks, and the project that they make."""

from __future__ import annotations

import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    """The one block of a language that holds a text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [text for text in blocks if containing in text]
    return str(found)


def write_project(directory: Path) -> None:
    """The README's training script and spec."""
    (directory / "train.py").write_text(block("python", "# train.py"))
    (directory / "tuning.toml").write_text(block("toml", "# tuning.toml"))
