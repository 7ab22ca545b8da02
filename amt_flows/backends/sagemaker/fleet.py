"""The training jobs of one tuning job: one poller for all of them.

A poll has a fixed number of parts, and each a price (calls to AWS):

- what has changed: one for every hundred jobs that did;
- jobs that have ended: Describe, and their logs to the end: a few for each, once;
- the logs of jobs that train and are due another epoch: one each, at most ``log_calls_per_poll`` together,
  in turns.

A poll ends before the next one is due, however many jobs have ended at once: what is left is taken up by the
next, and half of its time is kept for the logs of those that train. Passing trouble ends it early too. So
nothing but a final refusal (permissions, mostly) reaches the engine from here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from amt_flows.backends.sagemaker.averages import Averages, read_averages
from amt_flows.backends.sagemaker.changes import Changes, Listing
from amt_flows.backends.sagemaker.clients import Clients
from amt_flows.backends.sagemaker.logs import GROUP, JobLog, LogsDenied, LogSource
from amt_flows.backends.sagemaker.pacing import Pace
from amt_flows.backends.sagemaker.service import PassingTrouble, Service
from amt_flows.backends.sagemaker.states import state_of
from amt_flows.backends.sagemaker.watched import (
    Watched,
    final_report,
    final_values,
    lost_report,
    may_have_restarted,
    ran_nothing,
    stopped_and_gone,
)
from amt_flows.ports import Clock, JobReport, JobState
from amt_flows.spec import MetricDefinition

logger = logging.getLogger("amt_flows")

FEW: Final = 5
"""Up to so many unknown jobs are described one by one; more are searched for by the hundred."""
UNLISTED_SECONDS: Final = 60.0
"""After so long, a job that no listing has shown is looked for by its name: listings lag behind launches."""
MISSING_POLLS: Final = 3
"""So many polls in a row a job is unknown before it counts as deleted: not all of the service may know it."""
FOR_ENDS: Final = 0.4
FOR_ALL: Final = 0.8
"""Of a poll's time: what is begun by then is brought to its end."""
AT_LEAST: Final = 0.2
"""Of a poll's time for either, also where the service is so slow that the listing alone takes longer."""


@dataclass(frozen=True)
class Habits:
    """How the poller goes about it."""

    log_calls_per_poll: int
    final_metric_polls: int
    approximate_curves: bool


class Fleet:
    def __init__(
        self,
        tuning_job: str,
        clients: Clients,
        service: Service,
        clock: Clock,
        pace: Pace,
        habits: Habits,
        listing: Listing | None = None,
    ) -> None:
        self._clients, self._service, self._clock, self._habits = clients, service, clock, habits
        self._prefix = f"{tuning_job}-"
        self._pace = pace
        self._logs = LogSource(clients, service)
        self._changes: Listing = listing or Changes(service, self._prefix)
        self._jobs: dict[str, Watched] = {}
        self._live: dict[str, Watched] = {}
        """Those whose end was not reported, in the order in which their logs are read next."""
        self._recalled: dict[str, Mapping[str, Any]] = {}
        self._stops_wanted: set[str] = set()
        self._logs_denied = False
        self._mock_told = False
        self._troubled = False  # the last call to AWS failed in a way that passes

    # -- what the backend says and asks -----------------------------------------------------------

    def launched(self, name: str, definitions: tuple[MetricDefinition, ...] | None) -> Watched:
        """A job of this name exists now. Its definitions are None when only Describe tells them."""
        key = name.lower()
        if key not in self._jobs:
            job = Watched(name, JobLog(name), self._clock.now(), definitions)
            self._jobs[key] = self._live[key] = job
            if len(self._live) == 1:
                self._pace.took_turn()
        return self._jobs[key]

    def recall(self, record: Mapping[str, Any]) -> None:
        """Keep what a search told of a job, for when it is polled."""
        self._recalled[str(record["TrainingJobName"]).lower()] = record

    def seconds_left(self) -> float | None:
        """Until the next poll that asks AWS; None while there is nothing to ask."""
        return self._pace.left() if self._live else None

    @property
    def approximate(self) -> bool:
        """Whether curves are CloudWatch's averages and not the values of epochs."""
        return self._logs_denied and self._habits.approximate_curves

    def poll(self, names: Sequence[str]) -> list[JobReport]:
        unknown = [name for name in names if name.lower() not in self._jobs]
        due = self._pace.left() <= 0
        if (unknown and (due or not self._troubled)) or (self._live and due):
            try:
                self._ask(unknown)
                self._troubled = False
            except PassingTrouble as trouble:
                logger.warning("%s. It is tried again.", trouble)
                self._troubled = True
                self._pace.took_turn()
        return [self._report(name) for name in names]

    def _ask(self, unknown: Sequence[str]) -> None:
        if unknown:
            self._adopt(unknown)
        if self._live and self._pace.left() <= 0:
            self._pace.took_turn()
            self._refresh()

    def stop(self, names: Iterable[str]) -> None:
        for name in names:
            job = self._jobs.get(name.lower())
            if job is not None and job.final is not None:
                continue
            try:
                self._stop(name)
            except PassingTrouble as trouble:
                logger.warning("%s. It is tried again.", trouble)
                self._stops_wanted.add(name)

    def _stop(self, name: str) -> None:
        self._service.stop(name)
        self._stops_wanted.discard(name)
        job = self._jobs.get(name.lower())
        if job is not None and not job.ended:
            job.state = JobState.STOPPING

    def _report(self, name: str) -> JobReport:
        job = self._jobs.get(name.lower())
        uri = self._clients.log_uri(GROUP, name)
        # Passing trouble kept us from looking: it may be anything but ended.
        return JobReport(name, JobState.STARTING, log=uri) if job is None else job.report(uri)

    # -- jobs that an earlier controller launched -------------------------------------------------

    def _adopt(self, names: Sequence[str]) -> None:
        missing = {name.lower(): name for name in names}
        if len(missing.keys() - self._recalled.keys()) > FEW:
            for record in self._service.records(self._prefix):
                self.recall(record)
        for key, name in missing.items():
            answer = self._recalled.pop(key, None) or self._service.describe(name)
            job = self.launched(name, None)
            if answer is None:
                self._end(job, lost_report(name))
            else:
                job.see_description(answer)
        # What a search told may be old.
        self._changes.request_full()
        self._pace.hurry()

    # -- a poll -----------------------------------------------------------------------------------

    def _refresh(self) -> None:
        for name in sorted(self._stops_wanted):
            self._stop(name)
        self._see_changes()
        began = self._clock.now()
        for job in [job for job in self._live.values() if job.ended]:
            if self._pace.is_over(FOR_ENDS, began, AT_LEAST):
                break
            self._settle(job)
        self._read_curves()

    def _see_changes(self) -> None:
        now, full = self._clock.now(), self._changes.next_is_full
        seen: set[str] = set()
        for entry in self._changes.since_last(now, [job.created_at for job in self._live.values()]):
            key = str(entry["TrainingJobName"]).lower()
            seen.add(key)
            if key in self._live:
                self._live[key].see(entry)
                self._live[key].listed = True
        if full:
            for key in [key for key in self._live if key not in seen]:
                job = self._live[key]
                if job.listed or now - job.launched_at > UNLISTED_SECONDS:
                    self._look_for(job)

    def _look_for(self, job: Watched) -> None:
        """A job that a full listing lacks: deleted, or the listing is behind."""
        answer = self._service.describe(job.name)
        if answer is not None:
            job.missing_polls = 0
            job.see_description(answer)
            return
        job.missing_polls += 1
        self._changes.request_full()
        if job.missing_polls >= MISSING_POLLS:
            self._end(job, lost_report(job.name))

    def _settle(self, job: Watched) -> None:
        """Report the end of a job, unless its last values are still to come.

        The service's final metrics lag behind its status, and so may the log. When a final value was read in
        the log, the log is complete; until then some polls are waited, and after them what there is counts.
        """
        answer = self._service.describe(job.name)
        if answer is None:
            was_stopped = job.state is JobState.STOPPING
            self._end(job, stopped_and_gone(job.name) if was_stopped else lost_report(job.name))
            return
        if not state_of(str(answer["TrainingJobStatus"]), None).terminal:
            return  # Describe is behind the listing
        job.see_description(answer)
        if ran_nothing(answer):
            self._tell_of_a_mock(job.name)
        began = answer.get("TrainingStartTime") is not None
        if began:
            if may_have_restarted(answer):
                job.log.expect_another_stream()
            self._read_to_end(job)
        finals = final_values(answer)
        unread = [metric for metric, value in finals.items() if not job.log.has(metric, value)]
        complete = bool(finals) and not unread
        if began and not complete and job.polls_after_end < self._patience(finals):
            job.polls_after_end += 1
            return
        for metric in unread:
            job.log.add(metric, finals[metric])
        self._end(job, final_report(job.name, answer, self._clients.log_uri(GROUP, job.name)))

    def _tell_of_a_mock(self, name: str) -> None:
        if not self._mock_told:
            self._mock_told = True
            logger.warning(
                "Training job %s was Completed in the moment of its creation, without training. Probably "
                "nothing runs behind this endpoint: moto's mock answers so. For tests start `python -m "
                "amt_flows.testing.sagemaker`, or enter amt_flows.testing.SimulatedSageMaker.",
                name,
            )

    def _patience(self, finals: Mapping[str, float]) -> int:
        """How many polls to wait. Where the log can't be read, the final values are all there will be."""
        return 0 if self._logs_denied and finals else self._habits.final_metric_polls

    def _end(self, job: Watched, report: JobReport) -> None:
        job.ended, job.final, job.averages = True, report, None
        self._live.pop(job.name.lower(), None)
        self._stops_wanted.discard(job.name)

    # -- curves -----------------------------------------------------------------------------------

    def _read_to_end(self, job: Watched) -> None:
        if not self._logs_denied:
            try:
                job.log.read(self._logs, job.definitions or (), to_end=True)
            except LogsDenied:
                self._do_without_logs()
        if self.approximate:
            self._read_averages([job], final=True)

    def _read_curves(self) -> None:
        training = [
            job
            for job in self._live.values()
            if not job.ended and job.state in (JobState.RUNNING, JobState.STOPPING)
        ]
        if not self._logs_denied:
            try:
                self._read_in_turns(training)
            except LogsDenied:
                self._do_without_logs()
        if self.approximate:
            self._read_averages(training, final=False)

    def _read_in_turns(self, training: Sequence[Watched]) -> None:
        calls_before, now = self._logs.calls, self._clock.now()
        for job in training:
            if not job.log.is_due(now):
                continue
            is_enough = self._logs.calls - calls_before >= self._habits.log_calls_per_poll
            if is_enough or self._pace.is_over(FOR_ALL, now, AT_LEAST):
                return
            self._know_definitions(job)
            job.log.read(self._logs, job.definitions or (), to_end=False)
            job.log.rest(now)
            # To the end of the queue: whoever was not read this time is first the next time.
            key = job.name.lower()
            self._live[key] = self._live.pop(key)

    def _know_definitions(self, job: Watched) -> None:
        if job.definitions is None:
            answer = self._service.describe(job.name)
            if answer is not None:
                job.see_description(answer)

    def _read_averages(self, jobs: Sequence[Watched], *, final: bool) -> None:
        wanted: list[tuple[Averages, str]] = []
        by_name: dict[str, Watched] = {}
        now = self._clock.now()
        for job in jobs:
            self._know_definitions(job)
            since = now if job.created_at is None else job.created_at
            job.averages = job.averages or Averages(job.name, since)
            by_name[job.name] = job
            wanted += [(job.averages, one.name) for one in job.definitions or ()]
        for averages, metric, value in read_averages(
            self._service, self._clients, wanted, now=now, final=final
        ):
            by_name[averages.job].log.add(metric, value)

    def _do_without_logs(self) -> None:
        self._logs_denied = True
        instead = (
            "curves are CloudWatch's averages of a minute"
            if self._habits.approximate_curves
            else "only final values are known, and no training job is stopped early"
        )
        logger.warning(
            "CloudWatch Logs may not be read: %s. Allow logs:DescribeLogStreams and logs:GetLogEvents on %s.",
            instead,
            GROUP,
        )
