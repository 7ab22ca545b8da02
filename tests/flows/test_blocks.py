"""Block types and documents, on a real server: what is saved comes back, and tunes."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.sagemaker import SageMakerBackend
from amt_flows.errors import BackendError, SpecError
from amt_flows.events import TuningStatus
from amt_flows.flows import tune
from amt_flows.flows.blocks import (
    LocalTraining,
    RayTraining,
    SageMakerTraining,
    TuningJob,
    TuningRecords,
    WorkPoolTraining,
    backend_for,
)
from amt_flows.spec import TuningSpec
from flows.local_jobs import SHORT, local_spec
from loading import script_at

ROOT = Path(__file__).parents[2]
TYPES = [LocalTraining, SageMakerTraining, RayTraining, WorkPoolTraining, TuningRecords, TuningJob]


@pytest.mark.parametrize("block", TYPES, ids=lambda block: block.__name__)
class TestBlocksAreAsPrefectWantsThem(BlockStandardTestSuite):
    @pytest.fixture
    def block(self, block: type[Block]) -> type[Block]:
        return block

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        # Prefect's own test fetches the logo over the network. Ours show Prefect's default one.
        assert block._logo_url is None


def test_prefect_finds_the_types() -> None:
    (entry,) = [one for one in entry_points(group="prefect.collections") if one.name == "amt_flows"]
    module = entry.load()
    assert {kind.__name__ for kind in TYPES} <= set(vars(module))


def test_a_saved_tuning_job_runs_from_trigger_to_result(tmp_path: Path) -> None:
    spec = local_spec("from-block", SHORT)
    job = TuningJob(
        tuning=spec,
        training=LocalTraining(directory=str(tmp_path)),
        records=TuningRecords(home=str(tmp_path)),
    )
    job.save("short", overwrite=True)
    loaded: Any = TuningJob.load("short")
    assert loaded.tuning == spec
    run = loaded.trigger()
    assert run.tuning.ledger.live, "training jobs run when trigger returns"
    with pytest.raises(RuntimeError, match="wait_for_completion"):
        run.fetch_result()
    run.wait_for_completion()
    result = run.fetch_result()
    assert result.status is TuningStatus.COMPLETED
    again = loaded.trigger()
    again.wait_for_completion()
    assert again.fetch_result() == result


def test_the_flow_takes_a_block_for_where_to_train(tmp_path: Path) -> None:
    LocalTraining(directory=str(tmp_path / "training")).save("elsewhere", overwrite=True)
    spec = local_spec("by-block", SHORT)
    result = tune(spec, training="amt-local-training/elsewhere", home=str(tmp_path / "records"))
    assert (tmp_path / "training/by-block/jobs").is_dir()
    assert (tmp_path / "records/by-block/journal").is_dir()
    assert result.best is not None


def test_where_to_train_is_said_clearly_when_it_is_not_there(tmp_path: Path) -> None:
    def asked(training: str) -> object:
        return backend_for("local", region=None, home=str(tmp_path), training=training)

    with pytest.raises(BackendError, match=r"amt-local-training/<name>"):
        asked("prod")
    with pytest.raises(BackendError, match=r"amt-sagemaker-training/nobody can't be loaded"):
        asked("amt-sagemaker-training/nobody")
    assert isinstance(asked(""), LocalBackend)


def test_blocks_of_engines_are_places_of_their_own(tmp_path: Path) -> None:
    RayTraining(url="http://head:8265", directory=str(tmp_path)).save("lab", overwrite=True)
    WorkPoolTraining(pool="gpus", directory=str(tmp_path)).save("lab", overwrite=True)
    for block, address in (
        ("amt-ray-training", "ray:http://head:8265"),
        ("amt-work-pool-training", "work-pool:gpus"),
    ):
        backend = backend_for("local", region=None, home=None, training=f"{block}/lab")
        assert (getattr(backend, "address", ""), getattr(backend, "root", "")) == (address, tmp_path)


def test_the_sagemaker_block_gives_its_settings_on(monkeypatch: pytest.MonkeyPatch) -> None:
    SageMakerTraining(region="eu-west-3", poll_seconds=5).save("prod", overwrite=True)
    backend = backend_for("local", region=None, home=None, training="amt-sagemaker-training/prod")
    assert isinstance(backend, SageMakerBackend)
    assert backend.address == "sagemaker:eu-west-3"
    with pytest.raises(BackendError, match=r"(?s)aws-credentials/none can't be used.*prefect-aws"):
        SageMakerTraining(credentials="none").backend()


class Credentials(Block):
    """As those of prefect-aws, which is not installed here: what is asked of them is a session."""

    _block_type_name = "AWS Credentials"
    _block_type_slug = "aws-credentials"

    region_name: str = "eu-central-1"

    def get_boto3_session(self) -> Any:
        import boto3

        return boto3.Session("key", "secret", region_name=self.region_name)


def test_credentials_of_another_block_are_used() -> None:
    Credentials().save("team", overwrite=True)
    for name in ("team", "aws-credentials/team"):
        assert SageMakerTraining(credentials=name).backend().address == "sagemaker:eu-central-1"


# -- documents in a file --------------------------------------------------------------------------


@pytest.fixture
def registering() -> ModuleType:
    return script_at(ROOT / "blocks" / "register.py")


def test_the_documents_of_the_project_can_be_registered_twice(registering: ModuleType) -> None:
    names = registering.register(ROOT / "blocks" / "blocks.toml")
    assert names == [
        "amt-local-training/default",
        "amt-sagemaker-training/default",
        "amt-tuning-records/default",
        "amt-tuning-job/digits",
    ]
    first: Any = TuningJob.load("digits")
    assert registering.register(ROOT / "blocks" / "blocks.toml") == names
    again: Any = TuningJob.load("digits")
    assert first._block_document_id == again._block_document_id
    assert again.tuning.fingerprint() == TuningSpec.load(ROOT / "examples" / "digits.toml").fingerprint()
    assert isinstance(again.training, LocalTraining)
    assert again.records.home == "~/.amt-flows"


def test_values_come_from_the_environment(registering: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "prod.toml"
    file.write_text('[amt-sagemaker-training.prod]\nregion = "$TEAM_REGION"\n')
    (block,) = registering.documents(file, {"TEAM_REGION": "eu-west-2"}).values()
    assert block.region == "eu-west-2"
    with pytest.raises(SpecError, match=r"\$TEAM_REGION is not set"):
        registering.documents(file, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[amt-nonsense.a]", "is no type of block"),
        ("[amt-sagemaker-training.a]\nregon = 1", "there is no field regon"),
        ("[amt-sagemaker-training.a]\npoll_seconds = 0", "poll_seconds"),
        ("[amt-tuning-job.a]\nspec_file = 'none.toml'", "none.toml"),
        ("[amt-tuning-job.a]\ntraining = 'amt-local-training/nobody'", "nobody"),
        ("not toml", "can't be read"),
    ],
)
def test_a_bad_file_saves_nothing(registering: ModuleType, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(f"{text}\n[amt-tuning-records.unsaved-{len(text)}]\nhome = '/x'\n")
    with pytest.raises(SpecError, match=said):
        registering.register(file)
    with pytest.raises(ValueError, match="Unable to find"):
        TuningRecords.load(f"unsaved-{len(text)}")


def test_no_schema_has_a_secret_in_plain_sight() -> None:
    kinds: list[Any] = [*TYPES]
    for kind in kinds:
        fields = json.dumps(kind.model_json_schema())
        assert "password" not in fields.lower()
        assert "secret_key" not in fields.lower()
