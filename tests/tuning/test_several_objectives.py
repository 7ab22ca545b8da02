"""One tuning job with several objectives: what is recorded, proposed, resumed, and told of it in the end."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import pytest

from amt_flows.ledger.history import TrialState
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.results import TuningResult, describe, result_of
from amt_flows.results.from_result import ledger_of
from amt_flows.show.facts import facts
from amt_flows.show.leaderboard_rows import leaderboard
from amt_flows.show.notebook_result import result_html
from amt_flows.show.pictures.front import front_picture
from amt_flows.show.pictures.overview import pictures
from amt_flows.show.report import report_markdown
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from pages import block, page
from two_metrics import TwoMetrics, accuracy, size, trading
from worlds import drive_until


def tuned(spec: TuningSpec | None = None, told: str = "size") -> Ledger:
    world = TwoMetrics(told=told)
    tuning = Tuning.open(spec or trading(), world, MemoryJournal(), clock=world.clock)
    drive(tuning)
    return tuning.ledger


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return tuned()


@pytest.fixture(scope="module")
def result(ledger: Ledger) -> TuningResult:
    return result_of(ledger, "memory:")


def test_a_strategy_sees_the_last_values_turned_by_each_objectives_own_type(ledger: Ledger) -> None:
    for row in ledger.history():
        given = {name: str(value) for name, value in row.configuration.items()}
        assert row.state is TrialState.COMPLETED
        assert row.loss == pytest.approx(-accuracy(given))
        assert row.other_losses == pytest.approx((size(given),))
    turned = tuned(trading(other_objectives=[{"metric_name": "size", "type": "Maximize"}], strategy="Random"))
    sizes = {job.trial: job.metrics["size"] for job in turned.ended}
    assert all(row.other_losses == (-sizes[row.number],) for row in turned.history())


def test_proposals_weigh_the_objectives_and_say_how(ledger: Ledger) -> None:
    weighed = [trial.reason for trial in ledger.trials.values()]
    assert all(reason.startswith("objectives weighed ") for reason in weighed)
    assert len({reason.split(";")[0] for reason in weighed}) == len(weighed)
    assert any(trial.source == "bayesian/gp" for trial in ledger.trials.values())


def test_a_controller_that_dies_is_followed_by_one_that_proposes_the_same(ledger: Ledger) -> None:
    journal, world = MemoryJournal(), TwoMetrics()
    for _ in range(200):
        tuning = Tuning.open(trading(), world.view(), journal, clock=world.clock)
        if tuning.ledger.finished:
            break
        drive_a_little(tuning)
    assert tuning.ledger.finished
    assert [t.configuration for t in tuning.ledger.trials.values()] == [
        t.configuration for t in ledger.trials.values()
    ]
    assert len(world.launches) == len(set(world.launches)) == 14


def drive_a_little(tuning: Tuning) -> None:
    """Until it has launched three more jobs, and then no further."""
    before = len(tuning.ledger.jobs)
    drive_until(tuning, lambda: len(tuning.ledger.jobs) >= before + 3)


# -- the front ------------------------------------------------------------------------------------


def test_the_front_has_who_nobody_beats_in_the_order_of_the_objective(
    ledger: Ledger, result: TuningResult
) -> None:
    values = {job.name: (-(job.final_value or 0.0), job.metrics["size"]) for job in ledger.ended}
    beaten = {
        name
        for name, (a, b) in values.items()
        for c, d in values.values()
        if c <= a and d <= b and (c, d) != (a, b)
    }
    assert set(result.pareto_front) == set(values) - beaten
    assert list(result.pareto_front) == sorted(result.pareto_front, key=lambda name: values[name])
    assert 2 <= len(result.pareto_front) < len(values)


def test_the_best_training_job_is_that_of_the_main_objective(result: TuningResult) -> None:
    assert result.best is not None
    assert result.best.objective_value == max(job.objective_value or 0.0 for job in result.jobs)
    assert result.best.name == result.pareto_front[0]


def test_it_is_in_the_json_and_in_what_is_described(ledger: Ledger, result: TuningResult) -> None:
    again = TuningResult.model_validate_json(result.model_dump_json())
    assert again.pareto_front == result.pareto_front
    assert result_of(ledger_of(again), "memory:").pareto_front == result.pareto_front
    assert describe(ledger, ledger.last_at)["ParetoFront"] == list(result.pareto_front)


def test_a_job_that_lacks_a_metric_is_not_on_it_and_still_may_be_the_best() -> None:
    ledger = tuned(trading(), told="bytes")
    result = result_of(ledger, "memory:")
    assert all(row.other_losses == (None,) for row in ledger.history())
    assert result.best is not None
    assert result.pareto_front == ()
    assert dict(facts(result))["Pareto front"] == "empty: no training job has told size"
    assert front_picture(ledger) is None
    assert "no training job has told size" in report_markdown(ledger, result)


def test_with_one_objective_nothing_is_said_of_a_front() -> None:
    ledger = tuned(trading(other_objectives=[], strategy="Random"))
    result = result_of(ledger, "memory:")
    assert result.pareto_front == ()
    assert "ParetoFront" not in describe(ledger, ledger.last_at)
    assert "Pareto front" not in dict(facts(result))
    assert "Pareto front" not in leaderboard(result)[0]
    assert "areto" not in report_markdown(ledger, result)
    assert "OnParetoFront" not in result.columns()
    assert "Pareto front" not in [picture.title for picture in pictures(ledger)]


# -- shown ----------------------------------------------------------------------------------------


def test_the_leaderboard_marks_the_front_and_has_the_further_metrics(result: TuningResult) -> None:
    rows = leaderboard(result, limit=14)
    marked = [row["Training job"] for row in rows if row["Pareto front"] == "yes"]
    assert marked == list(result.pareto_front)
    sizes = {job.name: job.metrics["size"] for job in result.jobs}
    assert all(row["size"] == pytest.approx(sizes[str(row["Training job"])], rel=1e-5) for row in rows)


def test_the_data_frame_and_the_csv_have_them_too(result: TuningResult) -> None:
    frame = result.to_frame()
    assert list(frame[frame["OnParetoFront"]]["TrainingJobName"]) == list(result.pareto_front)
    assert list(frame["size"]) == [job.metrics["size"] for job in result.jobs]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=result.columns())
    writer.writerows(result.rows())
    assert "True" in text.getvalue()


def test_a_metric_of_the_name_of_a_column_has_one_of_its_own() -> None:
    spec = trading(other_objectives=[{"metric_name": "width", "type": "Minimize"}], strategy="Random")
    result = result_of(tuned(spec, told="width"), "memory:")
    assert result.rows()[0]["width (metric)"] == result.jobs[0].metrics["width"]
    assert result.rows()[0]["width"] == result.jobs[0].hyperparameters["width"]
    row = leaderboard(result)[0]
    assert row["width"] == pytest.approx(result.jobs[0].metrics["width"], rel=1e-5)
    assert row["width (hyperparameter)"] == pytest.approx(result.jobs[0].hyperparameters["width"], rel=1e-5)


def test_one_sentence_says_what_came_of_it(result: TuningResult) -> None:
    count = len(result.pareto_front)
    said = dict(facts(result))["Pareto front"]
    wanted = "that no other betters in one of accuracy, size without being worse in another"
    assert said == f"{count} training jobs {wanted}"


def test_the_report_lists_the_front(ledger: Ledger, result: TuningResult) -> None:
    section = report_markdown(ledger, result).split("## Several objectives")[1].split("\n## ")[0]
    assert "The best training job is that of accuracy alone." in section
    listed = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
    assert listed == list(result.pareto_front)


def test_a_notebook_marks_the_front(result: TuningResult) -> None:
    shown = result_html(result)
    assert "Pareto front" in shown
    assert ">yes<" in shown


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_picture_has_a_panel_for_each_further_objective(count: int) -> None:
    names = ["size", "latency", "energy"][:count]
    others = [{"metric_name": name, "type": "Minimize"} for name in names]
    spec = trading(other_objectives=others, strategy="Random")
    world = TwoMetrics()
    tuning = Tuning.open(spec, world, MemoryJournal(), clock=world.clock)
    drive(tuning)
    for job in tuning.ledger.ended:
        job.metrics = {**job.metrics, "latency": 1 / (1 + job.metrics["size"]), "energy": 2.0}
    drawn = front_picture(tuning.ledger)
    assert drawn is not None
    assert all(f"{name} (smaller is better)" in drawn for name in names)
    assert "accuracy (larger is better)" in drawn
    assert "Pareto front" in [picture.title for picture in pictures(tuning.ledger)]


def test_another_model_of_the_front_can_be_put_to_work() -> None:
    names: dict[str, Any] = {}
    exec(block(page("docs/recipes.md"), "python", "# smallest_good.py\n"), names)
    spec = trading(other_objectives=[{"metric_name": "model_bytes", "type": "Minimize"}])
    result = result_of(tuned(spec, told="model_bytes"), "memory:")
    assert result.best is not None
    candidate = names["smallest_good"](result, loss=0.3)
    assert candidate.training_job in result.pareto_front[1:]
    assert candidate.metrics["model_bytes"] < result.best.metrics["model_bytes"]
    assert candidate.artifact == f"simulated:{candidate.training_job}"
    assert names["smallest_good"](result, loss=0.0).training_job == result.best.name


# -- for real -------------------------------------------------------------------------------------

SCRIPT = """
import argparse
from amt_flows.reporting import model_dir, report

parser = argparse.ArgumentParser()
parser.add_argument("--width", type=float)
parser.add_argument("--waste", type=float)
given = parser.parse_args()
model = model_dir() / "model.bin"
model.write_bytes(b"0" * int(100 * given.width + 50 * given.waste))
for epoch in (1, 2):
    report(accuracy=given.width**0.5 - 0.3 * given.waste, size=model.stat().st_size * (3 - epoch))
"""


@pytest.mark.slow
def test_a_script_that_reports_two_metrics_is_tuned_for_both(tmp_path: Path) -> None:
    from amt_flows.backends.places import open_backend, open_journal

    (tmp_path / "train.py").write_text(SCRIPT)
    template = {"command": "python train.py", "working_directory": str(tmp_path)}
    limits = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 8}
    spec = trading(training_job=template, limits=limits)
    home = str(tmp_path / "home")
    tuning = Tuning.open(spec, open_backend("local", home=home), open_journal("demo", home))
    drive(tuning)
    result = result_of(tuning.ledger, "")
    assert [job.outcome for job in result.jobs] == ["completed"] * 8
    for job in result.jobs:
        asked = 100 * float(job.hyperparameters["width"]) + 50 * float(job.hyperparameters["waste"])
        assert job.metrics["size"] == math.floor(asked)
    assert 1 <= len(result.pareto_front) <= 8
    front = [job for job in result.jobs if job.name in result.pareto_front]
    sizes = [job.metrics["size"] for job in front]
    assert sizes == sorted(sizes, reverse=True)
