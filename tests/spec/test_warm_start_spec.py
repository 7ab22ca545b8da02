"""Files among the parents of a warm start: where they are, and that AMT takes none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amt_flows.errors import SpecError
from amt_flows.spec import TuningSpec
from amt_flows.spec.amt_request import to_amt_request
from spec.samples import SAGEMAKER, good, problems_of


def with_parents(*parents: str, **more: Any) -> dict[str, Any]:
    return {**good(), "warm_start": {"type": "TransferLearning", "parents": parents}, **more}


def test_a_files_path_is_taken_from_the_directory_of_the_spec(tmp_path: Path) -> None:
    spec = TuningSpec(**with_parents("old-jobs", "runs/Jobs.CSV")).anchored(tmp_path)
    assert spec.warm_start is not None
    assert spec.warm_start.parents == ("old-jobs", str(tmp_path / "runs/Jobs.CSV"))
    assert TuningSpec.parse(spec.to_json()) == spec


def test_the_same_file_twice_is_one_too_many_and_another_ones_name_is_not() -> None:
    assert "twice" in problems_of(with_parents("a.csv", "a.csv"))["warm_start.parents[1]"].message
    assert TuningSpec(**with_parents("a.csv", "A.csv")).warm_start is not None


def test_amt_takes_no_files() -> None:
    body = with_parents("old-jobs", "a.csv", training_job={"sagemaker": SAGEMAKER})
    with pytest.raises(SpecError) as caught:
        to_amt_request(TuningSpec(**body))
    assert [problem.field for problem in caught.value.problems] == ["warm_start.parents[1]"]
    request = to_amt_request(TuningSpec(**body), drop_unsupported=True)
    parents = request["WarmStartConfig"]["ParentHyperParameterTuningJobs"]
    assert parents == [{"HyperParameterTuningJobName": "old-jobs"}]
    only_a_file = TuningSpec(**with_parents("a.csv", training_job={"sagemaker": SAGEMAKER}))
    assert "WarmStartConfig" not in to_amt_request(only_a_file, drop_unsupported=True)
