"""Why a training job was proposed and stopped, and how the explanations are shown."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.events import Outcome
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.results import result_of
from amt_flows.results.explain import UnknownTrainingJob, why
from amt_flows.show.explanation import region_text, why_json, why_lines
from amt_flows.show.report import report_markdown
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from commands import cli, ok
from pages import block, page
from results.explain.known import job_events, job_name, known, minimised, numbers
from worlds import opened, rising, run, running_job, spec

STOPPING: dict[str, Any] = {
    "strategy": "Bayesian",
    "early_stopping": {"type": "Auto", "min_jobs": 1, "grace_epochs": 0},
    "limits": {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 20},
}


def test_a_stopped_job_is_explained_by_the_judgement_that_stopped_it() -> None:
    ledger, _ = run(spec(**STOPPING))
    job = next(job for job in ledger.jobs.values() if job.outcome is Outcome.STOPPED_EARLY)
    found = why(ledger, job.name)
    assert found.stop is not None
    assert found.stop.stop
    assert found.stop.median is not None
    assert found.stop.value < found.stop.median, "it is maximised"
    text = "\n".join(why_lines(ledger, found))
    assert f"Stopped early at epoch {found.stop.epoch}: {found.stop.why}." in text
    assert f"median {found.stop.median:.5g}" in text
    assert f"compared with {found.stop.compared} job" in text
    assert json.loads(json.dumps(why_json(found), allow_nan=False))["stop"]["median"] == found.stop.median


def test_a_proposal_is_explained_by_what_was_recorded_with_it() -> None:
    ledger, _ = run(spec(**STOPPING))
    modelled = [
        job for job in ledger.jobs.values() if ledger.trials[job.trial].source.startswith("bayesian/gp")
    ]
    found = why(ledger, modelled[-1].name)
    trial = ledger.trials[found.trial]
    assert (found.source, found.reason, found.configuration) == (
        trial.source,
        trial.reason,
        trial.configuration,
    )
    text = "\n".join(why_lines(ledger, found))
    assert f"Proposed by {trial.source}: {trial.reason}." in text
    assert "learning_rate = " in text


def test_the_best_running_and_failed_are_told_apart() -> None:
    ledger, _ = run(spec(**STOPPING))
    assert ledger.best is not None
    assert "it is the best training job." in "\n".join(why_lines(ledger, why(ledger, ledger.best.name)))
    written: Ledger = opened()
    running = running_job(written, 1, [0.1, 0.4])
    assert "Still running: accuracy 0.4." in list(why_lines(written, why(written, running)))
    failing = known(minimised(continuous=numbers("a")), lambda c: 1.0, 1)
    for event in job_events(2, {"a": 0.5}, math.nan, Outcome.FAILED):
        failing.apply(event)
    found = why(failing, job_name(2))
    assert f"Failed in training: accuracy NaN; the best is 1 of {job_name(1)}." in list(
        why_lines(failing, found)
    )
    assert why_json(found)["value"] == "NaN"


def test_an_unknown_training_job_is_refused_with_the_nearest() -> None:
    ledger = known(minimised(continuous=numbers("a")), lambda c: 1.0, 3)
    with pytest.raises(UnknownTrainingJob, match="did you mean demo-002-00000000"):
        why(ledger, "demo-002-00000001")
    with pytest.raises(UnknownTrainingJob, match="`amt-flows jobs demo` lists them"):
        why(ledger, "xyzzy")


def test_the_report_says_what_mattered_once_it_has_ended() -> None:
    ledger, _ = run(spec(limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 12}))
    report = report_markdown(ledger, result_of(ledger, "file:///journal"))
    section = report.split("## What mattered\n", 1)[1].split("\n## ", 1)[0]
    assert "| `learning_rate` | 100% ± 0% | 100% ± 0% |" in section
    few, _ = run(spec(limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 3}))
    assert "What mattered" not in report_markdown(few, result_of(few, "file:///journal"))
    running = known(minimised(continuous=numbers("a")), lambda c: c["a"], 20)
    assert "What mattered" not in report_markdown(running, result_of(running, "file:///journal"))


# -- the command ----------------------------------------------------------------------------------


def nagging(hyperparameters: Mapping[str, str]) -> Script:
    return Script([0.9 - abs(math.log10(float(hyperparameters["[red]rate"])) + 2) / 10])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    def tune(name: str, amount: int) -> None:
        backend = SimulatedBackend(VirtualClock(), nagging)
        tuned = spec(
            name=name,
            continuous=numbers("[red]rate", low=1e-5, high=1.0, scaling="Logarithmic"),
            categorical=[{"name": "kind", "values": ["u", "v"]}],
            limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": amount},
        )
        drive(Tuning.open(tuned, backend, DirectoryJournal(tmp_path / name / "journal"), clock=backend.clock))

    tune("demo", 20)
    tune("few", 3)
    return tmp_path


def test_the_command_explains_a_tuning_job(home: Path) -> None:
    text = ok("explain", "demo", "--home", home)
    assert "the model foretells" in text
    lines = text.splitlines()
    first = next(line for line in lines if line.startswith("[red]rate"))
    assert "0.01" in first or "to" in first
    told = json.loads(ok("explain", "demo", "--home", home, "--json"))
    assert [one["name"] for one in told["importance"]] == ["[red]rate", "kind"]
    rate, kind = told["importance"]
    assert rate["total"] > 0.8
    assert rate["best"]["low"] <= 0.01 <= rate["best"]["high"]
    assert set(kind["best"]["choices"]) == {"u", "v"}
    assert [point["value"] for point in kind["dependence"]] == ["u", "v"]


def test_the_command_says_that_there_is_too_little(home: Path) -> None:
    assert "at least 7 are needed for 2 hyperparameters" in ok("explain", "few", "--home", home)
    told = json.loads(ok("explain", "few", "--home", home, "--json"))
    assert told["importance"] == []
    assert "Too few results" in told["note"]


def test_the_command_explains_a_training_job(home: Path) -> None:
    jobs = json.loads(ok("jobs", "demo", "--home", home, "--json"))["TrainingJobSummaries"]
    name = jobs[0]["TrainingJobName"]
    text = ok("explain", "demo", name, "--home", home)
    assert text.startswith(f"{name} (trial ")
    assert "Proposed by random" in text
    told = json.loads(ok("explain", "demo", name, "--home", home, "--json"))
    assert told["job"] == name
    assert told["outcome"] == "completed"
    refused = cli("explain", "demo", "nothing", "--home", home)
    assert refused.exit_code == 3


def test_regions_are_short() -> None:
    from amt_flows.results.explain import BestRegion

    assert region_text(BestRegion("a", 0.00123456, 0.0234567)) == "0.00123 to 0.0235"
    assert region_text(BestRegion("a", 3, 3)) == "3"
    assert region_text(BestRegion("a", "u", "v", ("v", "u"))) == "v, u"


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(block(page("docs/explain.md"), "python"), names)
    ledger, _ = run(spec(), rising)
    names["lessons"](ledger)
    printed = capsys.readouterr().out
    assert "learning_rate: 100% ± 0%, best from " in printed
