"""The short form: a saved tuning job, and what people change of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from amt_flows.backends.places import open_journal
from amt_flows.errors import TuningJobNotFound
from amt_flows.flows import LocalTraining, TuningJob, TuningRecords
from amt_flows.flows.tuning.hooks import tuning_of_run
from amt_flows.flows.tuning.quick import tune_quick
from amt_flows.flows.tuning.saved import DIRECTORY, saved_tuning_job
from amt_flows.ledger.record import load_ledger
from flows.flow_runs import read, started
from flows.forms import sent
from flows.local_jobs import SHORT, local_spec
from flows.test_forms import submitted


@pytest.fixture(autouse=True)
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of saved tuning jobs, with one in it; beside it a file that nobody may ask for."""
    directory = tmp_path / "saved"
    directory.mkdir()
    (directory / "shell.toml").write_text(local_spec(None, SHORT).to_toml())
    (tmp_path / "private.toml").write_text("secret = 1")
    monkeypatch.setenv(DIRECTORY, str(directory))
    return directory


def test_a_form_with_three_fields_filled_in_tunes_what_was_saved_with_them(home: Path) -> None:
    said = {"saved": "shell", "jobs": 3, "target": "0.99", "ranges": [{"name": "x", "smallest": 20}]}
    run_id = submitted(tune_quick, sent(tune_quick, said))
    state = started(tune_quick, run_id)
    assert state.is_completed(), state.message
    run = read(run_id)
    assert run.name == f"shell-{run_id.hex[-12:]}", "named after the saved one, and a tuning job of its own"
    spec = load_ledger(open_journal(run.name, home), run.name).spec
    saved = saved_tuning_job("shell").spec
    assert spec.limits.max_number_of_training_jobs == 3
    assert spec.limits.max_parallel_training_jobs == saved.limits.max_parallel_training_jobs, "left as saved"
    assert spec.completion.target_objective_metric_value == 0.99
    assert (spec.integer[0].min_value, spec.integer[0].max_value) == (20, saved.integer[0].max_value)
    assert tuning_of_run(tune_quick.name, run).name == run.name, "whoever cleans up after it finds it"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"saved": "shel"}, "There is no saved tuning job 'shel'."),
        ({"saved": "../private"}, "'../private' is not the name of a saved tuning job."),
        ({"saved": "shell", "target": "good"}, "write a number, e.g. 0.95, or leave it empty"),
        ({"saved": "shell", "ranges": [{"name": "y"}]}, "ranges[0].name: no range of the saved tuning job"),
        ({"saved": "shell", "ranges": [{"name": "x", "smallest": 500}]}, "must be greater than `min_value`"),
    ],
)
def test_what_can_not_be_is_a_sentence_in_the_runs_state(
    home: Path, said: dict[str, object], sentence: str
) -> None:
    state = started(tune_quick, submitted(tune_quick, sent(tune_quick, said)))
    assert state.is_failed()
    assert sentence in str(state.message)
    assert "Traceback" not in str(state.message)
    assert not home.exists()


def test_a_name_means_the_file_and_else_the_block(saved: Path, tmp_path: Path) -> None:
    block = TuningJob(
        tuning=local_spec(None, SHORT, jobs=9),
        training=LocalTraining(),
        records=TuningRecords(home=str(tmp_path / "elsewhere")),
    )
    block.save("shell", overwrite=True)
    assert saved_tuning_job("shell").spec.limits.max_number_of_training_jobs == 4
    of_block = saved_tuning_job("amt-tuning-job/shell")
    (saved / "shell.toml").unlink()
    for found in (of_block, saved_tuning_job("shell")):
        assert found.spec.limits.max_number_of_training_jobs == 9
        assert found.home == str(tmp_path / "elsewhere")
    with pytest.raises(TuningJobNotFound, match="amt-tuning-job/shell"):
        saved_tuning_job("nobody/knows")
