"""The training jobs of a tuning job as AMT lists them, in as few pages as possible.

The list can't be asked for what has changed, but it comes newest first: what is new, and what runs, stands
on its first page or two, however long it has grown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from amt_flows.amt.api import TuningApi
from amt_flows.backends.sagemaker.service import Answer
from amt_flows.backends.sagemaker.states import STATUSES

FULL_EVERY: Final = 20
"""So many listings after a full one there is another: a list may show a job later than its successors."""


class AmtListing:
    """What was listed last. It takes the place of ListTrainingJobs for the poller of training jobs (see
    :class:`amt_flows.backends.sagemaker.changes.Listing`)."""

    def __init__(self, api: TuningApi, tuning_job: str) -> None:
        self._api, self._name = api, tuning_job
        self._entries: list[Answer] = []
        self._since_full = FULL_EVERY
        self.next_is_full = False
        """Whether the entries are all there are."""

    def request_full(self) -> None:
        self._since_full = FULL_EVERY

    def forget(self) -> None:
        """There is no such tuning job any more, so that its training jobs are in no list."""
        self._entries, self.next_is_full = [], True

    def look(self, live: Collection[str], known: Collection[str]) -> list[Answer]:
        """List until all that is new (not ``known``), and all that is ``live``, has been seen."""
        full = self._since_full >= FULL_EVERY
        found: list[Answer] = []
        missing = set(live)
        self.next_is_full = True
        for page in self._api.pages_of_training_jobs(self._name):
            found += page
            names = {str(entry["TrainingJobName"]) for entry in page}
            missing -= names
            if not full and not missing and any(name in known for name in names):
                self.next_is_full = False
                break
        self._since_full = 0 if self.next_is_full else self._since_full + 1
        self._entries = found
        return found

    def since_last(self, now: float, created: Iterable[float | None]) -> Iterator[Answer]:
        for entry in self._entries:
            yield {**entry, "SecondaryStatus": secondary_status(entry)}


def secondary_status(entry: Answer) -> str | None:
    """What the list leaves out and tells all the same: a job has its time of start when it has instances."""
    if entry["TrainingJobStatus"] != "InProgress":
        return None
    return "Training" if entry.get("TrainingStartTime") is not None else "Starting"


def has_ended(entry: Answer) -> bool:
    state = STATUSES.get(str(entry["TrainingJobStatus"]))
    return state is not None and state.terminal


def is_judged(entry: Answer) -> bool:
    """Whether AMT has taken the final objective of a job that has ended, or found that it has none."""
    if not has_ended(entry):
        return False
    final = entry.get("FinalHyperParameterTuningJobObjectiveMetric")
    return final is not None or entry.get("ObjectiveStatus") != "Pending"
