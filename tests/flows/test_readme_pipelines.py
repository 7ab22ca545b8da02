"""The pipelines of the README and of the page about Prefect, run as they stand against a real server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import pages
from readme import block, enter_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter_project(tmp_path, monkeypatch)


def test_a_step_of_a_pipeline(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(block("python", "def pipeline()"), {"__name__": "pipeline"})
    assert re.search(r"deploying file://.*/model", capsys.readouterr().out)


def test_tune_then_deploy(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(block("python", "tune_then_deploy("), {"__name__": "deploying"})
    assert "promoted" in capsys.readouterr().out
    assert (project / "served/digits/current/model/model.txt").is_file()


@pytest.mark.long
def test_a_pipeline_around_tune_then_deploy(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "pipeline"}
    exec(pages.block(pages.page("docs/prefect.md"), "python", "# pipeline.py"), names)
    assert names["pipeline"]() is True
    assert "promoted: " in capsys.readouterr().out
    assert (project / "served/digits/current/model/model.txt").is_file()
    # The same tuning job again, by name: nothing is trained, and nothing has to be changed.
    assert names["pipeline"]() is False
    assert "champion already: " in capsys.readouterr().out
