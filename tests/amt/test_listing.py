"""AMT's list of training jobs is read as far as it must be, and now and then to its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from amt_flows.amt.api import TuningApi
from amt_flows.amt.listing import FULL_EVERY, AmtListing, has_ended, is_judged, secondary_status


class Pages(TuningApi):
    """A list of so many jobs, a hundred a page, the newest first; counts the pages that were wanted."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.read = 0

    def entry(self, number: int) -> Mapping[str, Any]:
        at = datetime.fromtimestamp(0, tz=timezone.utc) + timedelta(seconds=number)
        return {"TrainingJobName": f"t-{number:03d}", "CreationTime": at, "TrainingJobStatus": "InProgress"}

    def pages_of_training_jobs(self, name: str) -> Iterator[list[Mapping[str, Any]]]:
        numbers = list(range(self.count, 0, -1))
        for start in range(0, len(numbers), 100):
            self.read += 1
            yield [self.entry(number) for number in numbers[start : start + 100]]


def names(*numbers: int) -> set[str]:
    return {f"t-{number:03d}" for number in numbers}


def test_once_everything_is_known_the_first_page_is_enough() -> None:
    api = Pages(350)
    listing = AmtListing(api, "t")
    assert len(listing.look((), ())) == 350
    assert listing.next_is_full
    known = names(*range(1, 351))
    api.count, api.read = 352, 0
    found = listing.look(names(340, 345), known)
    assert (api.read, len(found), listing.next_is_full) == (1, 100, False)
    assert {entry["TrainingJobName"] for entry in found} - known == names(351, 352)


def test_pages_are_read_until_every_running_job_was_seen() -> None:
    api = Pages(350)
    listing = AmtListing(api, "t")
    listing.look((), ())
    api.read = 0
    listing.look(names(120, 349), names(*range(1, 351)))
    assert api.read == 3


def test_and_until_something_known_was_seen() -> None:
    api = Pages(100)
    listing = AmtListing(api, "t")
    listing.look((), ())
    api.count, api.read = 350, 0
    assert len(listing.look((), names(*range(1, 101)))) == 300
    assert api.read == 3


def test_everything_is_listed_now_and_then_and_on_request() -> None:
    api = Pages(350)
    listing = AmtListing(api, "t")
    known = names(*range(1, 351))
    pages = []
    for _ in range(2 * FULL_EVERY + 3):
        api.read = 0
        listing.look((), known)
        pages.append(api.read)
    assert [i for i, count in enumerate(pages) if count == 4] == [0, FULL_EVERY + 1, 2 * FULL_EVERY + 2]
    listing.request_full()
    api.read = 0
    listing.look((), known)
    assert api.read == 4


@pytest.mark.parametrize(
    ("entry", "secondary"),
    [
        ({"TrainingJobStatus": "InProgress"}, "Starting"),
        ({"TrainingJobStatus": "InProgress", "TrainingStartTime": 1}, "Training"),
        ({"TrainingJobStatus": "Completed", "TrainingStartTime": 1}, None),
    ],
)
def test_the_list_tells_whether_a_job_has_instances(entry: Mapping[str, Any], secondary: str | None) -> None:
    assert secondary_status(entry) == secondary


@pytest.mark.parametrize(
    ("status", "objective", "final", "judged"),
    [
        ("InProgress", "Pending", False, False),
        ("Completed", "Pending", False, False),
        ("Completed", "Pending", True, True),
        ("Completed", "Succeeded", True, True),
        ("Completed", "Failed", False, True),
        ("Failed", "Failed", False, True),
        ("Stopped", None, False, True),
    ],
)
def test_a_job_is_judged_when_amt_has_its_objective_or_knows_of_none(
    status: str, objective: str | None, final: bool, judged: bool
) -> None:
    entry: dict[str, Any] = {"TrainingJobStatus": status}
    if objective is not None:
        entry["ObjectiveStatus"] = objective
    if final:
        entry["FinalHyperParameterTuningJobObjectiveMetric"] = {"MetricName": "a", "Value": 1.0}
    assert is_judged(entry) is judged
    assert has_ended(entry) is (status != "InProgress")
