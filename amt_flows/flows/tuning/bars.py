"""Every training job as a bar in the graph of its flow run: a task run from its start to its end.

Told in the background, a batch at a time, so that no launch waits for it; what the server did not take is
told again when it is back. What a run's graph can't hold is left out, and counted.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Final
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, LogCreate

from amt_flows.flows.api import Api, Recurrence
from amt_flows.flows.tuning.bar_states import BarState, ended, last_words, running, unfollowed
from amt_flows.flows.tuning.budget import MOST_BARS, TaskRunBudget
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import RunningTuningJob
from amt_flows.ledger.training_job import TrainingJob

logger = logging.getLogger("amt_flows")

TELL_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 10.0
"""Between two tries while the server is away."""
YOUNG_SECONDS: Final = 1.0
"""A training job that may be over at once is not told before it is: one state instead of two."""
BATCH: Final = 200
AT_THE_END: Final = 1000
"""So many states are told at once when nothing more comes."""
ALL_OF: Final = 150
"""Beyond so many training jobs only some are shown while others run, of those that are neither failed nor
the best. In the end there may be room for more."""
KEPT_FREE: Final = 200
"""Bars for failures and each new best that are still to come."""
FAILURES: Final = 150
"""So many go before all others."""
UNSURE_SECONDS: Final = 60.0
"""What a server took so long before it went away, it may not have written down."""
PARTING_SECONDS: Final = 3.0


class Bars:
    """Tells of the training jobs of one flow run, those that it took over included. It begins after ``first``
    seconds."""

    def __init__(
        self,
        api: Api,
        flow_run_id: UUID,
        budget: TaskRunBudget,
        clock: Callable[[], float] = time.monotonic,
        first: float = 0.0,
    ) -> None:
        self._api = api
        self._flow_run_id = flow_run_id
        self._budget = budget
        self._clock = clock
        self._again = Recurrence(TELL_SECONDS, clock, LONGEST_PAUSE_SECONDS, first)
        self._seen = 0
        self._failures = 0
        self._best: TrainingJob | None = None
        self._shown: set[str] = set()
        self._open: set[str] = set()
        """Told that they run, and no more."""
        self._first: deque[TrainingJob] = deque()
        """Ended, and to be told before all others: those with open bars, failures, and each new best."""
        self._rest: list[TrainingJob] = []
        """Ended, the newest last."""
        self._spare: list[TrainingJob] = []
        """Ended, and shown only if there is room for them in the end."""
        self._untold: list[BarState] = []
        """What the server did not take."""
        self._recent: deque[tuple[float, BarState]] = deque()
        self._sending: tuple[Future[None], list[BarState]] | None = None
        self._was_away = False
        budget.has_bars = True

    def tick(self, tuning: RunningTuningJob) -> None:
        """Take note of what is new, and tell some of it if it is time to. Waits for nothing."""
        self._take_note(tuning.ledger)
        if self._sending is not None:
            if not self._sending[0].done():
                return
            self._settle()
        if not self._again.due():
            return
        batch = self._untold or self._chosen(
            tuning, min(self._budget.bar_states(), BATCH), MOST_BARS - KEPT_FREE
        )
        self._untold = []
        if batch:
            self._sending = self._api.soon(partial(put, states=batch)), batch

    def conclude(self, tuning: RunningTuningJob) -> Callable[[], None]:
        """Tell the rest, the newest first, while the caller does something else. What is given back waits
        until it is told. That may take the time of a few retries: nothing is held up by it."""
        if self._sending is not None:
            wait([self._sending[0]])
            self._settle()
        self._take_note(tuning.ledger)
        spare = sorted(self._spare, key=lambda job: job.ended_at or 0.0)
        self._rest, self._spare = [*spare, *self._rest], []
        batch = [*self._untold, *self._chosen(tuning, AT_THE_END, MOST_BARS)]
        self._untold = []
        parts = [batch[first : first + BATCH] for first in range(0, len(batch), BATCH)]
        told = [self._api.meanwhile(partial(put, states=part)) for part in parts]

        def wait_until_told() -> None:
            try:
                for one in told:
                    one()
            except Exception as error:
                logger.warning("Not every training job can be shown as a task run: %r", error)

        return wait_until_told

    @contextmanager
    def left_by(self, tuning: RunningTuningJob) -> Iterator[None]:
        """Leave no bar that goes on for ever if an error ends the flow run before its training jobs."""
        try:
            yield
        except BaseException:
            self._close(tuning.ledger, tuning.now())
            raise

    def _close(self, ledger: Ledger, now: float) -> None:
        last = [
            ended(ledger, job, self._flow_run_id)
            if not job.live
            else unfollowed(ledger, job, self._flow_run_id, now)
            for job in map(ledger.jobs.__getitem__, sorted(self._open))
        ]
        if last:
            wait([self._api.soon(partial(put, states=last))], timeout=PARTING_SECONDS)

    # -- what is to be told -----------------------------------------------------------------------

    def _take_note(self, ledger: Ledger) -> None:
        for job in ledger.ended[self._seen :]:
            self._failures += job.failed
            goes_first = (job.failed and self._failures <= FAILURES) or job.name in self._open
            if goes_first or (job is ledger.best and job is not self._best):
                self._first.append(job)
            elif is_one_of_many(job.trial):
                self._rest.append(job)
            else:
                self._spare.append(job)
        self._seen = len(ledger.ended)
        self._best = ledger.best

    def _chosen(self, tuning: RunningTuningJob, most: int, bars: int) -> list[BarState]:
        """Up to ``most`` states, those that matter most first; they are told from now on. Beyond so many
        ``bars`` none that has to go after others."""
        states: list[BarState] = []
        before = len(self._shown)
        for job, goes_first in self._in_order(tuning):
            if len(states) >= most:
                self._put_back(job)
                break
            if job.name not in self._shown and len(self._shown) >= (MOST_BARS if goes_first else bars):
                if not job.live:
                    self._spare.append(job)
                continue
            self._shown.add(job.name)
            if job.live:
                self._open.add(job.name)
                states.append(running(tuning.ledger, job, self._flow_run_id))
            else:
                self._open.discard(job.name)
                states.append(ended(tuning.ledger, job, self._flow_run_id))
        self._budget.tell(states=len(states), bars=len(self._shown) - before)
        return states

    def _in_order(self, tuning: RunningTuningJob) -> Iterator[tuple[TrainingJob, bool]]:
        """Each with whether it goes before all others."""
        while self._first:
            yield self._first.popleft(), True
        old = tuning.now() - YOUNG_SECONDS
        for job in tuning.ledger.live:
            if job.name not in self._shown and job.launched_at <= old and is_one_of_many(job.trial):
                yield job, False
        while self._rest:
            yield self._rest.pop(), False

    def _put_back(self, job: TrainingJob) -> None:
        if not job.live:
            (self._first.appendleft if job.failed or job.name in self._open else self._rest.append)(job)

    # -- telling it -------------------------------------------------------------------------------

    def _settle(self) -> None:
        assert self._sending is not None
        (future, batch), self._sending = self._sending, None
        if future.exception() is not None:
            self._again.failed()
            self._was_away = True
            self._untold = batch
            return
        self._again.done()
        now = self._clock()
        if self._was_away:
            # What it had taken shortly before it went it may have lost; told again, it changes nothing.
            self._untold = [replace(state, lines=(), links="") for _, state in self._recent]
            self._was_away = False
        self._recent.extend((now, state) for state in batch)
        while self._recent and self._recent[0][0] < now - UNSURE_SECONDS:
            self._recent.popleft()


def put(client: SyncPrefectClient, states: Sequence[BarState]) -> None:
    """Tell the server. Raises what the client raises when it is away."""
    client._client.post("/events", json=[state.event for state in states]).raise_for_status()
    logs = [log for state in states for log in _logs(state)]
    if logs:
        client.create_logs(logs)
    for state in states:
        if state.links:
            client.create_artifact(_page(state))


def is_one_of_many(trial: int) -> bool:
    """Whether a training job is among those that stand for all: of the first 150 each one, then ever fewer,
    some 630 of the next 9,850."""
    if trial <= ALL_OF:
        return True
    return math.floor(ALL_OF * math.log(trial)) != math.floor(ALL_OF * math.log(trial - 1))


def _logs(state: BarState) -> Iterator[LogCreate]:
    """What the page of a training job's task run says."""
    if not state.lines:
        return
    tail = last_words(state.log)
    lines = [*state.lines, f"Its last lines:\n{tail}"] if tail else state.lines
    for place, line in enumerate(lines):
        yield LogCreate(
            name="amt_flows",
            level=logging.ERROR if state.failed and place == 0 else logging.INFO,
            message=line,
            timestamp=state.event["occurred"],
            task_run_id=state.task_run_id,
        )


def _page(state: BarState) -> ArtifactCreate:
    """Without a key it is on the task run's own page only."""
    return ArtifactCreate(
        type="markdown",
        data=state.links,
        description=f"{state.job}: log and model",
        task_run_id=state.task_run_id,
    )
