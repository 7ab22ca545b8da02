"""Without a seed each tuning job draws its own; from then on it is the tuning job's, whatever happens to its
controllers and its record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.local.backend import LocalBackend as Local
from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.errors import NameTaken
from amt_flows.events import Opened
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import Backend
from amt_flows.results import describe
from amt_flows.spec import TuningSpec
from amt_flows.spec.amt_request import to_amt_request
from amt_flows.testing.sagemaker import SimulatedSageMaker
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from amt_flows.tuning.recover import recover
from backends.sagemaker_world import backend as on_sagemaker
from backends.sagemaker_world import own_level
from backends.sagemaker_world import spec as sagemaker_spec
from worlds import drive_until, rising, run, spec

pytestmark = pytest.mark.usefixtures("fresh_seeds")


def tried(ledger: Ledger) -> list[dict[str, object]]:
    return [dict(trial.configuration) for trial in ledger.trials.values()]


def test_two_runs_of_one_spec_try_different_configurations_and_have_one_fingerprint() -> None:
    (one, _), (other, _) = run(spec()), run(spec())
    assert tried(one) != tried(other)
    assert one.fingerprint == other.fingerprint == spec().fingerprint()
    assert one.seed != other.seed


def test_the_seed_that_was_drawn_repeats_the_tuning_job_when_it_is_given() -> None:
    one, _ = run(spec())
    again, _ = run(spec(seed=one.seed))
    assert tried(again) == tried(one)


def test_two_algorithms_of_one_space_try_different_configurations() -> None:
    other = {"definition_name": "b", **spec().model_dump(include={"objective", "continuous", "training_job"})}
    ledger, _ = run(spec(definition_name="a", other_definitions=[other]))
    assert len({algorithm.seed for algorithm in ledger.algorithms}) == 2


def test_a_successor_goes_on_with_the_seed_of_the_record() -> None:
    clock, journal = VirtualClock(), MemoryJournal()
    backend = SimulatedBackend(clock, rising)
    first = Tuning.open(spec(), backend, journal, clock=clock)
    drive_until(first, lambda: len(first.ledger.ended) >= 3)
    second = Tuning.open(spec(), backend.view(), journal, clock=clock)
    drive(second)
    whole, _ = run(spec(seed=second.ledger.seed))
    assert tried(second.ledger) == tried(whole)


def test_a_record_of_the_first_versions_goes_on_as_it_began() -> None:
    """They recorded no seed, which was 0, and a spec with 0 had the fingerprint of one with none."""
    clock, journal = VirtualClock(), MemoryJournal()
    old = spec()
    journal.append(0, [Opened(clock.now(), "demo", old.fingerprint(), old.to_json(), "the old one")])
    for asked in (old, spec(seed=0)):
        tuning = Tuning.open(asked, SimulatedBackend(clock, rising), journal, clock=clock)
        assert tuning.ledger.seed == 0
    drive(tuning)
    whole, _ = run(spec(seed=0))
    assert tried(tuning.ledger) == tried(whole)


def test_another_seed_than_the_one_it_has_is_another_spec() -> None:
    clock, journal = VirtualClock(), MemoryJournal()
    tuning = Tuning.open(spec(), SimulatedBackend(clock, rising), journal, clock=clock)
    own = tuning.ledger.seed
    Tuning.open(spec(seed=own), SimulatedBackend(clock, rising), journal, clock=clock)
    with pytest.raises(NameTaken, match="seed"):
        Tuning.open(spec(seed=own + 1), SimulatedBackend(clock, rising), journal, clock=clock)


def interrupted(one: TuningSpec, backend: Backend, **options: Any) -> Tuning:
    tuning = Tuning.open(one, backend, MemoryJournal(), **options)
    drive_until(tuning, lambda: len(tuning.ledger.ended) >= 3)
    return tuning


def test_a_record_that_was_lost_is_recovered_with_the_seed_that_sagemaker_has() -> None:
    with SimulatedSageMaker(own_level) as world:
        lost = interrupted(sagemaker_spec(), on_sagemaker(world), clock=world.clock)
        journal = MemoryJournal()
        ledger = recover(sagemaker_spec(), lambda: on_sagemaker(world), journal, clock=world.clock)
        assert ledger.seed == lost.ledger.seed
        tuning = Tuning.open(sagemaker_spec(), on_sagemaker(world), journal, clock=world.clock)
        drive(tuning)
    whole, _ = run(spec(seed=ledger.seed))
    assert tried(tuning.ledger) == tried(whole)


def test_so_is_one_of_this_machine_with_that_of_the_jobs_directories(tmp_path: Path) -> None:
    script = 'echo "amt-report epoch=1; accuracy=0.5;"'
    one = spec(training_job={"command": ["sh", "-c", script, "x"]})
    lost = interrupted(one, LocalBackend(tmp_path))
    for asked in (one, one.model_copy(update={"seed": lost.ledger.seed})):
        ledger = recover(asked, lambda: Local(tmp_path), MemoryJournal())
        assert ledger.seed == lost.ledger.seed
    drive(lost)


def test_amt_and_describe_are_told_of_a_seed_only_if_one_was_given() -> None:
    for seed in (None, 0, 7):
        asked = sagemaker_spec(
            seed=seed,
            training_job={
                **sagemaker_spec().training_job.model_dump(),
                "metric_definitions": [{"name": "accuracy", "regex": "accuracy=([0-9.]+)"}],
            },
        )
        ledger = Ledger()
        ledger.apply(Opened(0.0, "demo", asked.fingerprint(), asked.to_json(), "test", seed=5))
        config = describe(ledger, 1.0)["HyperParameterTuningJobConfig"]
        told = to_amt_request(asked)["HyperParameterTuningJobConfig"]
        assert config.get("RandomSeed") == told.get("RandomSeed") == seed
