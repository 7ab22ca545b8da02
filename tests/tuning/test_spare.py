"""The next proposal is drafted while jobs run, decided with all results, and told so."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.events import Ended, Event, Launched, Launching
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from worlds import spec

JOBS = 14


def training(hyperparameters: Mapping[str, str]) -> Script:
    """Of another length each, so that jobs end one by one."""
    rate = float(hyperparameters["learning_rate"])
    return Script([1.0 - abs(rate - 0.3)] * (1 + int(1000 * rate) % 7))


def journal_of(parallel: int, strategy: str = "Bayesian") -> tuple[list[tuple[Event, ...]], list[str]]:
    """The entries of a tuning job, and the reasons of its proposals."""
    limits = {"max_parallel_training_jobs": parallel, "max_number_of_training_jobs": JOBS}
    backend, journal = SimulatedBackend(VirtualClock(), training), MemoryJournal()
    tuning = Tuning.open(spec(strategy=strategy, limits=limits), backend, journal, clock=backend.clock)
    drive(tuning)
    entries = [tuple(entry) for entry in journal.read()]
    return entries, [trial.reason for trial in tuning.ledger.trials.values()]


def test_a_slot_is_refilled_from_a_draft_that_knows_all_results() -> None:
    _, reasons = journal_of(3)
    drafted = [reason for reason in reasons if "drafted while jobs ran" in reason]
    assert len(drafted) > JOBS / 3
    assert any("kept with" in reason for reason in drafted) or any(
        "made again" in reason for reason in drafted
    )


def test_one_job_at_a_time_is_never_drafted_for() -> None:
    _, reasons = journal_of(1)
    assert not any("drafted" in reason for reason in reasons)
    assert any("Gaussian process" in reason for reason in reasons)


@pytest.mark.parametrize("strategy", ["Bayesian", "Random"])
def test_an_end_and_the_launch_that_takes_its_slot_share_an_entry_and_no_two_are_unconfirmed(
    strategy: str,
) -> None:
    entries, _ = journal_of(3, strategy)
    both = [entry for entry in entries if {Ended, Launching} <= {type(event) for event in entry}]
    assert len(both) > JOBS / 2
    unconfirmed = 0
    for entry in entries:
        for event in entry:
            unconfirmed += isinstance(event, Launching) - isinstance(event, Launched)
            assert unconfirmed in (0, 1)
    assert unconfirmed == 0
