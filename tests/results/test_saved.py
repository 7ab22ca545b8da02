"""What early stopping saved: one estimate, for the figures and for the picture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.events import Outcome
from amt_flows.ledger.ledger import Ledger
from amt_flows.results import result_of, savings
from amt_flows.results.result import saved_seconds
from amt_flows.show.pictures.timeline import timeline_picture
from worlds import ended_job, opened, running_job, spec

AUTO = {"type": "Auto"}


def ledger_of(completed: list[int], stopped: list[tuple[int, float]]) -> tuple[Ledger, list[str]]:
    """Completed training jobs of so many epochs, and stopped ones of so many epochs and seconds."""
    ledger = opened(spec(early_stopping=AUTO))
    for trial, epochs in enumerate(completed, start=1):
        ended_job(ledger, trial, [0.5] * epochs, seconds=epochs)
    names = [
        ended_job(ledger, trial, [0.1] * epochs, Outcome.STOPPED_EARLY, seconds=seconds)
        for trial, (epochs, seconds) in enumerate(stopped, start=len(completed) + 1)
    ]
    return ledger, names


def test_each_job_saved_what_it_would_have_gone_on_to_the_median_at_its_own_pace() -> None:
    ledger, (slow, quick, long) = ledger_of([4, 10, 10, 20], [(2, 8.0), (5, 1.0), (12, 12.0)])
    assert saved_seconds(ledger) == {slow: 32.0, quick: 1.0, long: 0.0}


def test_of_two_lengths_in_the_middle_it_is_the_mean_in_figures_and_picture() -> None:
    ledger, _ = ledger_of([4, 10], [(8, 8.0)])
    assert result_of(ledger, "memory:").saved.seconds == 0
    assert "pattern" not in str(timeline_picture(ledger)), "nothing is hatched"
    ledger, (name,) = ledger_of([4, 10], [(6, 6.0)])
    assert saved_seconds(ledger) == {name: 1.0}
    assert result_of(ledger, "memory:").saved.seconds == 1.0
    assert "pattern" in str(timeline_picture(ledger))


def test_who_told_no_value_had_no_pace() -> None:
    ledger, (name,) = ledger_of([10], [(0, 5.0)])
    assert saved_seconds(ledger) == {name: 0.0}


def test_those_that_run_or_ended_otherwise_saved_nothing() -> None:
    ledger, _ = ledger_of([10], [])
    for trial, outcome in enumerate((Outcome.STOPPED, Outcome.TIMED_OUT, Outcome.FAILED), start=2):
        ended_job(ledger, trial, [0.5], outcome)
    running_job(ledger, 9, [0.5])
    assert saved_seconds(ledger) == {}


@given(
    st.lists(st.integers(1, 30), max_size=6),
    st.lists(st.tuples(st.integers(0, 30), st.floats(0, 100)), max_size=6),
)
def test_the_result_has_the_sum(completed: list[int], stopped: list[tuple[int, float]]) -> None:
    ledger, names = ledger_of(completed, stopped)
    by_job, saved = saved_seconds(ledger), savings(ledger)
    assert list(by_job) == names
    assert all(seconds >= 0 for seconds in by_job.values())
    assert saved.seconds == pytest.approx(sum(by_job.values()))
    assert saved.stopped_jobs == len(stopped)
    assert 0 <= saved.share < 1
