"""The stages of the loop, each telling in the run's log what it did and why.

``get_run_logger`` answers with the task run's log inside a task and with the flow run's outside, so the same
function serves both.
"""

from __future__ import annotations

from collections.abc import Sequence

from prefect import get_run_logger

from amt_flows.events import Judgement, Reason
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import News, RunningTuningJob
from amt_flows.ledger.training_job import Trial
from amt_flows.show.text import count, hyperparameters, number
from amt_flows.tuning.engine import Tuning


def propose(tuning: Tuning, wanted: int) -> Sequence[Trial]:
    trials = tuning.propose(wanted)
    log = get_run_logger()
    for trial in trials:
        why = f" ({trial.reason})" if trial.reason else ""
        text = hyperparameters(dict(trial.configuration))
        whose = f" of {trial.definition}" if trial.definition else ""
        log.info("Trial %03d%s by %s%s: %s", trial.number, whose, trial.source, why, text)
    if len(trials) < wanted:
        log.info("No configuration is left that was not tried; there are %d.", len(tuning.ledger.trials))
    return trials


def launch(tuning: Tuning, wanted: int) -> Sequence[str]:
    names = tuning.launch(wanted)
    log = get_run_logger()
    if names:
        log.info("Launched %s; %d running.", ", ".join(names), len(tuning.ledger.live))
    if len(names) < wanted and tuning.waiting():
        why = f": {tuning.held_up_by}" if tuning.held_up_by else "."
        log.info("%s waiting for a place to run%s", count(tuning.waiting(), "trial"), why)
    return names


def check_early_stopping(tuning: Tuning) -> Sequence[Judgement]:
    judgements = tuning.check_early_stopping()
    log = get_run_logger()
    stops = [judgement for judgement in judgements if judgement.stop]
    for stop in stops:
        log.info("Stopping %s early: %s.", stop.job, stop.why)
    if judgements and not stops:
        last = judgements[-1]
        log.info("%s judged, none stopped; %s: %s.", count(len(judgements), "epoch"), last.job, last.why)
    return judgements


def check_completion(tuning: Tuning) -> Sequence[Reason]:
    reasons = tuning.check_completion()
    log = get_run_logger()
    for reason in reasons:
        log.info("The tuning job ends by %s: %s.", reason.rule, reason.message)
    if not reasons:
        log.info("Going on: %s.", standing(tuning.ledger))
    return reasons


def follow(followed: RunningTuningJob, news: News) -> None:
    """What SageMaker's own tuner did, as far as it is news."""
    log, ledger = get_run_logger(), followed.ledger
    for name in news.ended:
        job = ledger.jobs[name]
        outcome = "ended" if job.outcome is None else job.outcome.value
        log.info("%s %s; %s.", name, outcome, standing(ledger))


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
