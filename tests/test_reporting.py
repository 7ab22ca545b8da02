from __future__ import annotations

import ast
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows import reporting
from amt_flows.metrics.expressions import lint, warnings

NAMES = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters=";="), min_size=1, max_size=40
).filter(lambda name: name != "epoch" and not any(c.isspace() for c in name))
FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@pytest.fixture(autouse=True)
def _by_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("SM_") or name == "SAGEMAKER_BASE_DIR":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path / "ml"))
    return tmp_path / "ml"


def test_the_line_is_fixed(capsys: pytest.CaptureFixture[str]) -> None:
    reporting.report({"validation:accuracy": 0.9712}, epoch=3, loss=0.1)
    assert capsys.readouterr().out == "amt-report epoch=3; validation:accuracy=0.9712; loss=0.1;\n"


def test_a_metric_may_have_the_name_of_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    reporting.report(values=1.0)
    assert capsys.readouterr().out == "amt-report values=1.0;\n"


@given(values=st.dictionaries(NAMES, FLOATS, min_size=1, max_size=5), epoch=st.none() | st.integers(0, 10**6))
def test_each_value_is_read_back_by_its_own_regex(values: dict[str, float], epoch: int | None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        written: list[str] = []
        patch.setattr(sys.stdout, "write", written.append)
        reporting.report(values, epoch=epoch)
    line = "".join(written)
    assert line.count("\n") == 1
    for name, value in values.items():
        match = re.search(reporting.metric_regex(name), "INFO: " + line)
        assert match
        read = float(match[1])
        assert read == value or (math.isnan(read) and math.isnan(value))


def test_a_name_that_ends_like_another_is_told_from_it(capsys: pytest.CaptureFixture[str]) -> None:
    reporting.report({"validation:accuracy": 0.25, "xaccuracy": 0.5, "accuracy": 0.75})
    match = re.search(reporting.metric_regex("accuracy"), capsys.readouterr().out)
    assert match
    assert match[1] == "0.75"


def test_the_regex_has_no_gap() -> None:
    regex = reporting.metric_regex("validation:accuracy")
    assert lint(regex) == []
    assert warnings(regex) == []
    assert len(regex) <= 500


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "a\nb", "a\u00a0b", "a\x00b", "epoch", "x" * 256])
def test_a_name_that_could_not_be_read_back_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        reporting.report({name: 1.0})
    with pytest.raises(ValueError, match="name"):
        reporting.metric_regex(name)


def test_a_name_whose_regex_sagemaker_would_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match="500"):
        reporting.metric_regex("." * 255)


def test_nothing_and_no_number_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to report"):
        reporting.report(epoch=1)
    with pytest.raises(ValueError, match="no number"):
        reporting.report({"loss": None})  # type: ignore[dict-item]


def test_a_line_is_visible_at_once(tmp_path: Path) -> None:
    script = "import os, amt_flows.reporting as r; r.report(loss=1.0); os._exit(0)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout == "amt-report loss=1.0;\n"


def test_hyperparameters_come_from_the_file_then_the_variable(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reporting.hyperparameters() == {}
    monkeypatch.setenv("SM_HPS", '{"rate": 0.1, "name": "x", "deep": true}')
    assert reporting.hyperparameters() == {"rate": "0.1", "name": "x", "deep": "true"}
    config = job / "input/config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps({"rate": "0.2"}))
    assert reporting.hyperparameters() == {"rate": "0.2"}


def test_directories_in_a_job(job: Path) -> None:
    assert reporting.model_dir() == job / "model"
    assert reporting.checkpoint_dir() == job / "checkpoints"
    assert reporting.channel("train") == job / "input/data/train"
    assert (job / "model").is_dir()


def test_directories_by_hand_are_in_the_current_one() -> None:
    assert reporting.model_dir() == Path("model")
    assert reporting.checkpoint_dir() == Path("checkpoints")
    assert reporting.channel("train") == Path("data/train")
    assert Path("model").is_dir()


def test_variables_win(job: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("SM_CHANNEL_TRAIN_SET", "/data/t")
    assert reporting.model_dir() == tmp_path / "elsewhere"
    assert reporting.channel("train-set") == Path("/data/t")


def test_a_failure_is_written_where_the_service_looks(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reporting.fail("the loss exploded")
    assert (job / "output/failure").read_text() == "the loss exploded"
    assert capsys.readouterr().err == "the loss exploded\n"


def test_a_failure_by_hand_is_only_printed(capsys: pytest.CaptureFixture[str]) -> None:
    reporting.fail("no data")
    assert capsys.readouterr().err == "no data\n"
    assert list(Path().iterdir()) == []


def pythons_here() -> list[str]:
    """The interpreters of this machine that the file has to work with: this one, and old ones if any."""
    found = [shutil.which(f"python3.{minor}") for minor in (8, 9)]
    works = [p for p in found if p and subprocess.run([p, "-c", ""], capture_output=True).returncode == 0]
    return [sys.executable, *works]


def test_its_syntax_is_that_of_python_3_8() -> None:
    ast.parse(Path(reporting.__file__).read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("interpreter", pythons_here())
def test_a_copy_works_alone(interpreter: str, tmp_path: Path) -> None:
    shutil.copy(reporting.__file__, tmp_path / "copied.py")
    script = "import copied; copied.report({'a:b': 1}, epoch=1); print(copied.hyperparameters())"
    found = subprocess.run(
        [interpreter, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert found.stdout == "amt-report epoch=1; a:b=1.0;\n{}\n"
