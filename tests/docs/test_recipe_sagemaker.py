"""The recipe for SageMaker's script mode, on the simulated one, where the script really runs."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import boto3
import pytest

from amt_flows.backends.places import open_backend, open_journal
from amt_flows.run import tune
from amt_flows.spec import TuningSpec
from amt_flows.testing.sagemaker import SimulatedSageMaker
from pages import block, page
from readme import write_project

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = page("docs/recipes.md")


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the page's few lines make of the README's script."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(block(PAGE, "python", "# pack.py\n"), {})
    return tmp_path / "sourcedir.tar.gz"


def test_the_archive_is_all_that_a_script_needs(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "code", filter="data")
    # -S: without any installed package.
    done = subprocess.run(
        [sys.executable, "-S", "train.py", "--learning_rate", "0.1"],
        cwd=tmp_path / "code",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("amt-report") == 10


@pytest.mark.slow
def test_the_script_is_tuned_on_sagemaker(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AMT_FLOWS_SAGEMAKER_POLL_SECONDS", "0.2")
    given = tomllib.loads(Path("tuning.toml").read_text())
    del given["training_job"], given["completion"]
    given["limits"] = {"max_number_of_training_jobs": 2, "max_parallel_training_jobs": 2}
    spec = TuningSpec.parse({**given, **tomllib.loads(block(PAGE, "toml", "# on_sagemaker.toml\n"))})
    with SimulatedSageMaker(commands={}) as world, world.serve():
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="my-bucket")
        s3.upload_file(str(archive), "my-bucket", "code/sourcedir.tar.gz")
        journal = open_journal(str(spec.name), "s3://my-bucket/tunings")
        result = tune(spec, open_backend("sagemaker"), journal=journal, progress=False)
        assert [job.status for job in result.jobs] == ["Completed"] * 2
        assert result.best is not None
        assert str(result.best.artifact).startswith("s3://my-bucket/models/")
        assert result.best.epochs == 10
