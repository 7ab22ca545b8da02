"""Functions of every kind, tuned by real training jobs."""

from __future__ import annotations

import asyncio
import enum
import io
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import amt_flows as amt
from amt_flows.backends.function_job.arguments import typed_arguments
from amt_flows.errors import JournalError, NameTaken, SpecError, TuningJobFailed
from commands import cli

DEPTH: dict[str, Any] = {"depth": amt.Integer(1, 3)}
ONE: dict[str, Any] = {"maximize": "accuracy", "jobs": 1, "progress": False}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def adding(k: float) -> Callable[..., float]:
    def train(depth: float) -> float:
        assert type(depth) is float
        return depth + k

    return train


def test_a_closure_is_tuned_and_another_one_is_another_tuning_job(home: Path) -> None:
    result = amt.tune(adding(0.5), DEPTH, name="one", home=home, **ONE)
    assert result.best is not None
    assert result.best.objective_value in (1.5, 2.5, 3.5)
    assert amt.tune(adding(0.5), DEPTH, name="one", home=home, **ONE).best == result.best
    with pytest.raises(NameTaken):
        amt.tune(adding(0.6), DEPTH, name="one", home=home, **ONE)


def test_what_is_kept_is_for_its_owner_and_loaded_only_as_it_was_written(home: Path) -> None:
    spec = amt.spec_of(adding(0.5), DEPTH, maximize="accuracy", jobs=1, home=home)
    (kept,) = (home / ".functions").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    backend = amt.LocalBackend(home)
    assert list(backend.check(spec)) == []
    kept.chmod(0o644)
    assert "can be read or written by others" in str(backend.check(spec)[0])
    kept.chmod(0o600)
    kept.write_bytes(kept.read_bytes() + b"more")
    assert "its content has another hash" in str(backend.check(spec)[0])
    kept.unlink()
    assert "give the function itself once more" in str(backend.check(spec)[0])
    kept.symlink_to(__file__)
    assert "can't be read" in str(backend.check(spec)[0])


def test_metrics_are_returned_in_a_mapping_or_yielded_epoch_by_epoch(home: Path) -> None:
    def mapping(depth: int) -> dict[str, object]:
        return {"accuracy": 0.5, "loss": 1, "model": object()}

    def epochs(depth: int) -> Iterator[object]:
        for epoch in range(3):
            yield epoch / 4 if epoch else {"accuracy": 0.0, "epoch": 1}

    def nothing(depth: int) -> dict[str, float]:
        return {"loss": 0.5}

    assert amt.tune(mapping, DEPTH, name="mapping", home=home, **ONE).best
    amt.tune(epochs, DEPTH, name="epochs", home=home, **ONE)
    ledger = amt.read_record("epochs", home).ledger
    (job,) = ledger.jobs.values()
    assert [value for _, value in job.curve] == [0.0, 0.25, 0.5]
    with pytest.raises(TuningJobFailed, match="returned loss, and no accuracy"):
        amt.tune(nothing, DEPTH, name="nothing", home=home, **ONE)


def test_what_is_async_or_an_iterator_is_run_and_what_was_printed_elsewhere_is_found(home: Path) -> None:
    async def later(depth: int) -> AsyncIterator[float]:
        await asyncio.sleep(0)
        yield depth / 10
        yield depth / 5

    async def coroutine(depth: int) -> float:
        return depth / 5

    def silent(depth: int) -> Any:
        sys.stdout = io.StringIO()
        os.close(1)
        return map(float, [1, depth])

    for train, value in ((later, 0.6), (coroutine, 0.6), (silent, 3.0)):
        best = amt.tune(train, {"depth": [3]}, home=home, **ONE).best
        assert best is not None, train
        assert best.objective_value == value, train


def test_the_failure_has_the_traceback_from_the_functions_own_frame_on(home: Path) -> None:
    def crash(depth: int) -> float:
        raise ValueError("the loss exploded")

    with pytest.raises(TuningJobFailed, match="ValueError: the loss exploded"):
        amt.tune(crash, DEPTH, name="crash", home=home, **ONE)
    failure = str(amt.load_result("crash", home).jobs[0].failure)
    assert failure.splitlines()[0] == "ValueError: the loss exploded"
    assert failure.splitlines()[1].endswith("in crash")
    assert "function.py" not in failure


SCRIPT = """
import amt_flows as amt
import beside

{effect}

def train(depth: int) -> float:
    return beside.double(depth)

if __name__ == "__main__":
    spec = amt.spec_of(train, {{"depth": amt.Integer(1, 3)}}, maximize="accuracy", jobs=2, home="home")
    print(spec.training_job.function)
    space = {{"depth": amt.Integer(1, 3)}}
    result = amt.tune(train, space, maximize="accuracy", strategy="Random", jobs=2, home="home")
    print(result.best.objective_value)
"""


WITH_A_CLASS = """
import dataclasses, enum, sys
import amt_flows as amt

class Kind(enum.Enum):
    A = "a"

@dataclasses.dataclass
class Model:
    depth: int
    def score(self) -> float:
        return self.depth * len({"a", "b"}) / len(Kind)

def train(depth: int) -> float:
    return Model(depth).score()

space = {"depth": amt.Integer(1, 3)}
same = {"seed": 1, "home": "home", "name": "same", "progress": False}
result = amt.tune(train, space, maximize="accuracy", strategy="Random", jobs=1, **same)
print(amt.read_record("same", "home").ledger.spec.training_job.function, result.best.objective_value)
"""


def test_the_same_script_goes_on_with_the_same_tuning_job(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(WITH_A_CLASS)
    said = [
        subprocess.run(
            [sys.executable, "script.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=120,
        )
        for seed in ("1", "2")
    ]
    assert [done.returncode for done in said] == [0, 0], said[-1].stderr
    assert said[0].stdout == said[1].stdout
    assert said[0].stdout.startswith("value:train:")


@pytest.mark.parametrize(
    ("effect", "place", "goes"),
    [("", ".", "script:train"), ("print('imported')", ".", "value:train:"), ("", "inner", "value:train:")],
)
def test_a_script_goes_by_its_file_if_importing_it_is_safe(
    tmp_path: Path, effect: str, place: str, goes: str
) -> None:
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "script.py").write_text(SCRIPT.format(effect=effect))
    (tmp_path / place / "beside.py").write_text("def double(x): return 2 * x\n")
    done = subprocess.run(
        [sys.executable, f"{place}/script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    *_, function, best = done.stdout.splitlines()
    assert function.startswith(goes)
    assert float(best) in (2.0, 4.0, 6.0)


def test_a_task_of_prefects_is_taken_for_its_function_without_prefect(home: Path) -> None:
    class Task:
        def __init__(self, fn: Callable[..., float]) -> None:
            self.fn = fn

        def __call__(self, *args: Any, **kwargs: Any) -> float:
            raise AssertionError("a task run was made")

    assert amt.tune(Task(adding(1)), DEPTH, name="task", home=home, **ONE).best is not None


def test_what_cannot_travel_is_refused_with_the_way_out(home: Path) -> None:
    import threading

    lock = threading.Lock()

    def locked(depth: int) -> float:
        with lock:
            return 1.0

    with pytest.raises(SpecError, match="put it into a module of its own"):
        amt.tune(locked, DEPTH, home=home, **ONE)
    with pytest.raises(SpecError, match="can't travel to SageMaker"):
        amt.tune(adding(1), DEPTH, home=home, backend=amt.SageMakerBackend(region="eu-west-1"), **ONE)
    with pytest.raises(SpecError, match="can't travel to SageMaker"):
        amt.tune(adding(1), DEPTH, home=home, backend=amt.SageMakerTuner(region="eu-west-1"), **ONE)
    spec = amt.spec_of(adding(1), DEPTH, maximize="accuracy", jobs=1, home=home.with_name("other"))
    said = [str(problem) for problem in amt.SageMakerBackend(region="eu-west-1").check(spec)]
    assert [one for one in said if "can't travel to SageMaker" in one]
    assert not home.exists()


class Optimizer(enum.Enum):
    SGD = "sgd"
    ADAM = "adam"


def test_arguments_come_as_annotated_where_nothing_is_lost() -> None:
    def train(a: float, b: int, c: int, d: str, e: bool, f: Optimizer, g: float | None, h: Path) -> None: ...

    given = {"a": 1, "b": 3.0, "c": 3.5, "d": 5, "e": "true", "f": "adam", "g": 2, "h": "x", "i": 1}
    expected = [1.0, 3, 3.5, "5", True, Optimizer.ADAM, 2.0, Path("x"), 1]
    arrived = list(typed_arguments(train, given).values())
    assert arrived == expected
    assert [type(one) for one in arrived] == [type(one) for one in expected]


def test_a_kept_function_goes_once_nothing_names_it(home: Path) -> None:
    amt.tune(adding(0.5), DEPTH, name="one", home=home, **ONE)
    amt.spec_of(adding(0.7), DEPTH, maximize="accuracy", jobs=1, home=home)
    store = home / ".functions"

    def clean(*options: str) -> int:
        done = cli("clean", "--home", str(home), *options)
        assert done.exit_code in (0, JournalError.exit_code), done.output
        return len(list(store.iterdir()))

    assert clean() == 2, "it may be run yet"
    assert clean("--older-than", "0", "--dry-run") == 2
    assert clean("--older-than", "0") == 1
    (home / "one" / "journal").rename(home / "kept")
    assert clean("--older-than", "0") == 1, "its training jobs name it, whose record may be in S3"
    (home / "kept").rename(home / "one" / "journal")
    first = min((home / "one" / "journal").glob("[0-9]*"))
    first.write_bytes(b"torn" + first.read_bytes())
    assert clean("--older-than", "0") == 1
    shutil.rmtree(home / "one")
    assert clean("--older-than", "0") == 0
