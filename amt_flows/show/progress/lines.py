"""Progress for a log: one line when something happens, and one a minute when nothing does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from amt_flows.events import Outcome
from amt_flows.ledger.failures import failure_line
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import News, RunningTuningJob
from amt_flows.ledger.training_job import TrainingJob
from amt_flows.names import count
from amt_flows.results import training_seconds
from amt_flows.show.text import duration, hyperparameters, number, visible

QUIET_SECONDS = 60.0


def _to_stderr(line: str) -> None:
    print(visible(line), file=sys.stderr, flush=True)


class Lines:
    """Says what is new in a ledger since the last look. What happened before the first look is summed up
    in one line."""

    def __init__(self, write: Callable[[str], None] = _to_stderr) -> None:
        self._write = write
        self._launched: set[str] = set()
        self._stopping: set[str] = set()
        self._ended = 0
        self._said_why = False
        self._finished = False
        self._opened = False
        self._held_up_by: str | None = None
        self._spoke_at = time.monotonic()

    def show(self, tuning: RunningTuningJob, news: News) -> None:
        ledger = tuning.ledger
        lines = [*self._new(ledger, tuning.now())]
        if tuning.held_up_by != self._held_up_by:
            self._held_up_by = tuning.held_up_by
            if tuning.held_up_by is not None:
                lines.append(f"{ledger.name} waits for a place to run: {tuning.held_up_by}")
        if not lines and time.monotonic() - self._spoke_at >= QUIET_SECONDS:
            lines = [still_running(ledger)]
        for line in lines:
            self._write(f"{datetime.now():%H:%M:%S} {line}")
            self._spoke_at = time.monotonic()

    def close(self) -> None:
        return None

    def _new(self, ledger: Ledger, now: float) -> Iterator[str]:
        if not self._opened:
            self._opened = True
            yield self._opening(ledger)
        for job in ledger.ended[self._ended :]:
            self._ended += 1
            yield ending(ledger, job, self._ended, now)
        for job in ledger.live:
            if job.stop_asked_at is not None and job.name not in self._stopping:
                self._stopping.add(job.name)
                yield f"{job.name} is being stopped: {job.stop_why}"
        for job in ledger.jobs.values():
            if job.name not in self._launched:
                self._launched.add(job.name)
                trial = ledger.trials[job.trial]
                whose = f"{trial.definition}, " if trial.definition else ""
                yield f"{job.name} launched: {whose}{hyperparameters(trial.configuration)}"
        if ledger.concluding and not self._said_why:
            self._said_why = True
            for reason in ledger.reasons:
                yield f"{ledger.name} is ending: {reason.message}"
        if ledger.finished and not self._finished:
            self._finished = True
            yield f"{ledger.name} ended: {ledger.status.value}, {_best(ledger)}"

    def _opening(self, ledger: Ledger) -> str:
        # The first look comes after the first launches; those that have values already are older.
        old = [job for job in ledger.jobs.values() if not job.live or len(job.curve)]
        if not old:
            return f"{ledger.name} started"
        self._launched.update(job.name for job in old)
        self._ended = len(ledger.ended)
        return f"{ledger.name} taken up: {count(self._ended, 'job')} ended before, {_best(ledger)}"


def ending(ledger: Ledger, job: TrainingJob, nth: int, now: float) -> str:
    """``[ 3/20] demo-003-1a2b3c4d completed: accuracy 0.93 after 12 epochs in 12.3 s, the best so far``."""
    how = "ended" if job.outcome is None else job.outcome.value
    most = ledger.spec.limits.max_number_of_training_jobs
    of = f"[{nth:>{len(str(most))}}/{most}]" if most is not None else f"[{nth}]"
    parts = [f"{of} {job.name} {how}: "]
    if job.final_value is None:
        parts.append(f"no {ledger.algorithm_of(job).metric_name}")
    else:
        parts.append(f"{ledger.algorithm_of(job).metric_name} {number(job.final_value)}")
        parts.append(f" after {count(job.curve.last_epoch, 'epoch')}")
    parts.append(f" in {duration(training_seconds(job, now))}")
    if job is ledger.best:
        parts.append(", the best so far")
    if job.failure and job.outcome in (Outcome.FAILED, Outcome.INFRASTRUCTURE, Outcome.LOST):
        parts.append(f": {failure_line(job.failure)}")
    return "".join(parts)


def still_running(ledger: Ledger) -> str:
    running = ", ".join(
        f"{job.name} epoch {job.curve.last_epoch} {number(job.curve.last_value)}" for job in ledger.live[:4]
    )
    return f"{ledger.name}: {len(ledger.live)} running ({running or 'none'}), {_best(ledger)}"


def _best(ledger: Ledger) -> str:
    best = ledger.best
    if best is None:
        return "no best yet"
    return f"best {ledger.leading_algorithm.metric_name} {number(best.final_value)} by {best.name}"
