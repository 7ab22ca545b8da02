"""The backend: training jobs on SageMaker behind :class:`amt_flows.ports.Backend`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from amt_flows.backends.sagemaker.check import problems_of
from amt_flows.backends.sagemaker.clients import Clients
from amt_flows.backends.sagemaker.finding import find
from amt_flows.backends.sagemaker.fleet import Fleet, Habits
from amt_flows.backends.sagemaker.launching import launch
from amt_flows.backends.sagemaker.pacing import Pace, wait_for_turn
from amt_flows.backends.sagemaker.request import sent_definitions
from amt_flows.backends.sagemaker.service import PassingTrouble, Service
from amt_flows.errors import BackendError, Problem
from amt_flows.ports import Clock, FoundJob, JobReport, JobRequest, Launch, SystemClock
from amt_flows.spec import TuningSpec

FIND_PAUSES: Final = (5.0, 10.0, 20.0, 40.0, 80.0)
"""Seconds between tries, beyond those that boto3 makes itself: whoever looks for jobs wants to clean up."""


class SageMakerBackend:
    """Runs each training job as a SageMaker training job.

    ``session`` is a boto3 session, by default that of the environment; ``region`` and ``endpoint_url`` are as
    in boto3, and ``config`` replaces our botocore ``Config``. AWS is asked every ``poll_seconds`` or so,
    launches are ``launch_seconds`` apart; both vary by a third. ``log_calls_per_poll`` bounds what reading
    the curves of running jobs costs (CloudWatch Logs takes 25 calls a second from an account).
    ``final_metric_polls``: how many polls a job that has ended may wait for its final metrics.

    Without permission to read the logs, running jobs have no curves, so that nothing is stopped early. With
    ``approximate_curves`` they then have CloudWatch's averages of a minute, taken for epochs, on which the
    early-stopping rule judges; ``approximate`` tells whether that is the case.

    ``clock`` and ``sleep`` are for tests.
    """

    def __init__(
        self,
        session: Any = None,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        config: Any = None,
        poll_seconds: float = 20.0,
        launch_seconds: float = 0.2,
        log_calls_per_poll: int = 100,
        final_metric_polls: int = 3,
        approximate_curves: bool = False,
        clock: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
        seed: int | None = None,
    ) -> None:
        self._clients = Clients(session, region, endpoint_url, config)
        self._service = Service(self._clients)
        self._clock: Clock = clock or SystemClock()
        self._sleep = sleep
        self._chance = random.Random(seed)
        self._poll_seconds = poll_seconds
        self._launches = Pace(self._clock, launch_seconds, self._chance)
        self._habits = Habits(log_calls_per_poll, final_metric_polls, approximate_curves)
        self._fleets: dict[str, Fleet] = {}
        self._due_was_told = False

    def _fleet(self, tuning_job: str) -> Fleet:
        key = tuning_job.lower()
        if key not in self._fleets:
            pace = Pace(self._clock, self._poll_seconds, self._chance)
            self._fleets[key] = Fleet(
                tuning_job, self._clients, self._service, self._clock, pace, self._habits
            )
        return self._fleets[key]

    @property
    def approximate(self) -> bool:
        """Whether curves of running jobs are averages, because the logs may not be read."""
        return any(fleet.approximate for fleet in self._fleets.values())

    @property
    def address(self) -> str:
        return f"sagemaker:{self._clients.region or ''}"

    def check(self, spec: TuningSpec) -> Sequence[Problem]:
        """Asks nobody: everything is known from the service's model. See :mod:`.check`."""
        try:
            region = self._clients.region
            problems = problems_of(spec)
        except BackendError as error:
            return [Problem("backend", None, f"{error.happened} {error.remedy}")]
        if region is None:
            message = "give one, or set AWS_REGION or the profile's region"
            problems.append(Problem("backend.region", None, message))
        return problems

    def launch(self, request: JobRequest) -> Launch:
        wait_for_turn(self._launches, self._sleep)
        how, answer = launch(self._service, request)
        sent = sent_definitions(request.template, request.objective_metric, request.other_metrics)
        job = self._fleet(request.tuning_job).launched(request.name, sent or None)
        if answer is not None:
            job.see_description(answer)
        return how

    def poll(self, tuning_job: str, names: Sequence[str]) -> Sequence[JobReport]:
        """What was known at the last poll that was due; jobs that are new to this object are asked for at
        once. Raises BackendError when AWS refuses for good."""
        self._due_was_told = False
        return self._fleet(tuning_job).poll(names)

    def stop(self, tuning_job: str, names: Sequence[str], *, kill: bool = False) -> None:
        """SageMaker sends SIGTERM, and SIGKILL 120 s later; it knows no faster way, so ``kill`` is the same.
        Raises BackendError when AWS refuses for good; passing trouble is tried again at the next poll."""
        self._fleet(tuning_job).stop(names)

    def find(self, tuning_job: str) -> Sequence[FoundJob]:
        """Raises BackendError when AWS refuses, or can't be reached for some minutes."""
        for pause in (*FIND_PAUSES, None):
            try:
                found = find(self._service, tuning_job)
                break
            except PassingTrouble as trouble:
                if pause is None:
                    raise trouble.error from trouble
                self._sleep(pause)
        fleet = self._fleet(tuning_job)
        for job, record in found:
            if not job.state.terminal:
                fleet.recall(record)
        return [job for job, _ in found]

    def wait(self, timeout: float) -> None:
        """Sleep until the next poll is due. Who then doesn't poll sleeps all of ``timeout`` the next time."""
        left = [fleet.seconds_left() for fleet in self._fleets.values()]
        due = min((seconds for seconds in left if seconds is not None), default=timeout)
        if due <= 0 and self._due_was_told:
            due = timeout
        if due <= timeout:
            self._due_was_told = True
        self._sleep(max(0.0, min(timeout, due)))
