"""Launching local training jobs: what a script gets, and that each job runs once."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from amt_flows.backends.home import home_directory
from amt_flows.backends.local import LocalBackend
from amt_flows.backends.local import backend as local
from amt_flows.backends.local import process as local_process
from amt_flows.errors import BackendError, CapacityUnavailable, LaunchRejected, NameTaken
from amt_flows.ports import JobState, Launch
from amt_flows.spec import MetricDefinition, TrainingJobTemplate

if TYPE_CHECKING:
    from backends.conftest import Site

NASTY = {
    "spaces": "  two words ",
    "newline": "a\nb",
    "shell": "$(touch pwned); `id` > x & | \"'\\",
    "empty": "",
    "option": "--flag",
    "unicode": "λ=½ 🎲",
}

SHOW = (
    "import json, os, sys; from pathlib import Path; base = Path(os.environ['SAGEMAKER_BASE_DIR']); "
    "(base / 'output/data/seen.json').write_text(json.dumps({'argv': sys.argv[1:], 'env': dict(os.environ), "
    "'cwd': os.getcwd(), 'stdin': sys.stdin.read(), 'config': {f.name: json.loads(f.read_text()) for f in "
    "(base / 'input/config').iterdir()}, 'data': {d.name: str(d.resolve()) for d in (base / 'input/data')"
    ".iterdir()}, 'fds': sorted(int(n) for n in os.listdir('/proc/self/fd')), 'session': os.getsid(0) == "
    "os.getpid()}))"
)


def seen(site: Site, template: TrainingJobTemplate, **changes: Any) -> dict[str, Any]:
    """What a training process saw of the world."""
    report = site.run(template, **changes)
    assert report.state is JobState.COMPLETED, report
    found: dict[str, Any] = json.loads((site.directory(report.name) / "output/data/seen.json").read_text())
    return found


def test_hyperparameters_of_a_job_around_it_are_none_of_its_own(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conditional one that isn't used here may well have a value there."""
    monkeypatch.setenv("SM_HP_MOMENTUM", "0.9")
    world = seen(site, site.template(sys.executable, "-c", SHOW, "train"), hyperparameters={"rate": "0.1"})
    assert {name: value for name, value in world["env"].items() if name.startswith("SM_HP_")} == {
        "SM_HP_RATE": "0.1"
    }


def test_hyperparameters_arrive_verbatim_everywhere(site: Site) -> None:
    template = site.template(sys.executable, "-c", SHOW, "train", hyperparameters_as_arguments=True)
    world = seen(site, template, hyperparameters=NASTY)
    arguments = [text for name, value in NASTY.items() for text in (f"--{name}", value)]
    assert world["argv"] == ["train", *arguments]
    assert world["config"]["hyperparameters.json"] == NASTY
    assert json.loads(world["env"]["SM_HPS"]) == NASTY
    assert json.loads(world["env"]["SM_USER_ARGS"]) == arguments
    assert {name: world["env"][f"SM_HP_{name.upper()}"] for name in NASTY} == NASTY


def test_arguments_can_be_left_to_the_file(site: Site) -> None:
    assert seen(site, site.template("python", "-c", SHOW, "x"))["argv"] == ["x"]


def test_the_container_contract(site: Site, tmp_path: Path) -> None:
    data = tmp_path / "the data"
    data.mkdir()
    template = site.template(
        "python3",
        *("-c", SHOW),
        inputs={"train-set": str(data), "words": f"file://{data}"},
        environment={"COLOUR": "red", "PYTHONUNBUFFERED": ""},
        working_directory=str(data),
    )
    name = "T-007-0000000A"
    world = seen(site, template, name=name, hyperparameters={"learning-rate": "0.1"})
    job = str(site.directory(name))
    expected = {
        "SAGEMAKER_BASE_DIR": job,
        "TRAINING_JOB_NAME": name,
        "SM_MODEL_DIR": f"{job}/model",
        "SM_CHECKPOINT_DIR": f"{job}/checkpoints",
        "SM_OUTPUT_DIR": f"{job}/output",
        "SM_OUTPUT_DATA_DIR": f"{job}/output/data",
        "SM_INPUT_DIR": f"{job}/input",
        "SM_INPUT_CONFIG_DIR": f"{job}/input/config",
        "SM_CHANNELS": '["train-set", "words"]',
        "SM_CHANNEL_TRAIN_SET": f"{job}/input/data/train-set",
        "SM_CHANNEL_WORDS": f"{job}/input/data/words",
        "SM_HP_LEARNING_RATE": "0.1",
        "SM_HOSTS": '["algo-1"]',
        "SM_CURRENT_HOST": "algo-1",
        "SM_NUM_CPUS": str(os.cpu_count()),
        "COLOUR": "red",
        "PYTHONUNBUFFERED": "",
    }
    assert {key: world["env"].get(key) for key in expected} == expected
    assert world["env"]["PATH"] == os.environ["PATH"]
    assert world["data"] == {"train-set": str(data), "words": str(data)}
    assert set(world["config"]) == {"hyperparameters.json", "inputdataconfig.json", "resourceconfig.json"}
    assert world["config"]["resourceconfig.json"]["current_host"] == "algo-1"
    assert set(world["config"]["inputdataconfig.json"]) == {"train-set", "words"}
    assert world["cwd"] == str(data)


def test_a_job_has_its_own_session_no_input_and_no_open_files(site: Site, tmp_path: Path) -> None:
    with (tmp_path / "ours").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        world = seen(site, site.template("python", "-c", SHOW))
    assert world["session"]
    assert world["stdin"] == ""
    assert len(world["fds"]) == 4  # the fourth reads the directory


def test_without_a_working_directory_it_is_the_controllers(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site.root.parent)
    assert seen(site, site.template("python", "-c", SHOW))["cwd"] == str(site.root.parent)


def test_the_root_is_configurable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AMT_FLOWS_HOME", str(tmp_path / "home"))
    assert LocalBackend().root == tmp_path / "home"
    monkeypatch.delenv("AMT_FLOWS_HOME")
    assert home_directory() == Path.home() / ".amt-flows"


# -- once ---------------------------------------------------------------------------------------------


def executions(site: Site, name: str) -> int:
    return (site.directory(name) / "executions").read_text().count("x")


COUNT = "echo x >> $SAGEMAKER_BASE_DIR/executions; echo 'amt-report acc=0.5;'"


def test_two_workers_on_one_job_run_it_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "start_worker", lambda paths: {"pid": os.getpid(), "start": "", "boot": ""})
    request = site.request(site.sh(COUNT))
    assert site.backend.launch(request) is Launch.STARTED
    worker = [sys.executable, "-I", "-S", str(local_process.WORKER), str(site.directory(request.name))]
    workers = [subprocess.Popen(worker) for _ in range(5)]
    assert sorted(process.wait() for process in workers) == [0, 3, 3, 3, 3]
    assert LocalBackend(site.root).poll("t", [request.name])[0].state is JobState.COMPLETED
    assert executions(site, request.name) == 1


def test_many_controllers_at_once_run_a_job_once(site: Site) -> None:
    request = site.request(site.sh(COUNT))
    answers: list[Launch] = []
    backends = [LocalBackend(site.root) for _ in range(6)]
    threads = [threading.Thread(target=lambda b=b: answers.append(b.launch(request))) for b in backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [Launch.ATTACHED] * 5 + [Launch.STARTED]
    assert site.end(request.name).state is JobState.COMPLETED
    assert executions(site, request.name) == 1


def test_a_controller_that_died_before_its_worker_came_is_replaced(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(paths: object) -> object:
        raise KeyboardInterrupt

    request = site.request(site.sh(COUNT))
    with monkeypatch.context() as patch:
        patch.setattr(local, "start_worker", die)
        with pytest.raises(KeyboardInterrupt):
            site.backend.launch(request)
    successor = LocalBackend(site.root)
    assert successor.poll("t", [request.name])[0].state is JobState.STARTING
    assert successor.launch(request) is Launch.ATTACHED
    assert site.end(request.name).state is JobState.COMPLETED
    assert executions(site, request.name) == 1


def test_a_controller_that_died_while_it_prepared_a_job_leaves_none(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(request: object, paths: object, scratch: Path) -> None:
        (scratch / "request.json").write_text("{")
        os.kill(os.getpid(), 0)
        raise MemoryError

    request = site.request(site.sh(COUNT))
    with monkeypatch.context() as patch:
        patch.setattr(local, "build", half)
        with pytest.raises(MemoryError):
            site.backend.launch(request)
    assert site.backend.find("t") == []
    assert site.backend.launch(request) is Launch.STARTED
    assert site.end(request.name).state is JobState.COMPLETED


def test_a_worker_that_never_comes_is_lost_and_can_not_come_later(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = site.request(site.sh(COUNT))
    with monkeypatch.context() as patch:
        patch.setattr(local_process, "WORKER", Path("/no/such/worker"))
        site.backend.launch(request)
    report = site.end(request.name)
    assert report.state is JobState.LOST
    assert "its worker process never started" in (report.failure or "")
    assert "/no/such/worker" in (report.failure or "")
    assert site.backend.launch(request) is Launch.ATTACHED
    late = [sys.executable, "-I", "-S", str(local_process.WORKER), str(site.directory(request.name))]
    assert subprocess.run(late).returncode == 3
    assert site.report(request.name).state is JobState.LOST


def test_the_worker_of_a_dead_controller_is_waited_for_30_seconds(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = site.request(site.sh(COUNT))
    with monkeypatch.context() as patch:
        patch.setattr(local, "start_worker", lambda paths: None)
        site.backend.launch(request)
    request_file = site.directory(request.name) / "request.json"
    for age, state in ((25, JobState.STARTING), (35, JobState.LOST)):
        os.utime(request_file, (time.time() - age,) * 2)
        assert LocalBackend(site.root).poll("t", [request.name])[0].state is state


def test_a_job_that_no_worker_has_claimed_is_stopped_for_good(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = site.request(site.sh(COUNT))
    with monkeypatch.context() as patch:
        patch.setattr(local, "start_worker", lambda paths: None)
        site.backend.launch(request)
    site.stop(request.name)
    assert site.report(request.name).state is JobState.STOPPED
    assert site.backend.launch(request) is Launch.ATTACHED
    assert site.report(request.name).state is JobState.STOPPED
    assert not (site.directory(request.name) / "executions").exists()


def test_stopped_at_once_it_is_stopped_wherever_it_is(site: Site) -> None:
    names = [site.launch(site.sh("exec sleep 600"), trial) for trial in range(1, 6)]
    for n, name in enumerate(names):
        time.sleep(n * 0.008)
        site.stop(name)
    assert [site.end(name).state for name in names] == [JobState.STOPPED] * 5


def test_names_are_the_same_in_any_case(site: Site) -> None:
    name = site.launch(site.sh("true"), name="T-001-0000ABCD", tuning_job="T")
    assert site.end(name.lower()).state is JobState.COMPLETED
    assert site.backend.poll("T", [name])[0].name == name
    assert [job.name for job in site.backend.find("t")] == [name]


def test_the_same_name_with_other_hyperparameters_is_taken(site: Site) -> None:
    site.run(site.sh("true"))
    with pytest.raises(NameTaken, match="other hyperparameters"):
        site.launch(site.sh("true"), hyperparameters={"rate": "0.2"})
    with pytest.raises(NameTaken, match="for another spec"):
        site.launch(site.sh("true"), fingerprint="g")


def test_no_zombie_is_left(site: Site) -> None:
    names = [site.launch(site.sh("true"), trial) for trial in range(1, 4)]
    for name in names:
        site.end(name)
    workers = {json.loads((site.directory(name) / "claim").read_text())["pid"] for name in names}
    give_up_at = time.monotonic() + 60
    while local_process._children & workers and time.monotonic() < give_up_at:
        site.report(names[0])
    for worker in workers:
        with pytest.raises(ChildProcessError):
            os.waitpid(worker, os.WNOHANG)


def test_little_is_imported_before_the_training_starts(tmp_path: Path) -> None:
    """Up to there the worker has come when it finds that the job is taken."""
    (tmp_path / "claim").touch()
    worker = [sys.executable, "-I", "-S", "-X", "importtime", str(local_process.WORKER), str(tmp_path)]
    run = subprocess.run(worker, capture_output=True, text=True)
    assert run.returncode == 3
    imported = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert "amt_flows.backends.local_worker.start" in imported
    assert not imported & {"json", "re", "enum", "signal", "typing", "pathlib", "subprocess", "contextlib"}
    ours = {name for name in imported if name.startswith("amt_flows")}
    assert all(name.startswith("amt_flows.backends.local_worker") for name in ours)


# -- refused ------------------------------------------------------------------------------------------

PATHS = ["..", "../x", "a/b", "/etc", "", ".", "a\n", "a" * 64, "-a", "a-", "a_b", "a\0b", "é"]


@pytest.mark.parametrize("name", PATHS)
def test_a_name_can_not_leave_the_root(site: Site, name: str) -> None:
    names: list[dict[str, Any]] = [{"name": name}, {"tuning_job": name}]
    for changes in names:
        with pytest.raises(LaunchRejected, match="can't name"):
            site.launch(site.sh("true"), **changes)
    site.backend.stop(name, [name], kill=True)
    site.backend.stop("t", [name])
    assert site.backend.find(name) == ()
    assert [r.state for r in site.backend.poll(name, [name])] == [JobState.LOST]
    assert [r.state for r in site.backend.poll("t", [name])] == [JobState.LOST]
    assert not site.root.exists()


def test_what_can_not_be_run_is_refused_before_anything_is_written(site: Site) -> None:
    bad = MetricDefinition(name="acc", regex="acc=(")
    for changes in (
        {"inputs": {"train": "s3://bucket/train"}},
        {"inputs": {"..": "/tmp"}},
        {"metric_definitions": (bad,)},
        {"environment": {"A": "\0"}},
        {"environment": {"A=B": "c"}},
    ):
        with pytest.raises(LaunchRejected):
            site.launch(site.sh("true", **changes))
    with pytest.raises(LaunchRejected):
        site.launch(site.sh("true"), hyperparameters={"a": "\0"})
    with pytest.raises(LaunchRejected):
        site.launch(TrainingJobTemplate())
    assert not list(site.root.rglob("request.json"))
    assert not [p for p in site.root.rglob("*") if p.name.startswith(".")]


@pytest.mark.parametrize(
    ("number", "error", "words"),
    [
        (errno.ENOSPC, CapacityUnavailable, "the disk is full"),
        (errno.EDQUOT, CapacityUnavailable, "quota"),
        (errno.EMFILE, CapacityUnavailable, "too many open files"),
        (errno.EAGAIN, CapacityUnavailable, "too many processes"),
        (errno.ENOMEM, CapacityUnavailable, "too little memory"),
        (errno.EACCES, LaunchRejected, "Permission denied"),
        (errno.EROFS, LaunchRejected, "Read-only file system"),
    ],
)
@pytest.mark.parametrize("place", ["build", "start_worker"])
def test_what_the_machine_refuses_passes_or_does_not(
    site: Site, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception], words: str, place: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), "/some/where")

    with monkeypatch.context() as patch:
        patch.setattr(local, place, refuse)
        with pytest.raises(error, match=words):
            site.launch(site.sh(COUNT))
    # And once it passed, it is launched: exactly once.
    name = site.launch(site.sh(COUNT))
    assert site.end(name).state is JobState.COMPLETED
    assert executions(site, name) == 1


def test_a_root_that_is_no_directory_is_refused(site: Site, tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.write_text("not a directory")
    with pytest.raises(LaunchRejected):
        LocalBackend(root).launch(site.request(site.sh("true")))


def test_what_would_run_and_has_vanished_fails_no_job_and_interrupts_none(site: Site, tmp_path: Path) -> None:
    """Waited for while others run, then said; and once it is back the same job starts."""
    script = tmp_path / "train.py"
    script.write_text("import os\nopen(os.environ['HOLD']).read()\n")
    hold = tmp_path / "hold"
    os.mkfifo(hold)
    template = site.template("python", str(script), environment={"HOLD": str(hold)})
    first = site.launch(template)
    with hold.open("w"):  # it has begun
        script.rename(tmp_path / "away.py")
        with pytest.raises(CapacityUnavailable, match="is gone"):
            site.launch(template, trial=2)
    assert site.end(first).state is JobState.COMPLETED
    with pytest.raises(BackendError, match="is gone") as raised:
        site.launch(template, trial=2)
    assert not isinstance(raised.value, CapacityUnavailable | LaunchRejected), "it ends no tuning job"
    (tmp_path / "away.py").rename(script)
    second = site.launch(template, trial=2)
    hold.open("w").close()
    assert site.end(second).state is JobState.COMPLETED


def test_a_kept_function_that_has_vanished_starts_no_job(site: Site) -> None:
    template = site.template().model_copy(update={"function": f"value:train:{'0' * 64}"})
    with pytest.raises(BackendError, match="the function's"):
        site.launch(template)
