"""``learn_from``: a tuning job starts from what earlier ones found in its space, found by itself or named,
and no more of them is read than that needs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from amt_flows.backends.places import open_journal
from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.errors import SpecError
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.record import load_ledger
from amt_flows.plan.dry_run import Plan, plan
from amt_flows.results import describe
from amt_flows.spec import TuningSpec
from amt_flows.spec.amt_request import to_amt_request
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from amt_flows.tuning.notices import opening_notices
from amt_flows.tuning.parents import parents_in
from worlds import rising, spec

NUMBERS = {"name": "learning_rate", "min_value": 0.0001, "max_value": 1.0}
LOSS = {"metric_name": "loss", "type": "Minimize"}


def asked(name: str, learn_from: object = "auto", **changes: Any) -> TuningSpec:
    return spec(**{"name": name, "strategy": "Bayesian", "learn_from": learn_from, **changes})


def opened(given: TuningSpec, home: Path, clock: VirtualClock, train: Any = rising) -> Tuning:
    journal = open_journal(str(given.name), home)
    backend = SimulatedBackend(clock, train)
    return Tuning.open(given, backend, journal, clock=clock, parents=parents_in(home))


def tuned(given: TuningSpec, home: Path, clock: VirtualClock, train: Any = rising) -> Ledger:
    tuning = opened(given, home, clock, train)
    drive(tuning)
    return tuning.ledger


def planned(given: TuningSpec, home: Path) -> Plan:
    return plan(given, SimulatedBackend(VirtualClock(), rising), parents=parents_in(home))


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two tuning jobs that searched the space of ``asked``, and some that did not."""
    home, clock = tmp_path_factory.mktemp("known"), VirtualClock()
    jobs: dict[str, dict[str, Any]] = {
        "other-metric": {"objective": {"metric_name": "recall"}},
        "other-way": {"objective": {"metric_name": "accuracy", "type": "Minimize"}},
        "other-name": {"continuous": [NUMBERS, {"name": "momentum", "min_value": 0, "max_value": 1}]},
        "other-range": {"continuous": [{**NUMBERS, "min_value": 2.0, "max_value": 3.0}]},
        "night-1": {},
        "night-2": {"strategy": "Random", "static_hyperparameters": {"epochs": "10"}},
    }
    for name, changes in jobs.items():
        tuned(spec(**{"name": name, **changes}), home, clock)
    return home


@pytest.fixture
def nights(known: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(known, tmp_path / "home"))


def test_the_best_of_earlier_ones_come_first_and_their_results_are_hints(
    nights: Path, clock: VirtualClock
) -> None:
    latest = load_ledger(open_journal("night-2", nights), "night-2")
    assert latest.best is not None
    best = latest.trials[latest.best.trial].configuration
    given = asked("night-3", first_configurations=[{"learning_rate": 0.5}])
    ledger = tuned(given, nights, clock)
    assert [(one.parent, one.identical) for one in ledger.inherited] == [
        ("night-2", False),
        ("night-1", False),
    ]
    sources = [ledger.trials[number].source for number in sorted(ledger.trials)]
    assert sources[0] == "given", "the user's own go before"
    learnt = sources.count("learnt")
    assert 1 <= learnt <= 5
    assert set(sources[1 : 1 + learnt]) == {"learnt"}
    assert dict(ledger.trials[2].configuration) == best
    assert set(sources[1 + learnt :]).isdisjoint({"learnt", "bayesian/initial"})
    assert "OverallBestTrainingJob" not in describe(ledger, 0.0)
    assert "WarmStartConfig" not in describe(ledger, 0.0)


def test_what_was_learnt_is_in_the_record_and_stays_when_the_earlier_ones_are_gone(
    nights: Path, clock: VirtualClock
) -> None:
    first = opened(asked("night-3"), nights, clock)
    first.propose(2)
    for name in ("night-1", "night-2"):
        shutil.rmtree(nights / name)
    again = opened(asked("night-3"), nights, clock)
    assert again.ledger.history() == first.ledger.history()
    assert [one.parent for one in again.ledger.inherited] == ["night-2", "night-1"]


def test_of_all_others_in_a_home_only_the_beginning_is_read(
    nights: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = list[str]()
    read = DirectoryJournal.read

    def noted(journal: DirectoryJournal, start: int = 0) -> Any:
        whole.append(journal.directory.parent.name)
        return read(journal, start)

    monkeypatch.setattr(DirectoryJournal, "read", noted)
    parents = parents_in(nights)
    assert [one.name for one in parents.earlier(asked("night-3")).parents] == ["night-2", "night-1"]  # type: ignore[attr-defined]
    assert whole == ["night-2", "night-1"]


def test_a_plan_says_what_would_be_learnt_and_when_it_is(nights: Path, clock: VirtualClock) -> None:
    (off,) = planned(asked("night-3", "off"), nights).known_before
    assert off.startswith("2 earlier tuning jobs searched this space: night-2, night-1; `--learn-from auto`")
    offered = int(off.split()[-2])
    on = planned(asked("night-3"), nights)
    assert on.inherited == (
        "10 training jobs of night-2 (amt-flows), as a hint",
        "10 training jobs of night-1 (amt-flows), as a hint",
    )
    assert [job.source for job in on.first_jobs] == ["learnt"] * min(3, offered)
    assert on.known_before == ()
    # Nothing was tuned there yet, and it isn't passed over in silence.
    alone = planned(asked("first"), nights / "elsewhere").known_before
    assert alone == ("no earlier tuning job of this home searched this space: it learns from none",)
    fresh = opened(asked("first"), nights / "elsewhere", clock)
    assert opening_notices(fresh.ledger) == ["learn_from: no earlier one fits"]


def test_what_is_not_the_same_is_told_and_what_does_not_fit_is_passed_over(
    nights: Path, clock: VirtualClock
) -> None:
    opened(spec(name="running"), nights, clock)
    tuned(spec(name="empty"), nights, clock, train=lambda given: Script([]))
    narrow = asked(
        "night-3",
        static_hyperparameters={"epochs": "20"},
        training_job={"command": "other"},
        continuous=[{**NUMBERS, "min_value": 0.2}],
    )
    made = planned(narrow, nights)
    assert ["it ran train" in line for line in made.inherited] == [True, True]
    assert [line for line in made.inherited if "night-2" in line and "epochs was 10" in line]
    told = " ".join(made.known_before)
    assert "running is passed over: it is InProgress still" in told
    assert "empty is passed over: it has no training job with a usable value" in told
    ledger = opened(narrow, nights, clock).ledger
    inside = [float(job.configuration["learning_rate"]) for one in ledger.inherited for job in one.jobs]
    assert inside
    assert min(inside) >= 0.2, "what lies outside of this one's ranges is none of its"


@pytest.mark.parametrize(
    ("learn_from", "changes", "message"),
    [
        ("night-1,nobody", {}, r"learn_from\[1\]: There is no tuning job nobody to start from"),
        (["other-metric"], {}, r"learn_from\[0\]: is to maximize recall; name another"),
        (["other-way"], {}, r"learn_from\[0\]: is to minimize accuracy"),
        (["other-name"], {}, r"has other hyperparameters \(momentum is not in both\)"),
        (["other-range"], {}, "has no training job within the ranges"),
        (["night-1", "Night-1"], {}, "is named twice"),
        ("night-3", {}, "is this tuning job itself"),
        ("auto,night-1", {}, 'write "auto" alone'),
        (["a", "b", "c", "d", "e", "f"], {}, "at most 5"),
        ("auto", {"other_objectives": [LOSS]}, "only the objective is known"),
    ],
)
def test_what_cant_be_learnt_from_is_refused_by_a_sentence(
    known: Path, clock: VirtualClock, learn_from: object, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        opened(asked("night-3", learn_from, **changes), known, clock)
    assert not (known / "night-3").exists()


def test_it_is_no_warm_start_of_amts() -> None:
    with pytest.raises(SpecError, match="learn_from: AMT's request has no place for it; name AMT's own"):
        to_amt_request(asked("night-3", training_job={}))
    assert asked("night-3", "off").fingerprint() == asked("night-3", ()).fingerprint()
    assert TuningSpec.parse(asked("night-3", "a, b").to_json()).learn_from == ("a", "b")
