"""The code blocks of the README and of the guide behind it, and the project that they make."""

from __future__ import annotations

from pathlib import Path

import pytest

import pages

README = pages.page("README.md") + pages.page("docs/guide.md")


def block(language: str, containing: str) -> str:
    """The one block of a language that holds a text."""
    return pages.block(README, language, containing)


def write_project(directory: Path) -> None:
    """The README's training script and spec."""
    (directory / "train.py").write_text(block("python", "# train.py"))
    (directory / "tuning.toml").write_text(block("toml", "# tuning.toml"))


def enter_project(directory: Path, environment: pytest.MonkeyPatch) -> Path:
    """The README's project as the working directory, with a home of its own. Returns the directory."""
    write_project(directory)
    environment.chdir(directory)
    environment.setenv("AMT_FLOWS_HOME", str(directory / "home"))
    return directory
