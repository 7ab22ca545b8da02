"""One configuration in the foreground."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import amt_flows as amt
from amt_flows.backends.local_worker.processes import identity, is_alive
from amt_flows.errors import SpecError
from commands import cli, write_spec

pytestmark = pytest.mark.usefixtures("run_from_a_terminal")

DEPTH: dict[str, Any] = {"depth": amt.Integer(1, 3)}


def test_a_function_is_called_here_and_nothing_is_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here: list[int] = []
    path = list(sys.path)

    def train(depth: int) -> Any:
        here.append(os.getpid())
        yield 0.25
        print("half way")
        yield {"accuracy": depth / 4}

    tried = amt.try_once(train, DEPTH, maximize="accuracy", values={"depth": 3}, home=tmp_path / "home")
    assert here == [os.getpid()]
    assert tried.hyperparameters == {"depth": "3"}
    assert tried.values == {"accuracy": (0.25, 0.75)}
    assert tried.objective_value == 0.75
    assert "half way" in capsys.readouterr().out
    assert not (tmp_path / "home").exists()
    assert [name for name in os.environ if name.startswith(("SM_", "SAGEMAKER_BASE"))] == []
    assert list(sys.path) == path


def test_what_it_raises_is_told_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def crash(depth: int) -> float:
        raise ValueError("the loss exploded")

    tried = amt.try_once(crash, DEPTH, home=tmp_path)
    assert tried.failure == "ValueError: the loss exploded"
    shown = capsys.readouterr().err
    assert "in crash" in shown
    assert "amt_flows/foreground.py" not in shown


def test_a_value_that_is_none_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="write `depth`"):
        amt.try_once(lambda depth: 1.0, DEPTH, values={"dept": 3}, home=tmp_path)
    with pytest.raises(SpecError, match="must lie within its range"):
        amt.try_once(lambda depth: 1.0, DEPTH, values={"depth": 9}, home=tmp_path)


def test_the_command_shows_the_output_and_says_the_metric(tmp_path: Path) -> None:
    home, spec = tmp_path / "home", write_spec(tmp_path)
    done = cli("try", spec, "--set", "rate=0.5", "--home", home)
    assert done.exit_code == 0, done.output
    assert "got --rate 0.5" in done.stdout
    assert "Found accuracy = 0.5." in done.stdout
    told = json.loads(cli("try", spec, "--set", "rate=0.5", "--home", home, "--json").stdout)
    assert told["objective_value"] == 0.5
    called = write_spec(tmp_path, integer=[{"name": "seed", "min_value": 1, "max_value": 9}])
    assert "seed=7" in cli("try", called, "--set", "seed=7", "--home", home).stdout, "not the spec's field"
    assert not home.exists()


def test_a_failure_and_a_missing_metric_have_an_exit_code(tmp_path: Path) -> None:
    failed = cli("try", write_spec(tmp_path, "echo no; exit 3"), "--home", tmp_path / "home")
    assert failed.exit_code == 8
    assert "It failed: exit status 3" in failed.stdout
    mute = cli("try", write_spec(tmp_path, "echo no"), "--home", tmp_path / "home")
    assert mute.exit_code == 8
    assert "Found no accuracy" in mute.stdout


def test_a_debugger_has_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("def train(depth):\n    breakpoint()\n    return depth * 2.0\n")
    (tmp_path / "tuning.json").write_text(
        json.dumps(
            {
                "objective": {"metric_name": "accuracy"},
                "integer": [{"name": "depth", "min_value": 1, "max_value": 3}],
                "limits": {"max_number_of_training_jobs": 1},
                "training_job": {"function": "shop:train"},
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "amt_flows", "try", "tuning.json", "--set", "depth=2"],
        cwd=tmp_path,
        env={**os.environ, "AMT_FLOWS_HOME": str(tmp_path / "home")},
        input="p depth + 40\nc\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "(Pdb) 42" in done.stdout
    assert "Found accuracy = 4." in done.stdout


# -- signals --------------------------------------------------------------------------------------

STUBBORN = """
import os, signal, subprocess, sys, time
ignore = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", ignore], start_new_session=True)
for number in (signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
signal.signal(signal.SIGTERM, lambda *_: print("asked to end", flush=True))
print("pids", os.getpid(), child.pid, flush=True)
while True:
    time.sleep(1)
"""
SAVING = """
import os, signal, sys, time
def save(*_):
    time.sleep(0.4)
    with open(os.environ["SM_MODEL_DIR"] + "/model", "w") as file:
        file.write("m")
    print("saved", flush=True)
    sys.exit()
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, save)
print("pids", os.getpid(), flush=True)
while True:
    time.sleep(1)
"""
FUNCTION = """
import os, time
def train(rate):
    try:
        print("pids", os.getpid(), flush=True)
        time.sleep(600)
    finally:
        print("tidied up", flush=True)
"""


class Trying:
    """``amt-flows try`` in a group of its own, with its scratch directories in a place of their own."""

    def __init__(self, directory: Path, spec: Path, *, before: tuple[str, ...] = (), **options: Any) -> None:
        self.scratch = directory / "scratch"
        self.scratch.mkdir()
        environment = {**os.environ, "TMPDIR": str(self.scratch), "AMT_FLOWS_HOME": str(directory / "home")}
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "amt_flows", "try", str(spec)],
            cwd=directory,
            env=environment,
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "start_new_session": True,
                **options,
            },
        )
        self.training: list[Any] = []

    def begun(self) -> None:
        """Wait until the script has said who it is."""
        assert self.process.stdout is not None
        self.noted(self.process.stdout.readline().decode())

    def noted(self, line: str) -> None:
        assert line.startswith("pids "), line
        self.training = [identity(int(pid)) for pid in line.split()[1:]]
        assert all(map(is_alive, self.training))

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out.decode(), err.decode()

    def has_left_nothing(self) -> bool:
        return bool(self.training) and not any(map(is_alive, self.training)) and not [*self.scratch.iterdir()]


@contextmanager
def trying(directory: Path, script: str, grace_seconds: float, **options: Any) -> Iterator[Trying]:
    job: dict[str, Any] = {
        "command": [sys.executable, "-c", script],
        "stop_grace_seconds": grace_seconds,
    }
    if script is FUNCTION:
        (directory / "shop.py").write_text(script)
        job = {"function": "shop:train"}
    running = Trying(directory, write_spec(directory, training_job=job), **options)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        for one in filter(is_alive, running.training):
            os.kill(one["pid"], signal.SIGKILL)
        for stream in (running.process.stdout, running.process.stderr):
            if stream is not None:
                stream.close()


def to_it(number: int) -> Callable[[Trying], None]:
    return lambda running: running.process.send_signal(number)


def to_its_group(number: int) -> Callable[[Trying], None]:
    return lambda running: os.killpg(running.process.pid, number)


def twice_at_once(running: Trying) -> None:
    """As timeout does it, to a process and to its group: that is one request."""
    for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
        running.process.send_signal(number)


@pytest.mark.parametrize(
    "tell",
    [to_it(signal.SIGTERM), to_it(signal.SIGHUP), to_its_group(signal.SIGINT)],
    ids=["TERM", "HUP", "Ctrl-C"],
)
def test_a_script_that_will_not_end_is_killed_with_what_it_started(
    tmp_path: Path, tell: Callable[[Trying], None]
) -> None:
    with trying(tmp_path, STUBBORN, 0.3) as running:
        running.begun()
        tell(running)
        code, _, err = running.end()
        assert (code, err) == (130, "Interrupted.\n")
        assert running.has_left_nothing()


def test_a_script_has_its_grace_to_save_and_a_second_signal_ends_the_wait(tmp_path: Path) -> None:
    with trying(tmp_path, SAVING, 600) as running:
        running.begun()
        os.killpg(running.process.pid, signal.SIGINT)
        code, out, err = running.end()
        assert (code, out) == (130, "saved\n")
        assert err.endswith("Interrupted.\n")
        assert running.has_left_nothing()
    again = tmp_path / "again"
    again.mkdir()
    with trying(again, STUBBORN, 600) as running:
        running.begun()
        twice_at_once(running)
        assert running.process.stderr is not None
        assert running.process.stderr.readline().startswith(b"The script has 600 s to end")
        running.process.send_signal(signal.SIGTERM)
        code, _, err = running.end()
        assert (code, err) == (130, "Interrupted.\n")
        assert running.has_left_nothing()


def test_a_function_is_interrupted_by_SIGTERM_too(tmp_path: Path) -> None:  # noqa: N802
    with trying(tmp_path, FUNCTION, 0) as running:
        running.begun()
        running.process.terminate()
        assert running.end() == (130, "tidied up\n", "Interrupted.\n")
        assert not [*running.scratch.iterdir()]


def test_nothing_runs_on_when_the_terminal_is_closed_but_for_nohup(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    terminal = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    # The new session's terminal is the one that is opened first in it.
    opening = ("sh", "-c", f'exec "$@" <{os.ttyname(theirs)}', "sh")
    with trying(tmp_path, STUBBORN, 0.3, before=opening, **terminal) as running:
        os.close(theirs)
        with os.fdopen(ours) as screen:
            running.noted(screen.readline())
        assert running.process.wait(120) == 130
        assert running.has_left_nothing()
    again = tmp_path / "again"
    again.mkdir()
    with trying(again, SAVING, 600, before=("nohup",)) as running:
        running.begun()
        running.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)  # nothing is to happen
        assert running.process.poll() is None
        assert all(map(is_alive, running.training))
        running.process.send_signal(signal.SIGTERM)
        assert running.end()[:2] == (130, "saved\n")
