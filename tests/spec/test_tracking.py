"""Where a tuning job is shown: what a tracking URI may be, and that it is no part of what is tuned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amt_flows.errors import SpecError
from amt_flows.spec import TuningSpec
from worlds import spec


@pytest.mark.parametrize(
    ("uri", "remedy"),
    [
        ("http://me:hush-hush@mlflow:5000", "MLFLOW_TRACKING_PASSWORD"),
        ("https://mlflow:5000/?token=hush-hush", "MLFLOW_TRACKING_TOKEN"),
        ("postgresql+psycopg2://me:hush-hush@db/mlflow", "put an MLflow server before the database"),
        ("mysql://me:hush/hush@db/mlflow", "put an MLflow server before the database"),
        ("http://me:hush?hush#hush@hush@mlflow:5000", "MLFLOW_TRACKING_PASSWORD"),
        ("https://mlflow:5000/#token=hush-hush", "MLFLOW_TRACKING_TOKEN"),
        ("https://ghp_hush0hush1hush2hush3@mlflow", "MLFLOW_TRACKING_TOKEN"),
    ],
)
def test_a_uri_that_bears_a_secret_is_refused_with_the_remedy_and_without_the_secret(
    uri: str, remedy: str
) -> None:
    with pytest.raises(SpecError, match=remedy) as refused:
        spec(tracking={"mlflow": uri})
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    "uri", ["ftp://mlflow", "http://", " ", "", "http://mlflow:5000 ", "http://mlflow:5000/#/experiments/1"]
)
def test_what_is_no_tracking_uri_is_refused(uri: str) -> None:
    with pytest.raises(SpecError, match=r"tracking\.mlflow"):
        spec(tracking={"mlflow": uri})


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("http://me@mlflow:5000/base", "http://me@mlflow:5000/base"),
        ("sqlite:///mlflow.db", "sqlite:////specs/mlflow.db"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
        ("sqlite:////data:1/a@b.db", "sqlite:////data:1/a@b.db"),
        ("postgresql://me@db/mlflow", "postgresql://me@db/mlflow"),
        ("./mlruns", "/specs/mlruns"),
        ("databricks", "databricks"),
        ("arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/digits",) * 2,
    ],
)
def test_a_path_is_taken_from_the_directory_of_the_spec(uri: str, found: str) -> None:
    tracking = spec(tracking=uri).anchored(Path("/specs")).tracking
    assert tracking is not None
    assert (tracking.mlflow, tracking.experiment) == (found, "amt-flows")


def test_who_looks_on_is_no_part_of_what_is_tuned() -> None:
    shown: dict[str, Any] = {"mlflow": "http://mlflow:5000", "experiment": "digits"}
    assert spec(tracking=shown).fingerprint() == spec().fingerprint()
    assert TuningSpec.parse(spec(tracking=shown).to_json()).tracking == spec(tracking=shown).tracking
