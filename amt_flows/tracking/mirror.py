"""What a tracker lacks of a tuning job, and how it gets it: one small step at a time.

Fed with the events of the record and the values that training jobs report. What is over there is looked at
once, by tags, and after each answer that was lost; a step of a metric is sent only where there is none. So
nothing is lost, and nothing is there twice, whoever died in between.
"""

from __future__ import annotations

import functools
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from amt_flows.errors import TrackerUnavailable, TrackingError
from amt_flows.events import (
    Concluding,
    Ended,
    Event,
    Extended,
    Finished,
    HandedOver,
    Launched,
    Observed,
    Opened,
    StopAsked,
)
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.ports import FoundRun, MetricPoint, RunStatus, RunToShow, TimedValue, Tracker
from amt_flows.tracking import facts

TUNING: Final = ""
"""The key of the tuning job's own run."""
GATHER_SECONDS: Final = 1.0
"""For how long values of a training job are gathered before they are sent."""
YIELD_SECONDS: Final = 2.0
"""The same where the training job may send them itself: it goes first."""
LOOKS: Final = 3
"""So often it is looked whether a training job sends a metric itself, before its end."""
MOST_VALUES: Final = 500_000
"""So many wait in memory while the tracker is away; the rest is read again from the training jobs' output."""


@dataclass
class _Run:
    """What is known to be over there of a run. ``status`` and ``tags``: as sent or found."""

    run_id: str
    found: bool = False
    shared: bool = False
    complete: bool = False
    status: RunStatus | None = None
    has_params: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    steps: dict[str, set[int]] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    """Metrics that somebody else sends."""


class Mirror:
    """``links``: what the tuning job's run links to, by its tag. ``past_is_whole``: the values of training
    jobs that run are told from their first one on."""

    def __init__(
        self,
        tracker: Tracker,
        links: Mapping[str, str] | None = None,
        *,
        past_is_whole: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ledger = Ledger()
        self.made: deque[tuple[str, str]] = deque()
        """Training jobs whose run was wanted, and its id."""
        self.complaints: list[str] = []
        self._tracker = tracker
        self._links = dict(links or {})
        self._past_is_whole = past_is_whole
        self._monotonic = monotonic
        self._runs: dict[str, _Run] = {}
        self._found = False
        self._wanted: deque[str] = deque()
        self._due: dict[str, float] = {}
        self._values: dict[str, dict[str, dict[int, TimedValue]]] = {}
        self._count = 0
        self._in_part: set[str] = set()
        self._cut: set[str] = set()
        self._best: str | None = None

    # -- what is to be shown ---------------------------------------------------------------------

    def take(self, events: Iterable[Event], *, past: bool = False) -> None:
        """Go on with what the record says. ``past``: it was written before anybody listened to its training
        jobs."""
        for event in events:
            self.ledger.apply(event)
            match event:
                case Opened() | HandedOver() | Concluding():
                    self._touch(TUNING)
                case Launched():
                    self._touch(event.job)
                    if past and not self._past_is_whole:
                        self._in_part.add(event.job)
                case Observed():
                    for name, points in event.points.items():
                        metric = self._objective_of(name)
                        self._hear(
                            name, [TimedValue(metric, step, value, event.at) for step, value in points]
                        )
                case StopAsked():
                    for name in event.jobs:
                        self._touch(name)
                case Ended():
                    self._ended(event)
                    if past:
                        self._in_part.add(event.job)
                case Finished() | Extended():
                    self._touch(TUNING)
                    if self.ledger.best is not None:
                        self._touch(self.ledger.best.name)

    def _ended(self, event: Ended) -> None:
        self._touch(event.job, at_once=True)
        best = self.ledger.best
        if best is not None and best.name != self._best and best.final_value is not None:
            self._best = best.name
            metric = f"best.{self.ledger.spec.objective.metric_name}"
            self._hear(TUNING, [TimedValue(metric, len(self.ledger.ended), best.final_value, event.at)])

    def _objective_of(self, name: str) -> str:
        job = self.ledger.jobs.get(name)
        return (self.ledger.algorithms[0] if job is None else self.ledger.algorithm_of(job)).metric_name

    def take_points(self, name: str, points: Iterable[MetricPoint], at: float) -> None:
        """Values that a training job reports, beside those of the objective, which the record has."""
        if name in self.ledger.jobs:
            objective = self._objective_of(name)
            self._hear(
                name,
                [TimedValue(p.metric, p.epoch, p.value, at) for p in points if p.metric != objective],
            )

    def take_again(self, name: str, points: Sequence[MetricPoint]) -> None:
        """All the values of a training job that has ended, read once more. When each was seen nobody knows
        any more: they are spread over its time."""
        job = self.ledger.jobs.get(name)
        if job is None or job.ended_at is None:
            return
        start, objective = job.started_at or job.launched_at, self._objective_of(name)
        told = [(p.metric, p.epoch, p.value) for p in points if p.metric != objective]
        told += [(objective, epoch, value) for epoch, value in job.curve if epoch > job.went_on_after]
        seconds, last = job.ended_at - start, max((epoch for _, epoch, _ in told), default=1)
        self._hear(
            name,
            [
                TimedValue(metric, epoch, value, start + seconds * epoch / last)
                for metric, epoch, value in told
            ],
        )
        self._cut.discard(name)
        self.leave(name)

    def leave(self, name: str) -> None:
        """Nothing more will be known of a training job: what there is is all."""
        self._in_part.discard(name)
        self._touch(name, at_once=True)

    def want(self, name: str) -> None:
        """A training job is about to be launched, and is to be told of its run: see :attr:`made`."""
        self._wanted.append(name)

    def _hear(self, name: str, values: Sequence[TimedValue]) -> None:
        run = self._runs.get(name)
        if run is not None and run.complete:
            return
        for value in values:
            of_metric = self._values.setdefault(name, {}).setdefault(value.metric, {})
            if value.step in of_metric:
                continue
            if self._count >= MOST_VALUES:
                self._cut.add(name)
                continue
            of_metric[value.step] = value
            self._count += 1
        if values:
            self._touch(name)

    def _touch(self, key: str, *, at_once: bool = False) -> None:
        run = self._runs.get(key)
        wait = YIELD_SECONDS if run is not None and run.shared else GATHER_SECONDS
        due = self._monotonic() + (0.0 if at_once or key == TUNING else wait)
        self._due[key] = min(due, self._due.get(key, math.inf))

    # -- bringing it there -----------------------------------------------------------------------

    @property
    def _may_begin(self) -> bool:
        return self.ledger.opened and not self.ledger.awaits_amt

    def step(self, *, now: bool = False) -> bool:
        """Do the next thing that is due (``now``: or will be); whether there was one. Raises
        TrackerUnavailable: then it is still to be done."""
        if not self._may_begin:
            return False
        if not self._found:
            self._look()
        elif TUNING not in self._runs:
            self._make(TUNING)
        elif self._wanted:
            self._serve(self._wanted[0])
            self._wanted.popleft()
        elif (key := self._next_due(now)) is not None:
            due = self._due.pop(key)
            try:
                self._send(key)
            except TrackerUnavailable:
                self._due[key] = min(due, self._due.get(key, math.inf))
                raise
        else:
            return False
        return True

    def seconds_to_next(self) -> float | None:
        """Until something is due; None: nothing waits."""
        return min(self._due.values()) - self._monotonic() if self._due else None

    def _next_due(self, now: bool) -> str | None:
        if not self._due:
            return None
        key = min(self._due, key=self._due.__getitem__)
        return key if now or self._due[key] <= self._monotonic() else None

    def address(self) -> str | None:
        """The page of the tuning job's run, once there is one."""
        run = self._runs.get(TUNING)
        return None if run is None else self._tracker.address(run.run_id)

    def missing(self) -> list[str]:
        """Training jobs of which something is not there yet, and the tuning job itself if that lacks its
        end."""
        lacking = [name for name, job in self.ledger.jobs.items() if not self._is_there(name, job)]
        own = self._runs.get(TUNING)
        if self.ledger.opened and (own is None or own.status != facts.status_of_tuning(self.ledger)):
            lacking.append(self.ledger.name)
        return lacking

    def _is_there(self, name: str, job: TrainingJob) -> bool:
        run = self._runs.get(name)
        return run is not None and (run.complete or (job.live and not self._values.get(name)))

    def in_part(self) -> list[str]:
        """Training jobs that have ended, and whose values were not all heard: their output has them."""
        return [
            name
            for name, job in self.ledger.jobs.items()
            if not job.live
            and not ((run := self._runs.get(name)) is not None and run.complete)
            and (name in self._cut or (name in self._in_part and self._has_others(name, job)))
        ]

    def _has_others(self, name: str, job: TrainingJob) -> bool:
        return bool(job.metrics.keys() - {self._objective_of(name)})

    def remove_never_launched(self) -> None:
        """Runs that were made for a launch that never came. Raises TrackerUnavailable."""
        if not self.ledger.finished:
            return
        for key in [key for key in self._runs if key not in self.ledger.jobs and key != TUNING]:
            try:
                self._tracker.delete(self._runs[key].run_id)
            except TrackerUnavailable:
                raise
            except TrackingError as error:
                self._complain(error)
            del self._runs[key]

    def _look(self) -> None:
        found = self._tracker.find(facts.identity(self.ledger))
        opened = facts.opened_at(self.ledger)
        if facts.is_recovered(self.ledger):
            own = [run for run in found if run.key == TUNING]
            opened = own[-1].tags.get(facts.OPENED_AT, opened) if own else opened
        for run in found:
            if run.tags.get(facts.OPENED_AT) == opened and run.key not in self._runs:
                self._runs[run.key] = _as_found(run)
                if run.tags.get(facts.COMPLETE) == "true":
                    self._forget_values(run.key)
        self._found = True

    def _make(self, key: str, *, shared: bool = False) -> None:
        if key == TUNING:
            tags, name, started_at = facts.tuning_tags(self.ledger, self._links), self.ledger.name, None
        else:
            trial, attempt = facts.trial_of(self.ledger, key) or (0, 0)
            tags, name = facts.job_tags(self.ledger, key, trial, attempt), key
            job = self.ledger.jobs.get(key)
            started_at = self.ledger.last_at if job is None else job.launched_at
        if shared:
            tags = {**tags, facts.SHARED: "true"}
        parent = None if key == TUNING else self._runs[TUNING].run_id
        run = RunToShow(key, name, started_at or self.ledger.opened_at, parent, tags)
        try:
            run_id = self._tracker.create(run)
        except TrackerUnavailable:
            # It may have been made all the same.
            self._found = False
            raise
        self._runs[key] = _Run(run_id, shared=shared, status=RunStatus.RUNNING, tags=tags)
        if key == TUNING:
            self._touch(TUNING)

    def _serve(self, name: str) -> None:
        if facts.trial_of(self.ledger, name) is None:
            return
        if name not in self._runs:
            self._make(name, shared=True)
        run = self._runs[name]
        if not run.shared:
            self._tracker.add(run.run_id, tags={facts.SHARED: "true"})
            run.shared, run.tags[facts.SHARED] = True, "true"
        self.made.append((name, run.run_id))

    def _send(self, key: str) -> None:
        if key != TUNING and key not in self.ledger.jobs:
            return
        if key not in self._runs:
            self._make(key)
        run = self._runs[key]
        if key == TUNING:
            self._send_tuning(run)
            return
        job = self.ledger.jobs[key]
        ended = job.outcome is not None
        if run.complete:
            self._add(run, tags=self._changed_tags(run, key, job))
            return
        values = self._new_values(run, key, job)
        # A script that logs its hyperparameters itself does so at its beginning, and MLflow takes no second
        # text for one. So its own come first.
        params = self._new_params(run, job) if not run.shared or values or ended else {}
        if job.outcome is not None:
            self._set_status(run, facts.STATUS_OF[job.outcome], job.ended_at)
        tags = self._changed_tags(run, key, job)
        whole = ended and key not in self._cut and not (key in self._in_part and self._has_others(key, job))
        if whole:
            tags[facts.COMPLETE] = "true"
        self._add(run, values, params, tags)
        self._forget_values(key, values)
        if whole:
            run.complete = True
            run.steps.clear()
            self._forget_values(key)

    def _send_tuning(self, run: _Run) -> None:
        ledger = self.ledger
        self._set_status(run, facts.status_of_tuning(ledger), ledger.finished_at)
        desired = facts.tuning_tags(ledger, self._links)
        values = self._lacking(run, TUNING)
        params = {} if run.has_params else facts.tuning_params(ledger)
        self._add(run, values, params, _difference(run.tags, desired))
        run.has_params = True
        self._forget_values(TUNING, values)

    def _changed_tags(self, run: _Run, key: str, job: TrainingJob) -> dict[str, str]:
        desired = facts.job_tags(self.ledger, key, job.trial, job.attempt)
        if run.tags.get(facts.BEST) == "true" and facts.BEST not in desired:
            desired[facts.BEST] = "false"
        return _difference(run.tags, desired)

    def _new_params(self, run: _Run, job: TrainingJob) -> dict[str, str]:
        if run.has_params:
            return {}
        there = self._tracker.params(run.run_id) if run.shared or run.found else {}
        return {k: v for k, v in facts.job_params(self.ledger, job.trial).items() if k not in there}

    def _new_values(self, run: _Run, key: str, job: TrainingJob) -> list[TimedValue]:
        if job.outcome is not None:
            self._add_last_values(run, key, job)
        return self._lacking(run, key, at_the_end=job.outcome is not None)

    def _add_last_values(self, run: _Run, key: str, job: TrainingJob) -> None:
        """Of metrics of which no epoch was heard, as of a built-in algorithm on SageMaker."""
        if key in self._in_part and self._has_others(key, job):
            return
        objective = self._objective_of(key)
        last = dict(job.metrics)
        if job.final_value is not None:
            last.setdefault(objective, job.final_value)
        heard = self._values.setdefault(key, {})
        for metric, value in last.items():
            known = len(job.curve) > 0 if metric == objective else bool(heard.get(metric))
            if not known and not self._steps(run, metric):
                step = max(1, job.curve.last_epoch - self._epochs_before(key, metric))
                at = self.ledger.last_at if job.ended_at is None else job.ended_at
                heard.setdefault(metric, {})[step] = TimedValue(metric, step, value, at)
                self._count += 1

    def _lacking(self, run: _Run, key: str, *, at_the_end: bool = False) -> list[TimedValue]:
        """The values that wait, but for those whose step is there."""
        lacking: list[TimedValue] = []
        for metric, of_metric in self._values.get(key, {}).items():
            if not of_metric:
                continue
            there = self._steps(run, metric, again=at_the_end)
            if metric in run.foreign and not at_the_end:
                continue
            later = self._epochs_before(key, metric)
            lacking += [
                replace(value, step=step + later)
                for step, value in of_metric.items()
                if step + later not in there
            ]
        return lacking

    def _epochs_before(self, key: str, metric: str) -> int:
        """Of an attempt that went on from a checkpoint. The record counts the objective's epochs on; a
        training job begins anew with those of other metrics."""
        job = self.ledger.jobs.get(key)
        return 0 if job is None or metric == self._objective_of(key) else job.went_on_after

    def _steps(self, run: _Run, metric: str, *, again: bool = False) -> set[int]:
        ours = run.steps.get(metric)
        looks = run.looks.get(metric, 0)
        if ours is None and not run.shared and not run.found:
            ours = run.steps[metric] = set()
        if ours is None or (run.shared and (again or looks < LOOKS)):
            there = set(self._tracker.steps(run.run_id, metric))
            if run.shared and (there - ours if ours is not None else there and not run.found):
                run.foreign.add(metric)
            run.looks[metric] = looks + 1
            ours = run.steps[metric] = there | (ours or set())
        return ours

    def _set_status(self, run: _Run, status: RunStatus, ended_at: float | None) -> None:
        if run.status is not status or (run.shared and status is not RunStatus.RUNNING):
            try:
                self._tracker.set_status(run.run_id, status, ended_at)
            except TrackerUnavailable:
                raise
            except TrackingError as error:
                self._complain(error)
            run.status = status

    def _add(
        self,
        run: _Run,
        values: Sequence[TimedValue] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """All of it; of what is refused, the rest."""
        if not (values or params or tags):
            return
        try:
            self._tracker.add(run.run_id, values=values, params=params, tags=tags)
        except TrackerUnavailable:
            self._is_unsure(run)
            raise
        except TrackingError as error:
            self._complain(error)
            self._add_apart(run, values, params or {}, tags or {})
        for value in values:
            run.steps.setdefault(value.metric, set()).add(value.step)
        run.has_params = run.has_params or bool(params)
        run.tags.update(tags or {})

    def _add_apart(
        self, run: _Run, values: Sequence[TimedValue], params: Mapping[str, str], tags: Mapping[str, str]
    ) -> None:
        by_metric: dict[str, list[TimedValue]] = {}
        for value in values:
            by_metric.setdefault(value.metric, []).append(value)
        add = functools.partial(self._tracker.add, run.run_id)
        parts: list[Callable[[], None]] = [
            *(functools.partial(add, values=some) for some in by_metric.values()),
            *(functools.partial(add, params={key: text}) for key, text in params.items()),
            functools.partial(add, tags=tags),
        ]
        for part in parts:
            try:
                part()
            except TrackerUnavailable:
                self._is_unsure(run)
                raise
            except TrackingError as error:
                self._complain(error)

    def _is_unsure(self, run: _Run) -> None:
        """An answer was lost: what came to be there has to be looked at."""
        run.found, run.steps, run.looks = True, {}, {}

    def _complain(self, error: TrackingError) -> None:
        if error.happened not in self.complaints:
            self.complaints.append(error.happened)

    def _forget_values(self, key: str, sent: Iterable[TimedValue] | None = None) -> None:
        """What was sent, or all there is."""
        of_key = self._values.get(key, {})
        if sent is None:
            self._count -= sum(map(len, of_key.values()))
            self._values.pop(key, None)
            return
        for metric, of_metric in of_key.items():
            run = self._runs[key]
            there, later = run.steps.get(metric, set()), self._epochs_before(key, metric)
            for step in [step for step in of_metric if step + later in there]:
                del of_metric[step]
                self._count -= 1


def _as_found(run: FoundRun) -> _Run:
    tags = dict(run.tags)
    return _Run(
        run.run_id,
        found=True,
        shared=tags.get(facts.SHARED) == "true",
        complete=tags.get(facts.COMPLETE) == "true",
        tags=tags,
        has_params=False,
    )


def _difference(there: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in wanted.items() if there.get(key) != text}
