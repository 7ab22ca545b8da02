from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.errors import JournalError
from amt_flows.events import (
    Attached,
    Concluding,
    Converged,
    Ended,
    Event,
    Finished,
    Inherited,
    InheritedJob,
    Judged,
    Judgement,
    Launched,
    Launching,
    Observed,
    Opened,
    Outcome,
    Proposed,
    Reason,
    StopAsked,
    TuningStatus,
    event_from_json,
    event_to_json,
)

names = st.text(max_size=20)
times = st.floats(min_value=0, max_value=4e9, allow_nan=False)
values = st.floats(allow_nan=True, allow_infinity=True)
epochs = st.integers(1, 1000)
reasons = st.builds(Reason, names, names, st.dictionaries(names, values, max_size=3))
judgements = st.builds(
    Judgement, names, epochs, values, st.none() | values, st.integers(0, 99), st.booleans(), names
)
points = st.lists(st.tuples(epochs, values), max_size=5).map(tuple)
metrics = st.dictionaries(names, values, max_size=3)
configurations = st.dictionaries(
    names, st.one_of(names, st.integers(), st.floats(allow_nan=False, allow_infinity=False)), max_size=4
)
inherited_jobs = st.builds(
    InheritedJob,
    names,
    configurations,
    values,
    st.sampled_from(Outcome),
    st.none() | times,
    st.none() | times,
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Opened, times, names, names, st.just({"objective": {"metric_name": "x"}}), names),
    st.builds(
        Opened,
        times,
        names,
        names,
        st.just({"objective": {"metric_name": "x"}}),
        names,
        names,
        st.just({"autotune": True}),
        st.lists(names, max_size=3).map(tuple),
    ),
    st.builds(
        Inherited,
        times,
        names,
        names,
        st.booleans(),
        st.lists(inherited_jobs, max_size=3).map(tuple),
        st.integers(0, 9),
    ),
    st.builds(Attached, times, names),
    st.builds(Proposed, times, epochs, configurations, names, names),
    st.builds(Launching, times, epochs, epochs),
    st.builds(Launched, times, names, epochs, epochs),
    st.builds(Observed, times, st.dictionaries(names, points, max_size=3)),
    st.builds(Judged, times, st.lists(judgements, max_size=3).map(tuple)),
    st.builds(StopAsked, times, st.lists(names, max_size=3).map(tuple), st.booleans(), names),
    st.builds(
        Ended,
        times,
        names,
        st.sampled_from(Outcome),
        st.none() | times,
        times,
        metrics,
        st.none() | names,
        st.none() | names,
        st.none() | names,
    ),
    st.builds(Converged, times, reasons),
    st.builds(Concluding, times, st.sampled_from(TuningStatus), st.lists(reasons, max_size=3).map(tuple)),
    st.builds(Finished, times, st.sampled_from(TuningStatus)),
)


@given(events)
def test_every_event_survives_strict_json(event: Event) -> None:
    text = json.dumps(event_to_json(event), allow_nan=False)
    back = event_from_json(json.loads(text))
    # NaN is not equal to itself, so the comparison is of what is written.
    assert type(back) is type(event)
    assert json.dumps(event_to_json(back)) == text


def test_special_numbers_come_back_as_numbers() -> None:
    event = Observed(1.0, {"j": ((1, math.nan), (2, math.inf), (3, -math.inf))})
    back = event_from_json(json.loads(json.dumps(event_to_json(event), allow_nan=False)))
    assert isinstance(back, Observed)
    (_, nan), (_, plus), (_, minus) = back.points["j"]
    assert math.isnan(nan)
    assert (plus, minus) == (math.inf, -math.inf)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"v": 1},
        {"v": 1, "kind": "nonsense", "at": 1.0},
        {"v": 1, "kind": "attached", "at": "yesterday", "controller": "x"},
        {"v": 1, "kind": "attached", "at": True, "controller": "x"},
        {"v": 1, "kind": "observed", "at": 1.0, "points": {"j": [[1, "many"]]}},
        {"v": 1, "kind": "ended", "at": 1.0, "job": "j"},
        {"v": 1, "kind": "finished", "at": 1.0, "status": "Exploded"},
        {"v": 1, "kind": ["attached"], "at": 1.0},
    ],
)
def test_what_is_no_event_is_a_journal_error(data: dict[str, object]) -> None:
    with pytest.raises(JournalError):
        event_from_json(data)


def test_a_newer_version_is_named() -> None:
    with pytest.raises(JournalError, match="version 99"):
        event_from_json({"v": 99, "kind": "attached", "at": 1.0, "controller": "x"})


@given(
    st.recursive(
        st.none() | st.booleans() | values | names, lambda s: st.lists(s) | st.dictionaries(names, s)
    )
)
def test_reading_never_raises_anything_else(data: object) -> None:
    with contextlib.suppress(JournalError):
        event_from_json(data)  # type: ignore[arg-type]
