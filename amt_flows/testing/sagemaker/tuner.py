"""amt-flows' own engine behind the simulated service: tuning jobs that really tune.

An engine acts whenever something has happened in its world, at the time at which it happened. So in scripted
time a tuning job is the same, to the second, however time is moved and whoever looks. Where time is real, a
thread for each tuning job looks all the time; it ends with the tuning job, or with the world.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from amt_flows.backends.simulated import VirtualClock
from amt_flows.errors import SpecError
from amt_flows.events import TuningStatus
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.running_tuning_job import HEARTBEAT_SECONDS
from amt_flows.results.amt_shapes import describe, training_jobs
from amt_flows.testing.sagemaker.calls import Place, arn_of
from amt_flows.testing.sagemaker.clocks import naive
from amt_flows.testing.sagemaker.job import in_32_bits
from amt_flows.testing.sagemaker.shared_state import SharedState
from amt_flows.testing.sagemaker.tuner_backend import TunerBackend
from amt_flows.testing.sagemaker.tuner_request import refused, spec_of
from amt_flows.testing.sagemaker.tuning import SimulatedTuningJob
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import Stages, take_round
from amt_flows.tuning.warm_start import Parent, Reader, parent_from_ledger
from amt_flows.tuning.warm_start.reader import not_found

logger = logging.getLogger("amt_flows")

LOOK_SECONDS = 0.02
LONGEST_REASON = 1024
TOLD_BY_THE_DESK = (
    "HyperParameterTuningJobName",
    "HyperParameterTuningJobArn",
    "HyperParameterTuningJobConfig",
    "TrainingJobDefinition",
    "TrainingJobDefinitions",
    "WarmStartConfig",
    "CreationTime",
)
"""Members of Describe's answer that are the request's, or older than the engine."""


class Tuner:
    """Makes an engine for every tuning job of a world. To be called with the world's lock held, but for
    :meth:`join`."""

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared
        self._engines: list[AmtEngine] = []

    def __call__(self, job: SimulatedTuningJob) -> AmtEngine:
        """Begin to tune. Raises Refusal for a request that can't be tuned."""
        engine = AmtEngine(job, self._shared, self._parents((job.account, job.region)))
        self._engines.append(engine)
        engine.begin()
        return engine

    def _parents(self, place: Place) -> Reader:
        """Finds the parents of a warm start among the tuning jobs of an account and region."""

        def read(name: str) -> Parent:
            for engine in reversed(self._engines):
                if engine.place == place and engine.name.lower() == name.lower():
                    return engine.as_parent()
            raise not_found(name)

        return read

    @property
    def busy(self) -> bool:
        """Whether a tuning job has not ended."""
        return any(engine.busy for engine in self._engines)

    def abandon(self, place: Place | None) -> None:
        """Let the tuning jobs of an account and region (None: all) rest where they are."""
        for engine in self._engines:
            if place in (None, engine.place):
                engine.abandon()

    def join(self) -> None:
        """Wait for the threads of the engines that have ended; without the lock."""
        for engine in self._engines:
            engine.join()


class _Now:
    """The world's time for our engine, which decides at the time of what it decides on."""

    def __init__(self, shared: SharedState) -> None:
        self.now: Callable[[], float] = shared.now


class AmtEngine:
    """Tunes one tuning job; a :class:`~.tuning.TuningEngine`."""

    def __init__(self, job: SimulatedTuningJob, shared: SharedState, parents: Reader) -> None:
        """Raises Refusal for a request that can't be tuned."""
        self._job, self._shared = job, shared
        self.name, self.place = job.name, (job.account, job.region)
        self._backend = TunerBackend(job, shared)
        try:
            self._tuning = Tuning.open(
                spec_of(job.request),
                self._backend,
                MemoryJournal(),
                clock=_Now(shared),
                controller="the simulated service",
                parents=parents,
            )
        except SpecError as error:
            raise refused(error.problems) from error
        self._stages = Stages()
        self._wake_at = 0.0
        self._broken: str | None = None
        self._broken_at = 0.0
        self._abandoned = False
        self._thread: threading.Thread | None = None

    # -- life ------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Launch the first training jobs, and go on when something happens."""
        self._shared.watchers.append(self._act)
        ledger = self._tuning.ledger
        limit = ledger.spec.limits.max_runtime_seconds
        if limit is not None:
            self._shared.at(ledger.opened_at + limit, _let_all_look, late=True)
        if not isinstance(self._shared.clock, VirtualClock):
            self._thread = threading.Thread(target=self._run, name=f"tuning {self._job.name}", daemon=True)
            self._thread.start()
        self._act()

    @property
    def busy(self) -> bool:
        return not (self._tuning.ledger.finished or self._broken or self._abandoned)

    def abandon(self) -> None:
        """Act no more."""
        self._abandoned = True
        self._retire()

    def join(self) -> None:
        if self._thread is not None and not self.busy:
            self._thread.join()

    def _retire(self) -> None:
        if self._act in self._shared.watchers:
            self._shared.watchers.remove(self._act)
        self._backend.wake()

    def _run(self) -> None:
        """Look at the world until this tuning job has ended."""
        while True:
            with self._shared.lock:
                if not self.busy:
                    return
                try:
                    self._shared.settle()
                except Exception as error:  # whoever's it is, else this tuning job would never end
                    self._break_down(error)
            self._backend.wait(LOOK_SECONDS)

    # -- acting ----------------------------------------------------------------------------------

    def _act(self) -> None:
        """Do what is to be done now."""
        if self.busy:
            self._go_on()
        if not self.busy:
            self._retire()

    def _go_on(self) -> None:
        """A fault of ours ends the tuning job, as a fault of the service would."""
        try:
            while True:
                take_round(self._tuning, self._stages)
                if self._tuning.ledger.finished or not self._tuning.check_is_due():
                    break
            self._look_again()
        except Exception as error:
            self._break_down(error)

    def _look_again(self) -> None:
        """A launch that found no room is tried again, though nothing else may happen until then."""
        now = self._shared.now()
        if self._tuning.held_up_by is not None and self._wake_at <= now and not self._tuning.ledger.finished:
            self._wake_at = now + HEARTBEAT_SECONDS
            self._shared.at(self._wake_at, _let_all_look)

    def _break_down(self, error: Exception) -> None:
        logger.error("The simulated tuning job %s broke down.", self._job.name, exc_info=error)
        self._broken = f"InternalServerError: the simulator failed: {error!r}"[:LONGEST_REASON]
        self._broken_at = self._shared.now()
        self._backend.stop(self._job.name, [job.name for job in self._tuning.ledger.live], kill=True)

    # -- what the service asks -------------------------------------------------------------------

    def stop(self) -> None:
        self._tuning.request_stop("StopHyperParameterTuningJob was called")
        self._act()

    def describe(self) -> Mapping[str, Any]:
        if self._broken is not None:
            # What became of the training jobs since is not in the ledger, and is told by the desk.
            return {
                "HyperParameterTuningJobStatus": TuningStatus.FAILED.value,
                "FailureReason": self._broken,
                "HyperParameterTuningEndTime": naive(self._broken_at),
                "LastModifiedTime": naive(self._broken_at),
            }
        with self._shared.lock:  # a test looks without
            told = self._as_the_service_says(describe(self._tuning.ledger, self._shared.now()))
        return {name: value for name, value in told.items() if name not in TOLD_BY_THE_DESK}

    def as_parent(self) -> Parent:
        """For a warm start."""
        return parent_from_ledger(self._tuning.ledger)

    def training_jobs(self) -> Sequence[Mapping[str, Any]]:
        if self._broken is not None:
            return self._job.entries()
        with self._shared.lock:
            entries = training_jobs(self._tuning.ledger)["TrainingJobSummaries"]
        return [self._as_the_service_says(entry) for entry in entries]

    def _as_the_service_says(self, told: Any) -> Any:
        """With the ARNs of this world, times as moto wants them, and values in the service's precision."""
        if isinstance(told, datetime):
            return naive(told.timestamp())
        if not isinstance(told, Mapping):
            return told
        answer = {name: self._as_the_service_says(value) for name, value in told.items()}
        if "TrainingJobArn" in answer:
            answer["TrainingJobArn"] = arn_of(self.place, "training-job", answer["TrainingJobName"])
        if "Value" in answer:
            answer["Value"] = in_32_bits(answer["Value"])
        return answer


def _let_all_look(now: float) -> None:
    """Nothing happens; but whoever watches the world is called."""
