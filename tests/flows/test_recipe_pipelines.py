"""The recipes of a schedule and of a chain, against a real server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from prefect.flows import Flow

from amt_flows.flows import tune
from pages import block, page
from readme import enter_project

PAGE = page("docs/recipes.md")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The README's script and spec, the latter small."""
    enter_project(tmp_path, monkeypatch)
    spec = (tmp_path / "tuning.toml").read_text()
    small = re.sub(r"max_number_of_training_jobs = 20", "max_number_of_training_jobs = 2", spec)
    (tmp_path / "tuning.toml").write_text(small)
    return tmp_path


def test_the_chain_runs_and_does_not_tune_again(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As the main module, where Prefect looks for the source of a flow.
    (project / "chain.py").write_text(block(PAGE, "python", "# chain.py\n"))
    for _ in range(2):
        exec(compile(block(PAGE, "python", "# chain.py\n"), "chain.py", "exec"), {"__name__": "__main__"})
        shown = capsys.readouterr().out
        rate = re.search(r"'learning_rate': ([0-9.e-]+)", shown)
        assert rate is not None, shown
        # The next step read the best model, whose only content is its learning rate.
        assert float(shown.split()[0]) == pytest.approx(float(rate[1]))
    assert len(list((project / "home/my-first-tuning/jobs").iterdir())) == 2
    assert (project / "data/rows.csv").exists()


def test_the_schedule_is_one_that_the_server_takes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: dict[str, Any] = {}
    # It would stay and serve.
    monkeypatch.setattr(Flow, "serve", lambda flow, name, **given: served.update(given, flow=flow, name=name))
    exec(block(PAGE, "python", "# schedule.py\n"), {"__name__": "__main__"})
    assert served.pop("flow") is tune
    deployment = tune.to_deployment(**served)
    assert [schedule.schedule.cron for schedule in deployment.schedules] == ["0 3 * * *"]
    deployment.apply()
    tune.validate_parameters(served["parameters"])
    assert not served["parameters"]["spec"].get("name")
