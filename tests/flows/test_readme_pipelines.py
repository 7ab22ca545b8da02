"""The README's pipelines, run as they stand against a real server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from readme import block, write_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMT_FLOWS_HOME", str(tmp_path / "home"))
    return tmp_path


def test_a_step_of_a_pipeline(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(block("python", "def pipeline()"), {"__name__": "pipeline"})
    assert re.search(r"deploying file://.*/model", capsys.readouterr().out)


def test_tune_then_deploy(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(block("python", "tune_then_deploy("), {"__name__": "deploying"})
    assert "promoted" in capsys.readouterr().out
    assert (project / "served/digits/current/model/model.txt").is_file()
