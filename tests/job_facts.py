"""Facts about three training jobs that a journal may tell, plausible ones and others."""

from __future__ import annotations

from hypothesis import strategies as st

from amt_flows.events import Ended, Event, Launched, Launching, Observed, Outcome, Resumed, StopAsked

NAMES = st.sampled_from([f"demo-{n:03d}-00000000" for n in (1, 2, 3)])
TIMES = st.floats(0, 100)
TRIALS = st.integers(1, 3)
_VALUES = st.floats(allow_nan=True)
_POINTS = st.lists(st.tuples(st.integers(1, 6), _VALUES), max_size=4).map(tuple)

FACTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Launching, TIMES, TRIALS, st.integers(1, 2)),
    st.builds(Resumed, TIMES, TRIALS, st.integers(2, 3), st.integers(1, 3), st.just("")),
    st.builds(Launched, TIMES, NAMES, TRIALS, st.integers(1, 2)),
    st.builds(Observed, TIMES, st.dictionaries(NAMES, _POINTS, max_size=2)),
    st.builds(StopAsked, TIMES, st.lists(NAMES, max_size=2).map(tuple), st.booleans(), st.just("")),
    st.builds(
        Ended,
        TIMES,
        NAMES,
        st.sampled_from(Outcome),
        st.none() | TIMES,
        TIMES,
        st.dictionaries(st.just("accuracy"), _VALUES, max_size=1),
        st.none(),
        st.none(),
        st.none(),
    ),
)
