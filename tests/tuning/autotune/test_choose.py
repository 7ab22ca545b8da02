"""What a spec leaves to us is chosen by the written rule; what it says stays; what was chosen is on
record."""

from __future__ import annotations

from typing import Any

import pytest

from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.errors import NameTaken, SpecError
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.results import describe, result_of, spec_of
from amt_flows.rules.convergence import LEAST
from amt_flows.spec import EarlyStoppingType, TuningSpec
from amt_flows.spec.amt_request import from_amt_request, to_amt_request
from amt_flows.spec.dotted import MISSING
from amt_flows.tuning.autotune import chosen
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.notices import notices
from spec.bodies import autotuned
from spec.samples import changed, good
from worlds import rising, run

LEFT = {"limits": MISSING, "autotune": True}


def auto(**changes: Any) -> TuningSpec:
    return TuningSpec(**changed(good(), {**LEFT, **changes}))


def test_a_spec_that_leaves_nothing_to_us_is_returned_as_it_is() -> None:
    spec = TuningSpec(**good())
    assert chosen(spec).spec is spec
    assert chosen(spec).why == ()


def test_everything_that_was_left_open_is_chosen_and_said() -> None:
    answer = chosen(auto(**{"continuous[1]": {"name": "momentum", "min_value": 0, "max_value": 1}}))
    assert answer.spec.limits.max_number_of_training_jobs == 60
    assert answer.spec.completion.complete_on_convergence
    assert answer.spec.early_stopping.type is EarlyStoppingType.AUTO
    assert not answer.spec.autotune
    assert [line.split(" ")[0] for line in answer.why] == [
        "limits.max_number_of_training_jobs",
        "completion.complete_on_convergence",
        "early_stopping.type",
    ]


def test_convergence_is_not_chosen_where_it_could_not_act() -> None:
    answer = chosen(auto())
    assert answer.spec.limits.max_number_of_training_jobs == LEAST
    assert not answer.spec.completion.complete_on_convergence
    assert not [notice for notice in notices(answer.spec, "local") if "convergence" in notice]


@pytest.mark.parametrize(("dimension", "jobs"), [(1, 30), (3, 50), (10, 120), (30, 200)])
def test_the_number_of_jobs_grows_with_the_number_of_hyperparameters(dimension: int, jobs: int) -> None:
    ranges = [{"name": f"x{k}", "min_value": 0, "max_value": 1} for k in range(dimension)]
    spec = auto(continuous=ranges, integer=MISSING, categorical=MISSING)
    assert chosen(spec).spec.limits.max_number_of_training_jobs == jobs


SAID: list[tuple[dict[str, Any], str, Any]] = [
    ({"limits": {"max_number_of_training_jobs": 7}}, "limits.max_number_of_training_jobs", 7),
    ({"early_stopping": {"type": "Off"}}, "early_stopping.type", "Off"),
    ({"early_stopping": {"type": "Auto", "min_jobs": 1}}, "early_stopping.min_jobs", 1),
    ({"completion": {"complete_on_convergence": False}}, "completion.complete_on_convergence", False),
    ({"strategy": "Random"}, "strategy", "Random"),
    ({"limits": {"max_parallel_training_jobs": 4}}, "limits.max_parallel_training_jobs", 4),
]


def value_at(spec: TuningSpec, path: str) -> Any:
    node: Any = spec
    for step in path.split("."):
        node = getattr(node, step)
    return node


@pytest.mark.parametrize(("changes", "path", "value"), SAID, ids=[path for _, path, _ in SAID])
@pytest.mark.parametrize("written", [False, True], ids=["in Python", "through JSON"])
def test_what_is_said_stays_a_default_too(changes: Any, path: str, value: Any, written: bool) -> None:
    spec = auto(**changes)
    if written:
        spec = TuningSpec.parse(spec.to_json()).named("other")
    assert value_at(chosen(spec).spec, path) == value


def test_what_is_said_is_a_part_of_the_identity() -> None:
    assert auto(early_stopping={"type": "Off"}).fingerprint() != auto().fingerprint()
    assert auto().fingerprint() == TuningSpec.parse(auto().to_json()).fingerprint()


def test_jobs_are_not_stopped_early_where_they_cant_be() -> None:
    hyperband = auto(strategy="Hyperband", hyperband={"max_resource": 9})
    assert chosen(hyperband).spec.early_stopping.type is EarlyStoppingType.OFF
    image = {"AlgorithmSpecification": {"TrainingImage": "1.dkr.ecr.eu.amazonaws.com/kmeans:1"}}
    assert chosen(auto(training_job={"sagemaker": image})).spec.early_stopping.type is EarlyStoppingType.OFF


def test_a_grid_is_its_own_limit() -> None:
    grid = auto(strategy="Grid", continuous=MISSING)
    answer = chosen(grid).spec
    assert answer.limits.max_number_of_training_jobs is None
    assert not answer.completion.complete_on_convergence


def test_hints_become_ranges_beside_the_given_ones() -> None:
    hints = [{"name": "dropout", "value_hint": 0.2}, {"name": "shuffle", "value_hint": "true"}]
    spec = TuningSpec(**changed(good(), {"auto_parameters": hints}))
    answer = chosen(spec)
    assert answer.spec.space().names == ("lr", "dropout", "layers", "optimizer", "shuffle")
    assert answer.why[0] == "dropout: 0 to 0.6, from the hint 0.2 (as a share that is dropped)"
    assert answer.spec.limits == spec.limits
    assert chosen(answer.spec).spec is answer.spec


def test_every_hint_without_a_range_is_a_problem_of_its_own() -> None:
    hints = [
        {"name": "booster", "value_hint": "gbtree"},
        {"name": "dropout", "value_hint": 0.2},
        {"name": "momentum", "value_hint": 7},
    ]
    with pytest.raises(SpecError) as caught:
        chosen(TuningSpec(**changed(good(), {"auto_parameters": hints})))
    assert [problem.field for problem in caught.value.problems] == [
        "auto_parameters[0].value_hint",
        "auto_parameters[2].value_hint",
    ]


def test_more_hyperparameters_than_can_be_tuned_are_refused() -> None:
    hints = [{"name": f"x{k}", "value_hint": 1} for k in range(28)]
    with pytest.raises(SpecError, match="31 hyperparameters to tune"):
        chosen(TuningSpec(**changed(good(), {"auto_parameters": hints})))


def test_a_first_configuration_outside_a_chosen_range_is_refused_with_that_range() -> None:
    spec = auto(
        auto_parameters=[{"name": "dropout", "value_hint": 0.2}],
        first_configurations=[{"lr": 0.01, "layers": 2, "optimizer": "adam", "dropout": 0.9}],
    )
    with pytest.raises(SpecError, match=r"0 to 0\.6"):
        chosen(spec)


def test_amts_request_is_written_back_word_for_word() -> None:
    spec = from_amt_request(autotuned())
    assert to_amt_request(spec) == autotuned()
    (eta,) = chosen(spec).spec.continuous
    assert (eta.name, eta.min_value, eta.max_value) == ("eta", 0.003, 1.0)


# --- in a tuning job -------------------------------------------------------------------------------------


def asked() -> TuningSpec:
    return TuningSpec(
        name="auto",
        objective={"metric_name": "accuracy"},
        auto_parameters=[{"name": "learning_rate", "value_hint": 0.1}],
        autotune=True,
        strategy="Random",
        limits={"max_parallel_training_jobs": 5},
        training_job={"command": "train"},
    )


def test_a_tuning_job_runs_with_what_was_chosen_and_keeps_what_was_asked() -> None:
    ledger, backend = run(asked())
    assert len(backend.launches) == 30
    assert ledger.asked == asked()
    assert ledger.fingerprint == asked().fingerprint()
    assert ledger.spec.continuous[0].max_value == 1.0
    assert ledger.chosen == chosen(asked()).why
    assert describe(ledger, 0.0)["Autotune"] == {"Mode": "Enabled"}
    result = result_of(ledger, "memory:")
    assert spec_of(result) == ledger.spec
    assert result.columns()[0] == "learning_rate"


@pytest.mark.parametrize("which", ["asked", "chosen"])
def test_it_is_taken_up_with_either_spec_and_with_no_other(which: str) -> None:
    journal = MemoryJournal()
    backend = SimulatedBackend(VirtualClock(), rising)
    Tuning.open(asked(), backend, journal, clock=backend.clock).propose(2)
    spec = asked() if which == "asked" else Ledger.replay(journal.read()).spec
    again = Tuning.open(spec, backend, journal, clock=backend.clock)
    assert len(again.ledger.trials) == 2
    assert again.ledger.spec.continuous[0].max_value == 1.0
    other = TuningSpec(**{**asked().to_json(), "seed": 1})
    with pytest.raises(NameTaken) as caught:
        Tuning.open(other, backend, journal, clock=backend.clock)
    assert str(caught.value).count("->") == 1, "only what differs from what was asked"
