"""What a new tuning job starts from: within its space, a third of its jobs at most, and in its record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.events import Inherited, InheritedJob, Opened, Outcome
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.plan.dry_run import plan
from amt_flows.space.space import configuration_key
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.starts import starting, starts_of
from amt_flows.tuning.starts.known_set import KnownSet, known_set
from worlds import spec

BOOSTED: dict[str, Any] = {
    "continuous": [
        {"name": "eta", "min_value": 0.01, "max_value": 0.5},
        {"name": "subsample", "min_value": 0.5, "max_value": 1.0, "step": 0.1},
    ],
    "integer": [
        {"name": "max_depth", "min_value": 2, "max_value": 10},
        {"name": "num_round", "min_value": 10, "max_value": 300},
    ],
}


def boosted(jobs: int | None = 20, **changes: Any) -> TuningSpec:
    limits = {
        "max_parallel_training_jobs": 4,
        "max_number_of_training_jobs": jobs,
        "max_runtime_seconds": 900,
    }
    return spec(**{**BOOSTED, "strategy": "Bayesian", "limits": limits, "seed": 7, **changes})


def opened(asked: TuningSpec, journal: MemoryJournal | None = None) -> Tuning:
    backend = SimulatedBackend(VirtualClock(), lambda hyperparameters: Script(hangs=True))
    return Tuning.open(asked, backend, journal or MemoryJournal(), clock=backend.clock)


def sources(asked: TuningSpec, count: int = 20) -> list[str]:
    return [trial.source for trial in opened(asked).propose(count)]


BOOSTERS = ["gbtree", "gblinear", "dart", "other"]
numbers = st.floats(0.001, 0.999)


@given(
    ends=st.tuples(numbers, numbers, numbers, numbers),
    depths=st.lists(st.integers(1, 30), min_size=2, max_size=5, unique=True),
    rounds=st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    boosters=st.lists(st.sampled_from(BOOSTERS), min_size=1, max_size=4, unique=True),
    bound=st.floats(0.01, 5000),
)
def test_starts_lie_in_the_space_whatever_its_ranges_conditions_and_constraints(
    ends: tuple[float, ...], depths: list[int], rounds: tuple[int, int], boosters: list[str], bound: float
) -> None:
    only = [one for one in boosters if one != "gblinear"]
    is_conditional = bool(only) and len(only) < len(boosters)
    tree = {"only_when": {"name": "booster", "values": only}} if is_conditional else {}
    eta, share = sorted(ends[:2]), sorted(ends[2:])
    asked = boosted(
        continuous=[
            {"name": "learning_rate", "min_value": eta[0], "max_value": eta[1] + 1e-6},
            {"name": "colsample_bytree", "min_value": share[0], "max_value": share[1] + 1e-6, **tree},
        ],
        integer=[{"name": "n_estimators", "min_value": min(rounds), "max_value": max(rounds) + 1}],
        categorical=[
            {"name": "max_depth", "values": depths, **tree},
            {"name": "booster", "values": boosters},
        ],
    )
    # As a spec of which few configurations meet the constraint, which would be refused.
    narrow = asked.model_copy(update={"constraints": (f"learning_rate * n_estimators <= {bound:.6f}",)})
    space = narrow.space()
    found = [one.configuration for one in starts_of(narrow, narrow).configurations]
    assert all(space.contains(one) for one in found)
    assert len({configuration_key(one) for one in found}) == len(found) <= 6


@pytest.mark.parametrize(("jobs", "most"), [(1, 0), (2, 0), (3, 1), (10, 3), (20, 6), (100, 8), (None, 8)])
def test_they_are_a_third_of_the_jobs_at_most(jobs: int | None, most: int) -> None:
    found = sources(boosted(jobs), 30 if jobs is None else jobs)
    known = found.count("known start")
    assert found[: min(known, 3)] == ["known start"] * min(known, 3)
    assert min(most, 6) <= known <= most, "two of the eight are of a booster that isn't tuned here"


def test_what_the_user_gives_comes_first_and_counts() -> None:
    own = [{"eta": x, "subsample": 0.5, "max_depth": 3, "num_round": 50} for x in (0.1, 0.2, 0.3, 0.4)]
    assert sources(boosted(first_configurations=own))[:7] == [
        *["given"] * 4,
        *["known start"] * 2,
        "bayesian/initial",
    ]
    assert "known start" not in sources(boosted(12, first_configurations=own))


@pytest.mark.parametrize(
    "changes",
    [
        {"known_starts": False},
        {"strategy": "Random"},
        {"strategy": "Hyperband", "hyperband": {"max_resource": 9}},
        {"strategy": "Hyperband", "hyperband": {"max_resource": 9, "proposals": "model"}},
    ],
)
def test_they_are_off_by_one_setting_and_for_every_other_strategy(changes: dict[str, Any]) -> None:
    assert starts_of(boosted(**changes), boosted(**changes)).configurations == ()


def test_a_space_that_isnt_recognised_proposes_what_it_did() -> None:
    ranges = [{"name": name, "min_value": 0.0, "max_value": 1.0} for name in ("wing", "chord", "subsample")]

    def proposed(known_starts: bool) -> list[dict[str, Any]]:
        asked = boosted(continuous=ranges, integer=[], known_starts=known_starts)
        return [dict(trial.configuration) for trial in opened(asked).propose(8)]

    assert proposed(True) == proposed(False)


def test_the_record_keeps_them_and_a_later_release_with_another_set_goes_on_with_these(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal = MemoryJournal()
    first = opened(boosted(), journal)
    head = [trial.configuration for trial in first.propose(2)]
    record = journal.read()[0][0]
    assert isinstance(record, Opened)
    assert len(record.starts) == 6
    assert f"set {known_set().version}" in record.starts[0].reason
    newer = KnownSet("99", tuple(replace(one, configurations=()) for one in known_set().algorithms))
    monkeypatch.setattr(starting, "known_set", lambda: newer)
    assert sources(boosted())[0] == "bayesian/initial", "the newer set knows nothing of it"
    again = opened(boosted(), journal)
    tail = [trial.configuration for trial in again.propose(6) if trial.source == "known start"]
    assert [*head, *tail] == [one.configuration for one in record.starts]


def test_plan_says_what_it_starts_from_and_shows_the_same_configurations() -> None:
    asked = boosted()
    backend = SimulatedBackend(VirtualClock(), lambda hyperparameters: Script(hangs=True))
    planned = plan(asked, backend, first_jobs=6)
    told = f"told by the names of its hyperparameters; set {known_set().version}"
    assert planned.starts == (f"6 configurations known for XGBoost ({told})",)
    tried = [trial.configuration for trial in opened(asked).propose(6)]
    assert [one.configuration for one in planned.proposals] == tried
    begun = opened(boosted(known_starts=False)).ledger
    assert plan(asked, backend, existing=begun).starts == (), "what has begun is told as its record has it"
    without_limit = plan(boosted(None), backend, first_jobs=3)
    assert [one.source for one in without_limit.proposals] == ["known start"] * 3


# -- parents ----------------------------------------------------------------------------------------------


def of_parents(asked: TuningSpec, count: int, identical: bool) -> tuple[Inherited, ...]:
    tried = starts_of(asked, asked).configurations
    jobs = [InheritedJob(f"j{k}", tried[k % 2].configuration, 0.5, Outcome.COMPLETED) for k in range(count)]
    return (Inherited(0.0, "old", "amt-flows", identical, tuple(jobs)),)


def test_what_parents_know_counts_and_what_they_tried_is_not_tried_again() -> None:
    asked = boosted()
    cold = [one.configuration for one in starts_of(asked, asked).configurations]
    warm = starts_of(asked, asked, of_parents(asked, 2, identical=False)).configurations
    assert [one.configuration for one in warm] == cold[2:5], "three of the six are the parents' own best"
    few = starts_of(asked, asked, of_parents(asked, 2, identical=True)).configurations
    assert [one.configuration for one in few] == cold[2:6]
    assert starts_of(asked, asked, of_parents(asked, 30, identical=True)).configurations == ()


def test_each_of_several_algorithms_has_its_own() -> None:
    forest = {
        "definition_name": "forest",
        "objective": {"metric_name": "accuracy"},
        "continuous": [{"name": "max_features", "min_value": 0.1, "max_value": 1.0}],
        "integer": [{"name": "trees", "min_value": 10, "max_value": 200}],
        "training_job": {"command": ["train"]},
    }
    asked = boosted(24, definition_name="boosted", other_definitions=[forest])
    trials = opened(asked).propose(24)
    first = {name: [t for t in trials if t.definition == name][:3] for name in ("boosted", "forest")}
    assert all(t.source == "known start" for own in first.values() for t in own)
    assert sum(t.source == "known start" for t in trials) == 8


# -- first guesses ----------------------------------------------------------------------------------------

SCRIPT = """
import argparse
RATE = 0.03
parser = argparse.ArgumentParser()
parser.add_argument("--lift-rate", type=float, default=RATE)
parser.add_argument("--wings", type=int, default={wings})
parser.add_argument("--kind", choices=["a", "b"], default={kind!r})
parser.add_argument("--flaps", action="store_true")
"""


def plane(folder: Path, wings: int = 2, kind: str = "b", **changes: Any) -> TuningSpec:
    (folder / "fly.py").write_text(SCRIPT.format(wings=wings, kind=kind))
    job = {"command": ["python", "fly.py"], "working_directory": str(folder), "flags": ["flaps"]}
    ranges = {
        "continuous": [{"name": "lift_rate", "min_value": 0.001, "max_value": 1.0}],
        "integer": [{"name": "wings", "min_value": 1, "max_value": 6}],
        "categorical": [
            {"name": "kind", "values": ["a", "b"]},
            {"name": "flaps", "values": ["false", "true"]},
        ],
    }
    return boosted(**{**ranges, "training_job": job, **changes})


def test_the_defaults_of_a_script_are_tried_first(tmp_path: Path) -> None:
    asked = plane(tmp_path)
    (first,) = opened(asked).propose(1)
    assert (first.source, first.reason) == ("first guess", "the defaults of fly.py")
    assert first.configuration == {"lift_rate": 0.03, "wings": 2, "kind": "b", "flaps": "false"}
    # A default beyond the range becomes its end; the user's own configuration stands for all.
    (first,) = opened(plane(tmp_path, wings=9)).propose(1)
    assert first.configuration["wings"] == 6
    own = {"lift_rate": 0.5, "wings": 1, "kind": "a", "flaps": "true"}
    assert sources(plane(tmp_path, first_configurations=[own]), 2) == ["given", "bayesian/initial"]


def test_the_defaults_of_a_function_are_tried_first(tmp_path: Path) -> None:
    source = (
        "class Plane:\n    def fly(self, lift_rate: float = RATE, wings=2, *, kind='b', flaps=False): ...\n"
    )
    for path, found in (("Plane.fly", "first guess"), ("Plane.land", "bayesian/initial")):
        asked = plane(tmp_path, training_job={"function": f"fly:{path}", "working_directory": str(tmp_path)})
        (tmp_path / "fly.py").write_text(f"RATE = 0.03\n{source}")
        (first,) = opened(asked).propose(1)
        assert first.source == found
        if path == "Plane.fly":
            assert first.configuration == {"lift_rate": 0.03, "wings": 2, "kind": "b", "flaps": "false"}


def test_defaults_that_are_of_another_space_are_none(tmp_path: Path) -> None:
    assert sources(plane(tmp_path, kind="c"), 1) == ["bayesian/initial"], "a word that is no choice"
    more = [{"name": "tail", "min_value": 0.0, "max_value": 1.0}]
    assert sources(plane(tmp_path, continuous=more), 1) == ["bayesian/initial"], "one has no default"
    shifted: dict[str, Any] = {
        "continuous": [{"name": "lift_rate", "min_value": 0.5, "max_value": 1.0}],
        "integer": [{"name": "wings", "min_value": 4, "max_value": 6}],
    }
    assert sources(plane(tmp_path, **shifted), 1) == ["bayesian/initial"], "half of them lie outside"


def test_value_hints_are_tried_first() -> None:
    hints = [{"name": "wing", "value_hint": "0.3"}, {"name": "spars", "value_hint": "8"}]
    asked = boosted(continuous=[], integer=[], auto_parameters=hints)
    (first, second) = opened(asked).propose(2)
    assert (first.source, first.configuration) == ("first guess", {"wing": 0.3, "spars": 8})
    assert second.source == "bayesian/initial"


def test_a_record_of_before_has_none_and_goes_on_without() -> None:
    asked = boosted()
    ledger = Ledger()
    ledger.apply(Opened(0.0, "demo", asked.fingerprint(), asked.to_json(), "test"))
    assert ledger.starts == ()
