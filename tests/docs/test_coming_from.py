"""What a user of another library is shown: our side of each example runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from amt_flows.spec import TuningSpec
from pages import blocks, page

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = page("docs/coming_from.md")
CALLS = [code for code in blocks(PAGE, "python") if code.startswith("# after")]


def test_each_example_has_two_sides() -> None:
    sides = [code.splitlines()[0] for code in blocks(PAGE, "python|yaml|toml")]
    assert sides == ["# before", "# after"] * PAGE.count("\n## ")


@pytest.mark.parametrize("code", CALLS, ids=["Optuna", "Ray Tune", "SageMaker", "scikit-learn"])
def test_our_side_runs(code: str, tmp_path: Path) -> None:
    fewer = code.replace("jobs=20", "jobs=2").replace("jobs=6", "jobs=2")
    (tmp_path / "example.py").write_text(fewer)
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        env={**os.environ, "AMT_FLOWS_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert any(name in done.stdout for name in ("'rate'", "'learning_rate'"))


def test_the_file_is_a_spec() -> None:
    (code,) = blocks(PAGE, "toml")
    spec = TuningSpec.parse(tomllib.loads(code))
    assert spec.limits.max_number_of_training_jobs == 20
