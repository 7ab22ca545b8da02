"""The optimiser's benchmark: its tables say what the records say, and a run that was cut short goes on."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
REFERENCES = {"a": {"best": 0.0, "median": 1.0}, "b": {"best": 10.0, "median": 30.0}}

# The smallest benchmark with the interface of the real one: one task, one engine of its own.
SPACE = """
class Param:
    def __init__(self, name, kind, lo=0.0, hi=1.0, log=False, choices=(), cond=None):
        self.name, self.kind, self.lo, self.hi, self.log, self.choices = name, kind, lo, hi, log, choices
        self.cond = cond

class Space:
    def __init__(self, params):
        self.params = params
"""
TASKS = """
from .space import Param, Space
PUBLIC = ["bowl"]

class Bowl:
    space = Space([
        Param("x", "float", 1e-3, 1.0, True),
        Param("n", "int", 1, 9, cond=("c", (True,))),
        Param("c", "cat", choices=(True, False)),
    ])

    def loss(self, metric):
        return -metric

    def final(self, configuration, seed=0):
        assert set(configuration) == ({"x", "n", "c"} if configuration["c"] else {"x", "c"})
        assert type(configuration["c"]) is bool
        return -abs(configuration["x"] - 0.1) - (configuration.get("n", 9) - 4) ** 2 / 100, 1.0

def get(name):
    return Bowl()
"""
ENGINES = """
import importlib
import random as chance

class Random:
    def __init__(self, seed):
        self.chance, self.number = chance.Random(seed), 0

    def ask(self):
        self.number += 1
        draw = self.chance
        return self.number, {"x": 10 ** draw.uniform(-3, 0), "n": draw.randint(1, 9), "c": True}

    def tell(self, *_):
        pass

def make(name, space, seed):
    if name == "random":
        return Random(seed)
    module, factory = name.removeprefix("import:").split(":")
    return getattr(importlib.import_module(module), factory)(space, seed)
"""
SIM = """
def run(task, engine, jobs, workers, seed=0):
    running, ended = [], []
    for _ in range(jobs):
        running.append(engine.ask())
        if len(running) == workers or len(ended) + len(running) == jobs:
            while running:
                number, configuration = running.pop(0)
                loss = task.loss(task.final(configuration, seed)[0])
                engine.tell(number, configuration, loss)
                ended.append({"loss": loss, "ask": 0.25, "tell": 0.0})
    return ended
"""


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    package = tmp_path / "bench" / "amtbench"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    for name, text in {"space": SPACE, "tasks": TASKS, "engines": ENGINES, "sim": SIM}.items():
        (package / f"{name}.py").write_text(text)
    data = package.parent / "data"
    data.mkdir()
    (data / "refs.json").write_text(json.dumps({"bowl": {"best": 0.0, "median": 0.3}}))
    return package.parent


def run(bench: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "optimiser"), "--bench", str(bench), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def room(monkeypatch: pytest.MonkeyPatch, name: str) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module(f"benchmarks.optimiser.{name}")


def test_one_command_compares_and_goes_on_where_it_ended(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "records.jsonl"
    few = ("--peers", "amt-flows,Random", "--jobs", "24", "--out", str(out))
    first = run(bench, *few, "--seeds", "0")
    assert first.returncode == 0, first.stderr
    assert "| amt-flows" in first.stdout
    assert "| Random | 0." in first.stdout
    assert "difference after 24 jobs" in first.stdout
    written = out.read_text()
    assert len(written.splitlines()) == 2

    # As if the controller had died within a line.
    out.write_text(written + written.splitlines()[1][:40])
    second = run(bench, *few, "--seeds", "0,1")
    assert second.returncode == 0, second.stderr
    assert len(second.stderr.splitlines()) == 2, "only the seed that is new was run"
    assert "1 tasks, 2 runs" in second.stdout
    # What follows the line that was cut off isn't lost with it.
    assert len(room(monkeypatch, "records").read(out)) == 4


def test_the_cost_of_a_proposal_is_measured_at_many_jobs(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaling = room(monkeypatch, "scaling")
    monkeypatch.syspath_prepend(str(bench))
    monkeypatch.setattr(scaling, "FINISHED", (5, 30))
    table = scaling.scaling_table({"bowl": importlib.import_module("amtbench.tasks").get("bowl")}, (0, 1))
    header, _, row = table.splitlines()
    assert header == "| task | after 5 jobs | after 30 jobs |"
    assert row.startswith("| bowl | 0.")


def test_tasks_of_our_own_are_trained_and_repeatable(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, own = room(monkeypatch, "engine"), room(monkeypatch, "own_tasks")
    monkeypatch.syspath_prepend(str(bench))
    assert set(own.REFERENCES) == set(own.NAMES)
    for name, reference in own.REFERENCES.items():
        assert reference["best"] < reference["median"]
        task = own.get(name)
        drawn = engine.random(task.space, 1)
        configurations = [drawn.ask()[1] for _ in range(3)]
        losses = [task.loss(task.final(one)[0]) for one in configurations]
        assert np.isfinite(losses).all()
        assert len(set(losses)) > 1
        assert task.loss(task.final(configurations[0], seed=7)[0]) == losses[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--peers", "Rondom"), "no peer Rondom: one of amt-flows"),
        (("--bench", "/nowhere"), "no folder amtbench"),
    ],
)
def test_a_mistake_is_named(bench: Path, arguments: tuple[str, ...], said: str) -> None:
    ended = run(bench, *arguments)
    assert ended.returncode != 0
    assert said in ended.stderr


def test_regret_is_normalised_and_a_new_best_is_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    records, tables = room(monkeypatch, "records"), room(monkeypatch, "tables")
    runs = [
        records.Record("x", "", "a", 4, 0, (0.5, float("nan"), 0.25), (0.1,) * 3),
        records.Record("x", "", "b", 4, 0, (20.0, 30.0, 0.0), (0.1,) * 3),
        records.Record("y", "", "a", 4, 0, (float("nan"),) * 3, (0.1,) * 3),
    ]
    found = tables.regrets(runs, REFERENCES, jobs=2)
    # Task b: the third job found 0, better than the 10 known before, so 20 is 20/30 of the way to the median.
    assert found == {"x": {"a": {0: 0.5}, "b": {0: pytest.approx(2 / 3)}}, "y": {"a": {0: 1.0}}}


def test_an_interval_holds_luck_apart_from_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = room(monkeypatch, "tables")
    rng = np.random.default_rng(0)
    better = [rng.normal(-0.1, 0.05, 8) for _ in range(6)]
    luck = [rng.normal(0.0, 0.2, 8) for _ in range(6)]
    assert tables.interval(better, over_tasks=True)[1] < 0
    low, high = tables.interval(luck, over_tasks=False)
    assert low < 0 < high
    # One task in which all is different says little about other tasks, whatever the seeds say.
    lone = [np.full(8, -1.0), *(np.full(8, 0.01) for _ in range(5))]
    assert tables.interval(lone, over_tasks=False)[1] < 0 < tables.interval(lone, over_tasks=True)[1]


def test_the_adapter_takes_results_that_it_did_not_propose_and_starts_from_what_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blank: dict[str, object] = {"lo": 0.0, "hi": 1.0, "log": False, "choices": (), "cond": None}
    given: list[dict[str, object]] = [
        {"name": "eta", "kind": "float", "lo": 0.01, "hi": 0.5, "log": True},
        {"name": "max_depth", "kind": "int", "lo": 2, "hi": 10},
        {"name": "booster", "kind": "cat", "choices": ("gbtree", None, True)},
        {"name": "gamma", "kind": "float", "cond": ("booster", ("gbtree",))},
    ]
    theirs = types.SimpleNamespace(params=[types.SimpleNamespace(**{**blank, **one}) for one in given])
    engine = room(monkeypatch, "engine").known(theirs, 0)
    number, configuration = engine.ask()
    engine.tell(number, configuration, 0.5)
    assert (engine.sources, len(engine.history)) == (["known start"], 1)
    for booster in (None, True):
        engine.tell("elsewhere-7", {"eta": 0.1, "max_depth": 4, "booster": booster}, 0.25)
    # A number of ours beside another configuration is somebody else's result too.
    engine.tell(number, {"eta": 0.2, "max_depth": 4, "booster": True}, None)
    assert [row.loss for row in engine.history] == [0.5, 0.25, 0.25, None]
    assert engine.sources[1:] == ["told"] * 3
    again, _ = engine.ask()
    assert again == 4
