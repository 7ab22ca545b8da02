"""The training jobs of a tuning job that AMT drives: what has become of them since the last look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from amt_flows.amt.described_spec import readable_definitions
from amt_flows.amt.job_events import (
    ending,
    newcomers,
    stops_jobs_early,
    time_is_up,
)
from amt_flows.amt.listing import AmtListing, has_ended, is_judged
from amt_flows.amt.reasons import criteria_met, status_of
from amt_flows.backends.sagemaker.fleet import Fleet
from amt_flows.backends.sagemaker.service import Answer
from amt_flows.events import Ended, Event, Points, StopAsked, TuningStatus
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.observations import Observations
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.ports import JobReport, JobState

SETTLED_PER_POLL: Final = 25
"""So many jobs that ended before we looked are read in one go: each costs some calls, and between them others
want to see progress."""

_STARTING: Final[Answer] = {"TrainingJobStatus": "InProgress"}
"""All that is known of a job that was not listed yet."""


class TrainingJobs:
    """Turns what AMT's list, and the poller of training jobs, have to tell into events. It writes none."""

    def __init__(self, ledger: Ledger, listing: AmtListing, fleet: Fleet) -> None:
        self._ledger, self._listing, self._fleet = ledger, listing, fleet
        self._entries: dict[str, Answer] = {}
        self._watched: dict[str, None] = {}
        self._observations = Observations(ledger)

    def newcomers(self) -> list[Event]:
        """The jobs that AMT has launched. Raises PassingTrouble, BackendError."""
        live = {job.name for job in self._ledger.live}
        for entry in self._listing.look(live, self._ledger.jobs.keys()):
            self._entries[str(entry["TrainingJobName"])] = entry
        return newcomers(self._ledger, list(self._entries.values()))

    def progress(self, answer: Answer | None, now: float, *, is_late: bool) -> list[Event]:
        """New values, stops and ends. ``answer``, of the tuning job, is None when there is none any more, and
        ``is_late`` says that AMT has had its time to judge jobs that have ended. Raises BackendError."""
        self._watch(answer)
        points: dict[str, Points] = {}
        ended: list[JobReport] = []
        for report in self._fleet.poll([name for name in self._watched if self._ledger.jobs[name].live]):
            fresh = self._observations.take(report)
            if fresh:
                points[report.name] = fresh
            if report.state.terminal and (is_late or self._is_judged(report)):
                ended.append(report)
        observed: list[Event] = [self._observations.event(now, points)] if points else []
        stops = list(self._stops(answer, now))
        early = {name for stop in stops if stop.early for name in stop.jobs}
        asked = {name for stop in stops for name in stop.jobs}
        # Of equals the one that ended first is the best, for AMT and for us.
        endings = sorted(
            (self._ending(one, early, asked, now) for one in ended), key=lambda one: one.ended_at
        )
        return [*observed, *stops, *endings]

    def release(self, name: str) -> None:
        """The end of this job is recorded."""
        del self._watched[name]
        self._observations.forget(name)

    def _watch(self, answer: Answer | None) -> None:
        """Have the poller follow jobs that it doesn't: all that run, and of those that have ended some."""
        unwatched = [job for job in self._ledger.live if job.name not in self._watched]
        ended = [job for job in unwatched if has_ended(self._entry(job))]
        waiting = {job.name for job in ended[SETTLED_PER_POLL:]}
        for job in unwatched:
            if job.name not in waiting:
                name = self._ledger.trials[job.trial].definition
                self._fleet.launched(job.name, None if answer is None else readable_definitions(answer, name))
                self._watched[job.name] = None

    def _entry(self, job: TrainingJob) -> Answer:
        return self._entries.get(job.name, _STARTING)

    def _is_judged(self, report: JobReport) -> bool:
        entry = self._entries.get(report.name)
        return report.state is JobState.LOST or (entry is not None and is_judged(entry))

    def _ending(self, report: JobReport, early: set[str], asked: set[str], now: float) -> Ended:
        job = self._ledger.jobs[report.name]
        return ending(
            self._ledger,
            report,
            self._entries.get(report.name),
            self._observations.last_values(report.name),
            now=now,
            judged=self._is_judged(report),
            stopped_early=report.name in early or job.stopped_early,
            was_asked=report.name in asked or job.stop_asked_at is not None,
        )

    # -- jobs that AMT stops ---------------------------------------------------------------------

    def _stops(self, answer: Answer | None, now: float) -> Iterator[StopAsked]:
        """The jobs that AMT is seen to stop, while the tuning job goes on or because it ends. One that stops
        while the tuning job goes on, where AMT stops none early, is stopped by somebody else."""
        goes_on = answer is not None and self._goes_on(answer)
        if goes_on and not stops_jobs_early(self._ledger.spec):
            return
        for job in self._ledger.live:
            entry = self._entry(job)
            stops = job.stop_asked_at is None and entry["TrainingJobStatus"] in ("Stopping", "Stopped")
            if stops and not time_is_up(self._ledger.algorithm_of(job).spec, entry, now):
                why = "AMT stopped it early" if goes_on else "it was stopped in SageMaker"
                yield StopAsked(now, (job.name,), goes_on, why)

    def _goes_on(self, answer: Answer) -> bool:
        """Whether the tuning job does, as far as can be told: nothing ends it."""
        spec = self._ledger.spec
        # The maximum number of jobs keeps others from being launched, and stops none.
        stopping = [one for one in criteria_met(spec, answer) if one.rule != "MaxNumberOfTrainingJobs"]
        running_or_done = status_of(answer) in (TuningStatus.IN_PROGRESS, TuningStatus.COMPLETED)
        return running_or_done and not stopping and not self._ledger.concluding
