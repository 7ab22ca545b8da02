"""A lost journal is rebuilt from the training jobs, and the tuning job goes on as if nothing had been."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st

from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.errors import JournalError, SpecError, TuningJobNotFound
from amt_flows.events import Outcome, TuningStatus
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.results.amt_shapes import training_jobs
from amt_flows.testing.sagemaker import JobScript, SimulatedSageMaker
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from amt_flows.tuning.recover import SOURCE, recover
from backends.sagemaker_world import backend as sagemaker_backend
from backends.sagemaker_world import spec as sagemaker_spec
from commands import cli, write_spec
from worlds import drive_for, rising, spec


def run_for(ticks: int, world: SimulatedBackend, tuning_spec: Any) -> Ledger:
    """A tuning job up to a round in which its controller dies, or to its end."""
    journal = MemoryJournal()
    drive_for(Tuning.open(tuning_spec, world, journal, clock=world.clock), ticks)
    return Ledger.replay(journal.read())


SPECS = {
    "plain": spec(),
    "early stopping": spec(early_stopping={"type": "Auto", "min_jobs": 1, "grace_epochs": 0}),
    "every kind of parameter": spec(
        integer=[{"name": "depth", "min_value": 1, "max_value": 9}],
        categorical=[{"name": "kind", "values": ["a", "true", "10"]}],
        static_hyperparameters={"epochs": 10},
    ),
    "a range that was chosen": spec(auto_parameters=[{"name": "momentum", "value_hint": 0.9}]),
}


@settings(max_examples=40, deadline=None)
@given(ticks=st.integers(1, 120), which=st.sampled_from(sorted(SPECS)))
def test_whenever_the_journal_is_lost_the_tuning_job_goes_on(ticks: int, which: str) -> None:
    tuning_spec = SPECS[which]
    world = SimulatedBackend(VirtualClock(), rising)
    lost = run_for(ticks, world, tuning_spec)
    journal = MemoryJournal()
    before = list(world.launches)
    ledger = recover(tuning_spec, world.view, journal, clock=world.clock)
    assert world.launches == before, "recovering launches nothing"
    assert set(ledger.jobs) == set(lost.jobs)
    for name, job in lost.jobs.items():
        again = ledger.jobs[name]
        assert again.trial == job.trial
        assert ledger.trials[job.trial].configuration == lost.trials[job.trial].configuration
        assert ledger.trials[job.trial].source == SOURCE
        if job.outcome is Outcome.COMPLETED:
            assert (again.outcome, again.final_value) == (job.outcome, job.final_value)
            assert list(again.curve) == list(job.curve)
    assert ledger.opened_at == min(job.started_at for job in world.jobs.values())
    tuning = Tuning.open(tuning_spec, world.view(), journal, clock=world.clock)
    drive(tuning)
    # No more jobs than asked for, none twice, none left: the lost record's are counted.
    assert len(world.launches) == len(set(world.launches)) == 10
    assert all(job.state(world.clock.now()).terminal for job in world.jobs.values())
    assert tuning.ledger.status is TuningStatus.COMPLETED


def test_jobs_that_ended_meanwhile_end_in_their_order() -> None:
    world = SimulatedBackend(VirtualClock(), rising)
    lost = run_for(10_000, world, spec())
    ledger = recover(spec(), world.view, MemoryJournal(), clock=world.clock)
    assert [job.ended_at for job in ledger.ended] == sorted(job.ended_at or 0.0 for job in lost.ended)
    assert training_jobs(ledger)["TrainingJobSummaries"]
    assert ledger.best is not None
    assert lost.best is not None
    assert ledger.best.name == lost.best.name


def test_what_is_there_is_not_overwritten() -> None:
    world, journal = SimulatedBackend(VirtualClock(), rising), MemoryJournal()
    Tuning.open(spec(), world, journal, clock=world.clock)
    entries = journal.read()
    with pytest.raises(JournalError, match="nothing has to be recovered"):
        recover(spec(), world.view, journal, clock=world.clock)
    assert journal.read() == entries


def test_another_spec_is_refused_and_so_is_no_job_at_all() -> None:
    world, journal = SimulatedBackend(VirtualClock(), rising), MemoryJournal()
    with pytest.raises(TuningJobNotFound, match="No training job of demo"):
        recover(spec(), world.view, journal, clock=world.clock)
    run_for(3, world, spec())
    with pytest.raises(SpecError, match="not the spec of demo-001"):
        recover(spec(seed=7), world.view, journal, clock=world.clock)
    assert not journal.read()


def test_on_sagemaker_tags_tell_what_a_job_is() -> None:
    def train(hyperparameters: Any) -> JobScript:
        rate = float(hyperparameters["learning_rate"])
        return JobScript([rate * epoch for epoch in range(1, 4)], 60)

    tuning_spec = sagemaker_spec(limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 4})
    with SimulatedSageMaker(train) as world:
        first = Tuning.open(tuning_spec, sagemaker_backend(world), MemoryJournal(), clock=world.clock)
        first.propose(2)
        first.launch(2)
        world.advance(3600)
        journal = MemoryJournal()
        ledger = recover(tuning_spec, lambda: sagemaker_backend(world), journal, clock=world.clock)
        assert [job.outcome for job in ledger.jobs.values()] == [Outcome.COMPLETED] * 2
        assert [len(job.curve) for job in ledger.jobs.values()] == [3, 3]
        drive(Tuning.open(tuning_spec, sagemaker_backend(world), journal, clock=world.clock))
        assert len(world.jobs) == 4
        assert len({job.name for job in world.jobs}) == 4


def test_the_command_recovers_jobs_of_this_machine(tmp_path: Path) -> None:
    path = write_spec(tmp_path)

    def command(*words: object) -> Result:
        return cli(*words, "--home", tmp_path / "home")

    result = json.loads(command("run", path, "--quiet", "--json").stdout)
    assert command("recover", path).exit_code == JournalError.exit_code
    damaged = next((tmp_path / "home/demo/journal").glob("*2.json"))
    damaged.write_text("{")
    refused = command("recover", path)
    assert refused.exit_code == JournalError.exit_code
    assert "move it away" in refused.stderr
    shutil.rmtree(tmp_path / "home/demo/journal")
    recovered = command("recover", path)
    assert recovered.exit_code == 0, recovered.stderr
    assert "Recovered 3 training jobs" in recovered.stderr
    again = json.loads(command("run", path, "--quiet", "--json").stdout)
    for field in ("name", "objective_value", "hyperparameters", "artifact"):
        assert again["best"][field] == result["best"][field]
    assert len(list((tmp_path / "home/demo/jobs").iterdir())) == 3
