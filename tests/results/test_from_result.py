"""The way back from a result to a ledger loses nothing that the result knows."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amt_flows.backends.simulated import Script
from amt_flows.errors import JournalError
from amt_flows.events import (
    Concluding,
    Ended,
    Event,
    Finished,
    Launched,
    Observed,
    Opened,
    Outcome,
    Proposed,
    Reason,
    StopAsked,
    TuningStatus,
)
from amt_flows.ledger.ledger import Ledger
from amt_flows.results import TuningResult, result_of
from amt_flows.results.from_result import ledger_of
from amt_flows.results.ranking import ranked
from amt_flows.show.notebook_result import result_html
from amt_flows.show.pictures.progress import progress_picture
from amt_flows.show.pictures.slices import slices_picture
from amt_flows.spec import TuningSpec
from two_metrics import trading
from worlds import ended_job, opened, run, spec

LINEAR_AND_FOREST = spec(
    definition_name="linear",
    other_definitions=[
        {
            "definition_name": "forest",
            "objective": {"metric_name": "oob-accuracy"},
            "integer": [{"name": "trees", "min_value": 10, "max_value": 500}],
            "training_job": {"command": ["grow"], "price_per_hour": 2.0},
        }
    ],
    training_job={"command": ["train"], "price_per_hour": 1.0},
    best_eligible="completed_and_stopped",
)
# A training job's name says which attempt at which trial it is.
JOBS = {"demo-001-0": (1, 1), "demo-001-0-r2": (1, 2), "demo-002-0": (2, 1), "demo-003-0": (3, 1)}
NAMES = st.sampled_from(list(JOBS))
# Of our days, among which differences are exact; a few, so that some are equal.
TIMES = st.sampled_from([1.7e9, 1.7e9 + 1.5]) | st.floats(1.7e9, 1.8e9)
VALUES = st.sampled_from([0.5, -0.0, 0.0]) | st.floats(allow_nan=True)
TEXTS = st.none() | st.just("s3://some/where") | st.text(max_size=9)


def facts(metrics: list[str]) -> st.SearchStrategy[Event]:
    points = st.lists(st.tuples(st.integers(1, 5), VALUES), max_size=3).map(tuple)
    reasons = st.builds(Reason, st.just("Rule"), st.just("why"), st.dictionaries(st.just("n"), VALUES))
    return st.one_of(
        st.builds(lambda at, name: Launched(at, name, *JOBS[name]), TIMES, NAMES),
        st.builds(Observed, TIMES, st.dictionaries(NAMES, points, max_size=3)),
        st.builds(StopAsked, TIMES, st.tuples(NAMES), st.booleans(), st.text(max_size=3)),
        st.builds(
            Ended,
            at=TIMES,
            job=NAMES,
            outcome=st.sampled_from(Outcome),
            started_at=st.none() | TIMES,
            ended_at=TIMES,
            metrics=st.dictionaries(st.sampled_from(metrics), VALUES),
            artifact=TEXTS,
            log=TEXTS,
            failure=TEXTS,
        ),
        st.builds(Concluding, TIMES, st.sampled_from(TuningStatus), st.lists(reasons, max_size=2).map(tuple)),
        st.builds(Finished, TIMES, st.sampled_from(TuningStatus)),
    )


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    """Of one algorithm, of several, or of several objectives; running, ending or ended, in any order."""
    asked: TuningSpec = draw(st.sampled_from([spec(), LINEAR_AND_FOREST, trading()]))
    ledger = Ledger()
    ledger.apply(Opened(draw(TIMES), "demo", asked.fingerprint(), asked.to_json(), "test"))
    for number, of in enumerate(draw(st.permutations(["linear", "forest", "forest"])), start=1):
        definition = of if asked.other_definitions else ""
        configuration = {"trees": 10 * number} if definition == "forest" else {"learning_rate": 0.5 / number}
        ledger.apply(Proposed(1.7e9, number, configuration, draw(st.text(max_size=3)), "", definition))
    metrics = ["accuracy", "oob-accuracy", *asked.other_metrics]
    for event in draw(st.lists(facts(metrics), max_size=14)):
        ledger.apply(event)
    return ledger


@given(ledgers(), st.none() | TIMES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_a_result_that_has_been_a_ledger_again_is_the_same_result(ledger: Ledger, now: float | None) -> None:
    result = result_of(ledger, "file:///journal", now)
    read = TuningResult.model_validate_json(result.model_dump_json())
    again = result_of(ledger_of(read), "file:///journal")
    assert again.model_dump_json(indent=1) == result.model_dump_json(indent=1)


def train(given: Mapping[str, str]) -> Script:
    """The forest is the better one."""
    return Script([0.9]) if "trees" in given else Script([0.5])


def there_and_back(ledger: Ledger) -> Ledger:
    read = TuningResult.model_validate_json(result_of(ledger, "memory:").model_dump_json())
    return ledger_of(read)


def test_a_result_that_somebody_has_edited_is_refused_by_a_sentence() -> None:
    ledger = opened(spec())
    ended_job(ledger, 1, [0.5])
    data = result_of(ledger, "memory:").model_dump(mode="json")
    edited = TuningResult.model_validate({**data, "jobs": [{**data["jobs"][0], "outcome": "odd"}]})
    with pytest.raises(JournalError, match="can't be followed: 'odd'"):
        ledger_of(edited)


def test_of_equal_jobs_the_one_that_was_recorded_first_stays_the_best_though_it_ended_later() -> None:
    ledger = opened()
    # The second ended a second after the first, of which a controller that was away had yet to hear.
    for trial in (2, 3, 1):
        ended_job(ledger, trial, [0.5])
    again = there_and_back(ledger)
    assert ledger.best is not None
    assert again.best is not None
    assert again.best.name == ledger.best.name == "demo-002-00000000"
    assert [job.name for job in ranked(again)] == [job.name for job in ranked(ledger)]


def test_a_notebook_draws_the_best_algorithm_by_its_own_hyperparameters_and_metric() -> None:
    ledger, _ = run(LINEAR_AND_FOREST, train)
    assert ledger.leading_algorithm.name == "forest"
    again = there_and_back(ledger)
    for draw in (progress_picture, slices_picture):
        assert draw(again) == draw(ledger)
    drawn = str(slices_picture(again))
    assert ">trees<" in drawn
    assert "learning_rate" not in drawn
    assert "oob-accuracy" in str(progress_picture(again))
    page = result_html(result_of(ledger, "memory:"))
    assert page.count("<img") == 2
