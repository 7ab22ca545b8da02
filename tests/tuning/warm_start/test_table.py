"""Tables of training jobs as parents: data frames, CSV files, and what may be wrong with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from amt_flows.errors import SpecError
from amt_flows.events import Outcome
from amt_flows.results import result_of
from amt_flows.spec import TuningSpec
from amt_flows.tuning.warm_start import parent_from_frame, reader
from amt_flows.tuning.warm_start.inherit import inherit
from worlds import rising, run, spec


def asked(*parents: str, **changes: Any) -> TuningSpec:
    start = {"type": "IdenticalDataAndAlgorithm", "parents": parents or ("old",)}
    values = {
        "integer": [{"name": "layers", "min_value": 1, "max_value": 4}],
        "categorical": [{"name": "batch", "values": ["8", "16"]}],
        "static_hyperparameters": {"epochs": 10},
        "name": "new",
        "warm_start": start,
    }
    return spec(**{**values, **changes})


ROWS = [
    {"learning_rate": 0.1, "layers": 2, "batch": 8, "accuracy": 0.9, "note": "x"},
    {"learning_rate": 0.2, "layers": 3, "batch": 16, "accuracy": float("nan"), "note": ""},
    {"learning_rate": 0.3, "layers": 4, "batch": 8, "accuracy": 0.7, "note": "y"},
]


def test_a_data_frame_is_a_parent_whose_rows_without_a_value_are_left_out() -> None:
    new = asked()
    (event,) = inherit(new, reader(new, {"old": pd.DataFrame(ROWS)}), 0.0)
    assert event.source == "a data frame"
    assert [one.configuration for one in event.jobs] == [
        {"learning_rate": 0.1, "layers": 2, "batch": "8"},
        {"learning_rate": 0.3, "layers": 4, "batch": "8"},
    ]
    assert [one.value for one in event.jobs] == [0.9, 0.7]
    assert (event.left_out, event.identical) == (1, True)


def test_a_hyperparameter_may_be_called_as_the_metric_is() -> None:
    """A loss that is chosen, and one that is measured."""
    loss = {"metric_name": "loss", "type": "Minimize"}
    new = asked(objective=loss, categorical=[{"name": "loss", "values": ["huber", "squared"]}])
    rows = [{"learning_rate": 0.1, "layers": 2, "loss": "huber", "FinalObjectiveValue": 0.5}]
    (event,) = inherit(new, reader(new, {"old": rows}), 0.0)
    assert [(one.configuration["loss"], one.value) for one in event.jobs] == [("huber", 0.5)]
    with pytest.raises(SpecError, match="has no column FinalObjectiveValue"):
        inherit(new, reader(new, {"old": [{"learning_rate": 0.1, "layers": 2, "loss": 0.5}]}), 0.0)


def test_an_empty_cell_is_the_empty_text_where_that_is_a_choice(tmp_path: Path) -> None:
    new = asked(categorical=[{"name": "batch", "values": ["8", ""]}])
    rows = [{**ROWS[0], "batch": ""}, {**ROWS[2], "batch": "8"}]
    file = tmp_path / "old.csv"
    pd.DataFrame(rows).to_csv(file, index=False)
    for table in (rows, pd.read_csv(file)):  # which reads an empty cell as no number
        (event,) = inherit(new, reader(new, {"old": table}), 0.0)
        assert [one.configuration["batch"] for one in event.jobs] == ["", "8"]
    (event,) = inherit(asked(str(file)), None, 0.0)
    assert event.left_out == 1, "where it is none, the row lacks a hyperparameter"
    whole = parent_from_frame(rows, new)
    without = replace(whole.jobs[0], configuration={"learning_rate": 0.1, "layers": 2})
    (event,) = inherit(new, lambda name: replace(whole, jobs=(without,)), 0.0)
    assert (event.jobs, event.left_out) == ((), 1), "nobody knows what a job did that had none"


def test_numbers_that_pandas_made_real_are_whole_again() -> None:
    frame = pd.DataFrame([*ROWS, {"learning_rate": 0.5, "accuracy": 0.1}])
    assert str(frame["layers"].dtype) == "float64"
    new = asked()
    (event,) = inherit(new, reader(new, {"old": frame}), 0.0)
    assert [one.configuration["layers"] for one in event.jobs] == [2, 4]
    assert event.left_out == 2, "a row that lacks a hyperparameter says nothing"


def test_a_csv_file_is_a_parent_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    pd.DataFrame(ROWS).to_csv(path, index=False, encoding="utf-8-sig")
    (event,) = inherit(asked(str(path)), None, 0.0)
    assert (event.parent, event.source) == (str(path), str(path))
    assert [one.value for one in event.jobs] == [0.9, 0.7]
    assert [one.job for one in event.jobs] == ["row-1", "row-3"]
    assert event.left_out == 1


@pytest.mark.parametrize("through", ["frame", "csv"])
def test_the_frame_of_a_result_is_the_same_parent_as_its_ledger(through: str, tmp_path: Path) -> None:
    ledger, _ = run(spec(early_stopping={"type": "Auto", "min_jobs": 1, "grace_epochs": 0}), rising)
    frame = result_of(ledger, "memory:").to_frame()
    path = tmp_path / "jobs.csv"
    frame.to_csv(path, index=False)
    new = spec(name="new")
    parent = parent_from_frame(frame if through == "frame" else path, new)
    by_name = {job.name: job for job in ledger.ended}
    assert {one.name for one in parent.jobs} == by_name.keys()
    assert any(one.outcome is Outcome.STOPPED for one in parent.jobs)
    for one in parent.jobs:
        ended = by_name[one.name]
        assert one.value == pytest.approx(ended.final_value)
        assert (one.outcome is Outcome.COMPLETED) is (ended.outcome is Outcome.COMPLETED)
        assert one.started_at == pytest.approx(ended.started_at, abs=1e-3)
        assert one.ended_at == pytest.approx(ended.ended_at, abs=1e-3)
        assert float(str(one.configuration["learning_rate"])) == pytest.approx(
            ledger.trials[ended.trial].configuration["learning_rate"]
        )


def test_a_static_hyperparameter_with_a_column_makes_rows_of_other_values_hints() -> None:
    new = asked()
    rows = [{**row, "epochs": 10 + i} for i, row in enumerate(ROWS)]
    same, other = inherit(new, reader(new, {"old": rows}), 0.0)
    assert (same.identical, len(same.jobs)) == (True, 1)
    assert (other.identical, len(other.jobs)) == (False, 1)


WRONG = [
    ("learning_rate,layers,batch\n0.1,2,8\n", "has no column accuracy (or FinalObjectiveValue)"),
    ("learning_rate,layers,accuracy\n0.1,2,0.5\n", "has no hyperparameter batch"),
    ("learning_rate,layers,batch,accuracy\nfast,2,8,0.5\n", "row-1 has learning_rate = 'fast'"),
    ("learning_rate,layers,batch,accuracy\n0.1,2.5,8,0.5\n", "must be a whole number"),
    ('learning_rate,layers,batch,accuracy\n"0.1,2,8,0.5\n', "can't be read as CSV"),
    ("", "has no column accuracy"),
]


@pytest.mark.parametrize(("text", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_faulty_file_is_told_with_its_path(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        inherit(asked(str(path)), None, 0.0)
    (problem,) = caught.value.problems
    assert problem.field == "warm_start.parents[0]"
    assert problem.value == str(path)
    assert words in problem.message


def test_a_file_that_is_no_text_is_told_too(tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(SpecError, match="can't be read as CSV"):
        inherit(asked(str(path)), None, 0.0)


def test_a_table_without_end_is_refused() -> None:
    new = asked()
    with pytest.raises(SpecError, match="10,001 rows"):
        inherit(new, reader(new, {"old": ROWS[:1] * 10_001}), 0.0)
