"""Where records are kept and training jobs run, as a user names it, up to the whole command line on a
simulated AWS: run, look, read logs and stop from what the record alone tells."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.amt import HandedOff
from amt_flows.backends.home import home_directory, is_in_s3
from amt_flows.backends.local import LocalBackend
from amt_flows.backends.places import (
    POLL_SECONDS,
    SageMakerTuner,
    home_at,
    journals,
    open_backend,
    open_journal,
    open_place,
    place_at,
)
from amt_flows.backends.sagemaker import SageMakerBackend
from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.errors import BackendError, JournalError, NameTaken, TuningJobNotFound
from amt_flows.events import TuningStatus
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.journals.s3 import S3Journal
from amt_flows.ledger.record import load_ledger
from amt_flows.run import tune
from amt_flows.spec import TuningSpec
from amt_flows.testing.sagemaker import SimulatedSageMaker
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.stop import end_tuning_job
from backends.sagemaker_world import spec as sagemaker_spec
from commands import cli, ok
from simulated_aws import aws
from worlds import rising, spec

HOME = "s3://records/team/tunings"


def test_a_home_is_a_directory_or_a_folder_in_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory, in_s3 = open_journal("Demo", tmp_path), open_journal("Demo", f"{HOME}/")
    assert isinstance(directory, DirectoryJournal)
    assert directory.directory == tmp_path / "demo" / "journal", "names are compared without regard to case"
    assert isinstance(in_s3, S3Journal)
    assert in_s3.location == f"{HOME}/demo/journal"
    monkeypatch.setenv("AMT_FLOWS_HOME", HOME)
    assert is_in_s3()
    assert open_journal("demo").location == in_s3.location
    assert home_directory() == Path("~/.amt-flows").expanduser(), (
        "training jobs need a directory all the same"
    )


@given(st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_a_home_is_found_again_from_the_place_of_a_journal(folder: str) -> None:
    if folder in (".", ".."):
        return
    home = Path("/nowhere") / folder
    assert home_at(open_journal("Demo", home).location, "Demo") == str(home)
    assert home_at(open_journal("Demo", "s3://bucket/a b").location, "demo") == "s3://bucket/a b"
    for location in ("memory:", "file:///x/other/journal", "https://x/demo/journal"):
        assert home_at(location, "demo") is None


@pytest.mark.parametrize("home", ["/somewhere", HOME])
@pytest.mark.parametrize("name", ["../x", "a/b", "", "x" * 33, "a b"])
def test_no_name_leads_out_of_its_folder(name: str, home: str) -> None:
    with pytest.raises(TuningJobNotFound, match="is not the name"):
        open_journal(name, home)


def test_a_backend_is_found_by_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    for address in ("local", ""):
        backend = place_at(address, tmp_path)
        assert isinstance(backend, LocalBackend)
        assert (backend.root, backend.address) == (tmp_path, "local")
    elsewhere = place_at("sagemaker:eu-west-1")
    assert isinstance(elsewhere, SageMakerBackend)
    assert elsewhere.address == "sagemaker:eu-west-1"
    with pytest.raises(BackendError, match="no backend 'cluster"):
        place_at("cluster:7")


@pytest.mark.parametrize("text", ["soon", "0", "nan", "inf", "-1"])
def test_an_impossible_pace_of_polls_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POLL_SECONDS, text)
    with pytest.raises(BackendError, match=POLL_SECONDS):
        open_backend("sagemaker", region="eu-west-1")


class Elsewhere(SimulatedBackend):
    @property
    def address(self) -> str:
        return "sagemaker:eu-west-1"


def test_a_running_tuning_job_does_not_change_its_backend(tmp_path: Path) -> None:
    """Its training jobs would count as lost, and be launched a second time."""
    journal, clock = open_journal("demo", tmp_path), VirtualClock()
    backend = Elsewhere(clock, rising)
    Tuning.open(spec(), backend, journal, clock=clock)
    assert load_ledger(journal, "demo").backend == "sagemaker:eu-west-1"
    other = SimulatedBackend(clock, rising)
    with pytest.raises(NameTaken, match=r"runs its training jobs on sagemaker:eu-west-1, not on simulated"):
        Tuning.open(spec(), other, journal, clock=clock)
    Tuning.open(spec(), backend, journal, clock=clock)


# -- on a simulated AWS ---------------------------------------------------------------------------


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedSageMaker]:
    """A minute in each second."""
    with aws(monkeypatch, [0.4, 0.6, 0.8], speed=60) as world:
        yield world


def at_home(*words: str) -> str:
    """What a command writes whose records are in S3."""
    return ok(*words, "--home", HOME)


def write(directory: Path, jobs: int) -> str:
    path = directory / "tuning.json"
    limits = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": jobs}
    path.write_text(json.dumps(sagemaker_spec(limits=limits, seed=1).to_json()))
    return str(path)


@contextmanager
def driven(world: SimulatedSageMaker, drive: Callable[[], object]) -> Iterator[None]:
    """A tuning job that another thread drives, once a training job has completed; and until it is over."""
    driver = threading.Thread(target=drive)
    driver.start()
    try:
        while not any(job.status == "Completed" for job in world.jobs):
            driver.join(0.1)
            assert driver.is_alive()
        yield
    finally:
        driver.join(60)


def test_from_the_command_line_to_sagemaker_and_back(tmp_path: Path, world: SimulatedSageMaker) -> None:
    path = write(tmp_path, jobs=3)
    assert at_home("status").strip() == f"No tuning job in {HOME} yet."
    planned = json.loads(at_home("plan", path, "--backend", "sagemaker", "--json"))
    result = json.loads(at_home("run", path, "--backend", "sagemaker", "--json", "--quiet"))
    assert result["status"] == "Completed"
    assert [job.status for job in world.jobs] == ["Completed"] * 3
    assert result["journal"] == f"{HOME}/demo/journal"
    assert [name for name, _ in journals(HOME)] == ["demo"]
    # The plan told the very requests that were then made.
    assert [job["request"] for job in planned["first_jobs"]] == [dict(job.request) for job in world.jobs]
    # Whoever comes later needs the name and the home.
    assert "demo" in at_home("status")
    assert json.loads(at_home("status", "demo", "--json"))["HyperParameterTuningJobStatus"] == "Completed"
    listed = json.loads(at_home("jobs", "demo", "--json"))["TrainingJobSummaries"]
    assert {job["TrainingJobName"] for job in listed} == {job.name for job in world.jobs}
    assert "amt-report" in at_home("logs", world.jobs[0].name)
    assert len(at_home("logs", world.jobs[0].name, "-n", "1").splitlines()) == 1
    assert cli("logs", "demo-009-00000000", "--home", HOME).exit_code != 0
    # Run again, it is its result.
    assert json.loads(at_home("run", path, "--backend", "sagemaker", "--json", "--quiet")) == result
    assert len(world.jobs) == 3


@pytest.mark.slow
def test_stop_finds_the_training_jobs_by_the_record(tmp_path: Path, world: SimulatedSageMaker) -> None:
    path = write(tmp_path, jobs=500)
    asked, journal = TuningSpec.load(path), open_journal("demo", HOME)
    with driven(world, lambda: tune(asked, open_backend("sagemaker"), journal=journal)):
        assert "demo is stopped" in at_home("stop", "demo", "--wait", "60")
    assert not [job.name for job in world.jobs if job.status not in ("Completed", "Stopped", "Failed")]
    assert "Stopped" in at_home("status", "demo")


def test_sagemakers_own_tuner_is_a_place_too(tmp_path: Path, world: SimulatedSageMaker) -> None:
    path = write(tmp_path, jobs=3)
    planned = json.loads(at_home("plan", path, "--backend", "amt", "--json"))
    result = json.loads(at_home("run", path, "--backend", "amt", "--json", "--quiet"))
    assert result["status"] == "Completed"
    assert len(result["jobs"]) == len(world.jobs) == 3
    (tuning_job,) = world.tuning_jobs
    # The plan told the very request that was then made, but for the tag of who made it.
    assert planned["amt_request"] == {**tuning_job.request, "Tags": planned["amt_request"].get("Tags")}
    assert "amt-report" in at_home("logs", world.jobs[0].name)
    assert json.loads(at_home("resume", "demo", "--json", "--quiet")) == result
    refused = cli("plan", path, "--backend", "amt", "--set", "strategy=QuasiRandom", "--home", HOME)
    assert refused.exit_code == 2
    assert "AMT has no such strategy" in refused.output


@pytest.mark.slow
def test_stop_has_sagemakers_own_tuner_stop(tmp_path: Path, world: SimulatedSageMaker) -> None:
    asked, journal = TuningSpec.load(write(tmp_path, jobs=500)), open_journal("demo", HOME)
    with driven(world, lambda: tune(asked, open_place("amt"), journal=journal, progress=False)):
        assert "demo is stopped" in at_home("stop", "demo", "--wait", "60")
    assert not [job.name for job in world.jobs if job.status not in ("Completed", "Stopped", "Failed")]


@pytest.mark.slow
def test_what_nobody_follows_is_stopped_by_its_name(tmp_path: Path, world: SimulatedSageMaker) -> None:
    """The follower is dead; AMT goes on, and so would its costs."""
    asked, journal = TuningSpec.load(write(tmp_path, jobs=500)), open_journal("demo", HOME)
    HandedOff.open(asked, SageMakerTuner().clients(), journal)
    assert end_tuning_job("demo", HOME, reason="enough").is_closed
    assert load_ledger(journal, "demo").status is TuningStatus.STOPPED
    assert not [job.name for job in world.jobs if job.status not in ("Completed", "Stopped", "Failed")]


def test_what_cannot_be_reached_in_s3_is_said(world: SimulatedSageMaker) -> None:
    with pytest.raises(JournalError, match="can't be listed"):
        list(journals("s3://no-such-bucket/tunings"))
    result = cli("status", "demo", "--home", "s3://no-such-bucket/tunings")
    assert result.exit_code == JournalError.exit_code
    assert "bucket" in result.stderr
