"""A machine's parts: each training job has its own, whoever started it, for exactly as long as it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.backends.local import LocalBackend, holds, machine
from amt_flows.backends.local.holds import Hold
from amt_flows.backends.local.machine import Machine, this_machine
from amt_flows.backends.local.process import read_json
from amt_flows.backends.local_worker.records import write_json
from amt_flows.errors import BackendError, CapacityUnavailable
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ports import JobState
from amt_flows.run import tune
from amt_flows.spec import Resources, TuningSpec
from backends.conftest import Site

SEEN = 'echo "sees [$CUDA_VISIBLE_DEVICES] $SM_NUM_GPUS"; sleep 60'


@pytest.fixture(autouse=True)
def four_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    monkeypatch.setenv("AMT_FLOWS_MACHINE", str(tmp_path / "machine"))


@pytest.fixture
def other(tmp_path: Path, four_gpus: None) -> Iterator[Site]:
    """Another tuning job's backend: its own home, its own object, the same machine."""
    site = Site(tmp_path / "other")
    yield site
    site.end_everything()


def gpus_of(site: Site, name: str) -> str:
    site.until_printed(name, "sees [")
    return (site.directory(name) / "output.log").read_text().partition("[")[2].partition("]")[0]


def test_two_tuning_jobs_never_share_a_gpu_and_a_freed_one_goes_to_who_waits(site: Site, other: Site) -> None:
    one, two = site.sh(SEEN, resources={"gpus": 1}), other.sh(SEEN, resources={"gpus": 2})
    first, second = site.launch(one, 1), other.launch(two, 1)
    third = site.launch(one, 2)
    assert (gpus_of(site, first), gpus_of(other, second), gpus_of(site, third)) == ("0", "1,2", "3")
    with pytest.raises(CapacityUnavailable, match=f"waits for 1 GPU; held by .*{first}"):
        other.launch(other.sh(SEEN, resources={"gpus": 1}), 2)
    assert not other.directory("t-002-00000000").exists(), "a job that waits is none yet"
    site.stop(first, kill=True)
    site.end(first)
    assert gpus_of(other, other.launch(other.sh(SEEN, resources={"gpus": 1}), 2)) == "0"


def test_parts_of_a_gpu_fill_one_before_they_break_another(site: Site) -> None:
    halves = [site.launch(site.sh(SEEN, resources={"gpus": 0.5}), trial) for trial in (1, 2, 3)]
    assert [gpus_of(site, name) for name in halves] == ["0", "0", "1"]
    none = site.launch(site.sh(SEEN, resources={"gpus": 0}), 4)
    assert gpus_of(site, none) == ""
    with pytest.raises(CapacityUnavailable):
        site.launch(site.sh(SEEN, resources={"gpus": 3}), 5)


LAUNCH_AND_DIE = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from backends.conftest import Site
site = Site(Path({root!r}))
site.launch(site.sh({script!r}, resources=dict(gpus=3)))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_hold_outlives_the_controller_and_ends_with_the_worker(site: Site, other: Site) -> None:
    tests = str(Path(__file__).parents[1])
    dies = LAUNCH_AND_DIE.format(tests=tests, root=str(site.root), script=SEEN)
    assert subprocess.run([sys.executable, "-c", dies], check=False).returncode == -signal.SIGKILL
    job = "t-001-00000000"
    assert gpus_of(site, job) == "0,1,2"
    with pytest.raises(CapacityUnavailable):
        other.launch(other.sh(SEEN, resources={"gpus": 2}))
    worker = read_json(site.directory(job) / "claim")
    assert worker is not None
    os.kill(worker["pid"], signal.SIGKILL)
    assert site.end(job).state is JobState.LOST
    assert gpus_of(other, other.launch(other.sh(SEEN, resources={"gpus": 2}))) == "0,1"


def test_a_controller_that_died_before_its_job_started_holds_nothing(site: Site) -> None:
    name = site.launch(site.sh(SEEN, resources={"gpus": 4}))
    (file,) = (Path(os.environ["AMT_FLOWS_MACHINE"])).glob("*.json")
    content = read_json(file)
    assert content is not None
    dead = {**content["controller"], "start": "0"}
    # As if it had died between the start of the worker and the word of it: the worker is found all the same.
    write_json(str(file), {**content, "controller": dead, "worker": None})
    with pytest.raises(CapacityUnavailable):
        site.launch(site.sh(SEEN, resources={"gpus": 1}), 2)
    # And as if it had died before.
    gone = str(site.directory(name).with_name("never-started"))
    write_json(str(file), {**content, "directory": gone, "controller": dead, "worker": None})
    assert gpus_of(site, site.launch(site.sh(SEEN, resources={"gpus": 1}), 2)) == "0"


def test_thread_counts_follow_the_cpus_and_are_never_over_one_s_own(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    script = "echo $OMP_NUM_THREADS $MKL_NUM_THREADS $OPENBLAS_NUM_THREADS $SM_NUM_CPUS"
    job = site.sh(script, resources={"cpus": 1}, environment={"OPENBLAS_NUM_THREADS": "5"})
    site.end(site.launch(job))
    assert (site.directory("t-001-00000000") / "output.log").read_text().split() == ["1", "7", "5", "1"]


def test_more_memory_than_its_share_ends_a_job_with_that_reason(site: Site) -> None:
    """The memory is a grandchild's."""
    script = "import time; x = bytearray(b'x') * 300_000_000; time.sleep(60)"
    job = site.python(
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {script!r}])",
        resources={"memory_gb": 0.15},
    )
    report = site.run(job)
    assert (report.state, report.infrastructure) == (JobState.FAILED, False)
    assert "more than its 0.15 GB (training_job.resources.memory_gb)" in str(report.failure)


def test_more_training_jobs_at_once_than_gpus_wait_for_each_other(tmp_path: Path) -> None:
    spec = TuningSpec.parse(
        {
            "name": "waits",
            "objective": {"metric_name": "score"},
            "continuous": [{"name": "x", "min_value": 0, "max_value": 1}],
            "strategy": "Random",
            "limits": {"max_number_of_training_jobs": 5, "max_parallel_training_jobs": 4},
            "training_job": {
                "command": ["sh", "-c", "echo $CUDA_VISIBLE_DEVICES; echo 'score=1'"],
                "metric_definitions": [{"name": "score", "regex": "score=([-+0-9.einfa]+)"}],
                "resources": {"gpus": 2},
            },
        }
    )
    result = tune(spec, backend=LocalBackend(tmp_path / "home"), journal=MemoryJournal())
    assert len(result.jobs) == 5
    assert {job.status for job in result.jobs} == {"Completed"}
    logs = (tmp_path / "home" / "waits" / "jobs").glob("*/output.log")
    assert {log.read_text().split()[0] for log in logs} <= {"0,1", "2,3"}


def test_what_never_fits_is_refused_before_anything_runs(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMT_FLOWS_RESOURCES", "licence=2")
    need = {"gpus": 5, "memory_gb": 1e6, "custom": {"licence": 3, "port": 1}}
    spec = TuningSpec.parse(
        {
            "objective": {"metric_name": "score"},
            "continuous": [{"name": "x", "min_value": 0, "max_value": 1}],
            "limits": {"max_number_of_training_jobs": 1},
            "training_job": {"command": ["true"], "resources": need},
        }
    )
    refused = {p.field for p in site.backend.check(spec) if "resources" in p.field}
    fields = ("gpus", "memory_gb", "custom.licence", "custom.port")
    assert refused == {f"training_job.resources.{field}" for field in fields}


@pytest.mark.parametrize(
    ("variables", "gpus"),
    [
        ({"CUDA_VISIBLE_DEVICES": "2,5"}, ("2", "5")),
        ({"CUDA_VISIBLE_DEVICES": "0,-1,3"}, ("0",)),
        ({"CUDA_VISIBLE_DEVICES": "0,1", "AMT_FLOWS_GPUS": "1"}, ("1",)),
        ({"CUDA_VISIBLE_DEVICES": ""}, ()),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, ()),
        ({"CUDA_VISIBLE_DEVICES": "0", "AMT_FLOWS_GPUS": "none"}, ()),
        ({"CUDA_VISIBLE_DEVICES": "0", "AMT_FLOWS_GPUS": "all"}, ("0", "1")),
        ({"AMT_FLOWS_GPUS": "GPU-8932f937, 1"}, ("GPU-8932f937", "1")),
    ],
)
def test_gpus_are_those_that_are_named(
    variables: dict[str, str], gpus: tuple[str, ...], two_listed: None
) -> None:
    assert this_machine(variables).gpus == gpus


@pytest.fixture
def two_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_nvidia_gpus", lambda: ("0", "1"))


@pytest.mark.parametrize("wrong", ["first", "-1", "0;1", "0,2", "0,0"])
def test_a_gpu_that_cuda_would_not_know_is_refused(wrong: str, two_listed: None) -> None:
    with pytest.raises(BackendError, match="The list of GPUs"):
        this_machine({"AMT_FLOWS_GPUS": wrong})


def test_gpus_are_counted_as_cuda_does_in_a_container_that_was_given_some(tmp_path: Path) -> None:
    for name in ("nvidia3", "nvidia7", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert machine._nvidia_gpus(tmp_path) == ("0", "1")


needs = st.one_of(
    st.integers(1, 4).map(float), st.sampled_from([0.1, 0.2, 0.25, 0.3, 1 / 3, 0.5, 0.7]), st.none()
)


@given(st.integers(0, 5), st.integers(1, 8), needs, st.sampled_from([None, 0.1, 0.5, 1, 3]))
def test_as_many_have_room_as_is_said(gpus: int, cpus: int, gpu: float | None, cpu: float | None) -> None:
    parts = Machine(tuple(map(str, range(gpus))), float(cpus), None)
    need = Resources(gpus=gpu, cpus=cpu)
    most = parts.most_at_once(need)
    held: list[Hold] = []
    for _ in range(30 if most is None else most):
        held.append(Hold("j", holds._room("j", parts, held, need), cpus=cpu or 0.0))
    assert all(sum(one.gpus.get(name, 0.0) for one in held) <= 1 + 1e-6 for name in parts.gpus)
    if most is not None:
        with pytest.raises(CapacityUnavailable):
            holds._room("j", parts, held, need)
    assert (most == 0) == bool(parts.lacks(need))
