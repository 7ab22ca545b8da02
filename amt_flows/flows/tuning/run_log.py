"""What a flow run tells of a tuning job: what each stage decided, for the state of its task run, and one
line in the log for each event that a person would tell another.

``get_run_logger`` answers with the task run's log inside a task and with the flow run's outside, so the same
function serves both.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from prefect import get_run_logger

from amt_flows.events import Judgement, Outcome, Reason
from amt_flows.flows.tuning.bar_states import message_of
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import News, RunningTuningJob
from amt_flows.ledger.training_job import TrainingJob, Trial
from amt_flows.names import count
from amt_flows.show.text import hyperparameters, number
from amt_flows.tuning.engine import Tuning

T = TypeVar("T")

SUMMARY_SECONDS: Final = 60.0
SUMMARY_SHARE: Final = 0.05
"""... but no oftener than each twentieth of a tuning job's time."""


@dataclass(frozen=True)
class Told(Generic[T]):
    """What a stage came to, and what that was in words."""

    answer: T
    decided: str


def propose(tuning: Tuning, wanted: int) -> Told[Sequence[Trial]]:
    trials = tuning.propose(wanted)
    decided = "\n".join(_proposal(tuning.ledger, trial) for trial in trials)
    if len(trials) < wanted:
        nothing_left = "No configuration is left that was not tried"
        get_run_logger().info("%s; there are %d.", nothing_left, len(tuning.ledger.trials))
        decided = "\n".join(filter(None, (decided, f"{nothing_left}.")))
    return Told(trials, decided)


def _proposal(ledger: Ledger, trial: Trial) -> str:
    if ledger.is_resumed(trial.number):
        return f"{_called(trial)} goes on from its checkpoints: {ledger.resumed[trial.number].reason}"
    why = f" ({trial.reason})" if trial.reason else ""
    return f"{_called(trial)} by {trial.source}{why}: {hyperparameters(dict(trial.configuration))}"


def _called(trial: Trial) -> str:
    whose = f" of {trial.definition}" if trial.definition else ""
    return f"Trial {trial.number:03d}{whose}"


def launch(tuning: Tuning, wanted: int) -> Told[Sequence[str]]:
    names = tuning.launch(wanted)
    log, ledger = get_run_logger(), tuning.ledger
    lines = []
    for name in names:
        trial = ledger.trials[ledger.jobs[name].trial]
        lines.append(f"Launched {name}: {hyperparameters(dict(trial.configuration))}")
        log.info("%s.", lines[-1])
    if len(names) < wanted and tuning.waiting():
        why = f": {tuning.held_up_by}" if tuning.held_up_by else "."
        lines.append(f"{count(tuning.waiting(), 'trial')} waiting for a place to run{why}")
        # The same again, at each new try, says nothing new.
        log.log(logging.INFO if names else logging.DEBUG, "%s", lines[-1])
    return Told(names, "\n".join(lines) or "Nothing was launched.")


def check_early_stopping(tuning: Tuning) -> Told[Sequence[Judgement]]:
    judgements = tuning.check_early_stopping()
    stops = [judgement for judgement in judgements if judgement.stop]
    lines = [f"Stopping {stop.job} early: {stop.why}." for stop in stops]
    for line in lines:
        get_run_logger().info("%s", line)
    if judgements and not stops:
        last = judgements[-1]
        lines = [f"{count(len(judgements), 'epoch')} judged, none stopped; {last.job}: {last.why}."]
    return Told(judgements, "\n".join(lines))


def check_completion(tuning: Tuning) -> Told[Sequence[Reason]]:
    reasons = tuning.check_completion()
    lines = [f"The tuning job ends by {reason.rule}: {reason.message}." for reason in reasons]
    for line in lines:
        get_run_logger().info("%s", line)
    return Told(reasons, "\n".join(lines) or f"Going on: {standing(tuning.ledger)}.")


def tell_ends(followed: RunningTuningJob, news: News) -> None:
    """How training jobs ended. That one was stopped early has been told when it was."""
    for name in news.ended:
        job = followed.ledger.jobs[name]
        if job.outcome is not Outcome.STOPPED_EARLY:
            level = logging.WARNING if job.failed else logging.INFO
            get_run_logger().log(level, "%s.", _end(followed.ledger, job))


def _end(ledger: Ledger, job: TrainingJob) -> str:
    outcome = "ended" if job.outcome is None else job.outcome.value
    why = message_of(ledger, job)
    return f"{job.name} {outcome}: {why}" if why else f"{job.name} {outcome}"


def standing(ledger: Ledger) -> str:
    """Where a tuning job stands, on one line: ``4 of 10 training jobs ended, 2 running; best ...``."""
    ended, most = len(ledger.ended), ledger.spec.limits.max_number_of_training_jobs
    of = count(ended, "training job") if most is None else f"{ended} of {count(most, 'training job')}"
    return f"{of} ended, {len(ledger.live)} running; {_best(ledger)}"


def _best(ledger: Ledger) -> str:
    best, metric = ledger.best, ledger.leading_algorithm.metric_name
    if best is None:
        return f"no best {metric} yet"
    return f"best {metric} {number(best.final_value)} by {best.name}"


class Summary:
    """Says now and then where a long tuning job stands."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_at = self._told_at = clock()
        self._told = ""

    def tick(self, followed: RunningTuningJob) -> None:
        now = self._clock()
        pause = max(SUMMARY_SECONDS, SUMMARY_SHARE * (now - self._began_at))
        if now - self._told_at < pause or followed.ledger.finished:
            return
        self._told_at = now
        line = standing(followed.ledger)
        if line != self._told:
            get_run_logger().info("%s.", line)
        self._told = line
