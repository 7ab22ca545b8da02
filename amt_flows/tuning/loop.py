"""The loop that drives a tuning job through AMT's four stages: propose, launch, early-stopping check,
completion check. They are callables it is given, so that Prefect can make each a task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from amt_flows.events import Judgement, Reason
from amt_flows.ledger.running_tuning_job import News
from amt_flows.ledger.training_job import Trial
from amt_flows.ports import Resting
from amt_flows.tuning.engine import Tuning


@dataclass(frozen=True)
class Stages:
    """The four stages of the loop, as callables that a shell may wrap."""

    propose: Callable[[Tuning, int], Sequence[Trial]] = Tuning.propose
    launch: Callable[[Tuning, int], Sequence[str]] = Tuning.launch
    check_early_stopping: Callable[[Tuning], Sequence[Judgement]] = Tuning.check_early_stopping
    check_completion: Callable[[Tuning], Sequence[Reason]] = Tuning.check_completion


def drive(
    tuning: Tuning,
    stages: Stages | None = None,
    *,
    on_tick: Callable[[Tuning, News], None] = lambda tuning, news: None,
) -> None:
    """Run a tuning job to its end. A stage is called only when there is something new for it.

    ``on_tick`` is called once a round, after the stages, and must not raise.
    """
    stages = stages or Stages()
    try:
        while not tuning.ledger.finished:
            news = take_round(tuning, stages)
            on_tick(tuning, news)
            if not tuning.ledger.finished and not tuning.check_is_due():
                if not news.ended:
                    # After an end there may be another: the time for a draft is when nothing is to be done.
                    tuning.draft()
                tuning.wait()
    finally:
        if isinstance(tuning.backend, Resting):
            tuning.backend.rest(tuning.ledger.name)


def take_round(tuning: Tuning, stages: Stages) -> News:
    """One round of :func:`drive`, without its wait: for whoever is called when something has changed."""
    with tuning.round():
        return _take_round(tuning, stages)


def _take_round(tuning: Tuning, stages: Stages) -> News:
    news = tuning.observe()
    if news.epochs:
        stages.check_early_stopping(tuning)
    target_on_epochs = tuning.ledger.spec.completion.target_on_epochs
    if news.ended or (news.epochs and target_on_epochs) or tuning.check_is_due():
        stages.check_completion(tuning)
    if tuning.ledger.concluding:
        if tuning.ledger.live:
            tuning.stop_running_jobs()
        else:
            tuning.finish()
    else:
        fill_slots(tuning, stages)
    return news


def fill_slots(tuning: Tuning, stages: Stages) -> None:
    """Launch what waits, and propose and launch more while there is a free slot."""
    while (slots := tuning.free_slots()) > 0:
        waiting = tuning.waiting()
        if waiting < slots and not tuning.exhausted:
            stages.propose(tuning, slots - waiting)
        if not tuning.waiting() or not stages.launch(tuning, slots):
            break
    if ahead := tuning.ahead():
        stages.propose(tuning, ahead)
