"""MLflow's registry as a place for models: a version each, one of them the champion."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from amt_flows.deploy import (
    Candidate,
    Place,
    Target,
    champion_at,
    check_target,
    compare,
    mlflow_champion,
    promote,
    promote_mlflow,
    roll_back_mlflow,
)
from amt_flows.errors import BackendError, CapacityUnavailable, DeployRejected, NotComparable
from amt_flows.tracking.mlflow_client import open_client
from deploy.candidates import candidate
from tracking.mlflow_server import mlflow_server

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture
def model() -> str:
    return f"digits-{uuid4().hex[:8]}"


def trained(directory: Path, job: int, value: float) -> Candidate:
    files = directory / f"model-{job}"
    files.mkdir()
    (files / "model.txt").write_text(f"weights of {job}")
    return candidate(files.as_uri(), job, value, inputs={"train": "s3://data/train"}, tags={"team": "vision"})


def versions(server: str, model: str) -> list[Any]:
    found = open_client(server).search_model_versions(f"name = '{model}'")
    return sorted(found, key=lambda one: int(one.version))


def test_a_model_becomes_a_version_with_where_it_came_from_and_the_champion(
    server: str, model: str, tmp_path: Path
) -> None:
    target = Target(place=Place.MLFLOW, mlflow=server, registered_model=model)
    assert champion_at(target) is None
    first = trained(tmp_path, 1, 0.9)
    made = promote(first, target)
    assert (made.live, made.version, made.previous) == (f"models:/{model}@champion", "1", None)
    (version,) = versions(server, model)
    assert version.tags["amt.tuning-job"] == "demo"
    assert version.tags["amt.data:train"] == "s3://data/train"
    assert version.tags["amt.hyperparameter:optimizer"] == "adam"
    assert version.tags["team"] == "vision"
    files = open_client(server).download_artifacts(version.run_id, "model/model.txt", str(tmp_path))
    assert Path(files).read_text() == "weights of 1"
    champion = champion_at(target)
    assert champion is not None
    assert champion.objective_value == 0.9
    assert compare(first, champion).is_champion
    assert compare(trained(tmp_path, 2, 0.95), champion).promote
    again = promote(first, target)
    assert (again.version, again.previous) == ("1", None)
    assert len(versions(server, model)) == 1, "doing it again changes nothing"


def test_roll_backs_lead_along_what_took_over_from_what(server: str, model: str, tmp_path: Path) -> None:
    those = [trained(tmp_path, job, 0.9 + job / 100) for job in (1, 2, 3)]
    made = [promote_mlflow(one, server, model) for one in those]
    assert [(one.version, one.previous) for one in made] == [("1", None), ("2", "1"), ("3", "2")]
    assert roll_back_mlflow(server, model, "1").previous == "3"
    assert promote_mlflow(those[2], server, model).previous == "1"
    assert roll_back_mlflow(server, model).version == "1", "what it took over from, and not the one before"
    with pytest.raises(DeployRejected, match="no version to go back to"):
        roll_back_mlflow(server, model)
    with pytest.raises(DeployRejected, match="no such version"):
        roll_back_mlflow(server, model, "7")
    champion = mlflow_champion(server, model)
    assert champion is not None
    assert champion.training_job == those[0].training_job


def test_promotions_at_the_same_time_leave_one_champion_and_a_version_for_each_model(
    server: str, model: str, tmp_path: Path
) -> None:
    those = [trained(tmp_path, job, 0.9) for job in (1, 2)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: promote_mlflow(one, server, model), those * 2))
    identities = [one.tags["amt.identity"] for one in versions(server, model)]
    assert len(identities) == len(set(identities)) == 2
    champion = mlflow_champion(server, model)
    assert champion is not None
    assert champion.training_job in {one.training_job for one in those}


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    "what", ["create_model_version", "set_registered_model_tag", "set_registered_model_alias"]
)
def test_a_row_that_another_wrote_at_the_same_moment_is_written_again_and_a_refusal_is_told(
    server: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, times: int
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import RestException

    really, refused = getattr(MlflowClient, what), iter(range(times))

    def write(*given: Any, **named: Any) -> Any:
        if next(refused, None) is not None:
            raise RestException({"error_code": "BAD_REQUEST", "message": "UNIQUE constraint failed"})
        return really(*given, **named)

    monkeypatch.setattr(MlflowClient, what, write)
    one = trained(tmp_path, 1, 0.9)
    if times == 2:
        with pytest.raises(BackendError, match="UNIQUE constraint failed"):
            promote_mlflow(one, server, model)
    promote_mlflow(one, server, model)
    champion = mlflow_champion(server, model)
    assert champion is not None
    assert len(versions(server, model)) == 1


def test_a_champion_of_another_program_is_compared_with_nothing(server: str, model: str) -> None:
    client: Any = open_client(server)
    client.create_registered_model(model)
    made = client.create_model_version(model, "s3://elsewhere/model")
    client.set_registered_model_alias(model, "champion", made.version)
    with pytest.raises(NotComparable, match="another program"):
        mlflow_champion(server, model)


def test_a_model_in_s3_is_named_and_not_moved(server: str, model: str) -> None:
    promote_mlflow(candidate("s3://bucket/model.tar.gz"), server, model)
    (version,) = versions(server, model)
    assert version.source == "s3://bucket/model.tar.gz"


def test_a_server_that_is_away_may_be_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(CapacityUnavailable, match="refused"):
        mlflow_champion("http://127.0.0.1:9", "digits")
    assert issubclass(CapacityUnavailable, BackendError)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"registered_model": "digits"}, "target.mlflow"),
        ({"mlflow": "http://mlflow:5000"}, "target.registered_model"),
        ({"mlflow": "http://me:hush@mlflow:5000", "registered_model": "digits"}, "MLFLOW_TRACKING_PASSWORD"),
        ({"mlflow": "http://mlflow:5000", "registered_model": "a/b"}, "target.registered_model"),
        ({"mlflow": "http://mlflow:5000", "registered_model": "a", "directory": "/x"}, "target.directory"),
        ({"mlflow": "http://mlflow:5000", "registered_model": "a", "endpoint": "e"}, "target.endpoint"),
    ],
)
def test_what_can_not_be_is_refused_before_anything_is_done(given: dict[str, Any], named: str) -> None:
    with pytest.raises(DeployRejected, match=named) as refused:
        check_target(Target(place=Place.MLFLOW, **given))
    assert "hush" not in str(refused.value)
