"""The README's pipelines, run as they stand against a real server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [text for text in blocks if containing in text]
    return str(found)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.py").write_text(block("python", "# train.py"))
    (tmp_path / "tuning.toml").write_text(block("toml", "# tuning.toml"))
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
