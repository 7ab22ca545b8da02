"""The contract of a :class:`amt_flows.ports.Tracker`, as a test class to inherit from.

    class TestMyTracker(TrackerConformance):
        def make(self): return MyTracker()

``make`` is called more than once in a test and must then reach the same runs; each test names its own tuning
job, so that all tests may share a place.
"""

from __future__ import annotations

import math
from uuid import uuid4

import pytest

from amt_flows.errors import TrackerUnavailable, TrackingError
from amt_flows.ports import RunStatus, RunToShow, TimedValue, Tracker

AT = 1_700_000_000.25


class TrackerConformance:
    """Inherit, and define ``make``."""

    def make(self) -> Tracker:
        raise NotImplementedError

    @pytest.fixture
    def tracker(self) -> Tracker:
        return self.make()

    @pytest.fixture
    def tuning(self) -> dict[str, str]:
        return {"amt.tuning_job": f"t-{uuid4().hex[:8]}", "amt.fingerprint": "ab" * 32}

    def run(self, key: str, tuning: dict[str, str], parent: str | None = None, at: float = AT) -> RunToShow:
        tags = {**tuning, "amt.training_job": key} if key else tuning
        return RunToShow(key, key or "tuning", at, parent, tags)

    def test_is_a_tracker(self, tracker: Tracker) -> None:
        assert isinstance(tracker, Tracker)

    def test_runs_are_found_by_all_their_tags_and_by_anybody(
        self, tracker: Tracker, tuning: dict[str, str]
    ) -> None:
        assert list(tracker.find(tuning)) == []
        parent = tracker.create(self.run("", tuning))
        child = tracker.create(self.run("job-1", tuning, parent, AT + 5))
        tracker.create(self.run("", {**tuning, "amt.fingerprint": "cd" * 32}))
        found = list(self.make().find(tuning))
        assert [(one.key, one.run_id) for one in found] == [("", parent), ("job-1", child)]
        assert found[1].started_at == pytest.approx(AT + 5, abs=1e-3)
        assert found[1].tags.items() >= tuning.items()

    def test_what_was_added_is_there_and_adding_it_again_does_no_harm(
        self, tracker: Tracker, tuning: dict[str, str]
    ) -> None:
        run = tracker.create(self.run("job-1", tuning))
        values = [TimedValue("validation:accuracy", step, step / 8, AT + step) for step in (1, 2, 3)]
        for _ in range(2):
            tracker.add(run, values=values, params={"rate": "0.1"}, tags={"why": "it was"})
        assert sorted(self.make().steps(run, "validation:accuracy")) == [1, 2, 3]
        assert list(tracker.steps(run, "loss")) == []
        assert dict(tracker.params(run)) == {"rate": "0.1"}
        assert tracker.find(tuning)[0].tags["why"] == "it was"

    def test_a_tag_takes_its_latest_value_and_a_param_keeps_its_first(
        self, tracker: Tracker, tuning: dict[str, str]
    ) -> None:
        run = tracker.create(self.run("job-1", tuning))
        tracker.add(run, params={"rate": "0.1"}, tags={"why": "once"})
        tracker.add(run, tags={"why": "twice"})
        with pytest.raises(TrackingError) as refused:
            tracker.add(run, params={"rate": "0.2"})
        assert not isinstance(refused.value, TrackerUnavailable), "asking again would not help"
        assert dict(tracker.params(run)) == {"rate": "0.1"}
        assert tracker.find(tuning)[0].tags["why"] == "twice"

    def test_values_that_are_no_numbers_and_texts_of_any_length_are_taken(
        self, tracker: Tracker, tuning: dict[str, str]
    ) -> None:
        run = tracker.create(self.run("job-1", tuning))
        odd = [math.nan, math.inf, -math.inf]
        tracker.add(
            run,
            values=[TimedValue("loss (ü)", step, value, AT) for step, value in enumerate(odd, 1)],
            params={f"p{i}": "x" * 10_000 for i in range(3)},
            tags={f"t{i}": "y" * 20_000 for i in range(150)},
        )
        assert sorted(tracker.steps(run, "loss (ü)")) == [1, 2, 3]
        assert len(tracker.params(run)) == 3
        assert tracker.find(tuning)[0].tags.keys() >= {f"t{i}" for i in range(150)}

    def test_more_values_than_one_request_takes(self, tracker: Tracker, tuning: dict[str, str]) -> None:
        run = tracker.create(self.run("job-1", tuning))
        tracker.add(run, values=[TimedValue("loss", step, 1 / step, AT) for step in range(1, 1202)])
        assert sorted(tracker.steps(run, "loss")) == list(range(1, 1202))

    def test_a_run_ends_and_can_be_taken_up_again(self, tracker: Tracker, tuning: dict[str, str]) -> None:
        run = tracker.create(self.run("", tuning))
        again = (RunStatus.RUNNING, None)
        for status, ended_at in ((RunStatus.FINISHED, AT + 9), again, (RunStatus.KILLED, AT)):
            tracker.set_status(run, status, ended_at)
            assert self.status_of(run) is status
        tracker.add(run, values=[TimedValue("late", 1, 0.5, AT)])
        assert list(tracker.steps(run, "late")) == [1]

    def status_of(self, run_id: str) -> RunStatus:
        """As somebody sees it who looks at the place itself."""
        raise NotImplementedError

    def test_a_deleted_run_is_not_found(self, tracker: Tracker, tuning: dict[str, str]) -> None:
        tracker.delete(tracker.create(self.run("job-1", tuning)))
        assert list(tracker.find(tuning)) == []
