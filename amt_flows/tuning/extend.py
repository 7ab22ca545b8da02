"""Give a tuning job other limits and completion criteria, whether it runs or has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amt_flows.backends.local.controller import Controller
from amt_flows.backends.places import AMT
from amt_flows.errors import AmtFlowsError, Fenced, Problem, SpecError
from amt_flows.events import Extended, Reason
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.record import Reading, Record, TakenOver, watched
from amt_flows.ports import Clock, Journal, SystemClock
from amt_flows.rules.completion import reasons_to_complete, reasons_to_fail
from amt_flows.spec.extension import extended

TRIES = 20

_AHEAD = TakenOver(
    "Tuning job {name} is written to all the time by {holder}.",
    because="its training jobs tell of many epochs",
    remedy="try again",
)


def extend(name: str, journal: Journal, changes: Mapping[str, Any], *, clock: Clock | None = None) -> Ledger:
    """Change limits and completion criteria, by their paths in the spec (``limits.max_cost``); None lifts
    one. Returns the ledger after it.

    A tuning job that has ended is InProgress again, and whoever resumes it goes on with it; one that runs is
    gone on with by its controller, within these limits. All counts go on; the time between an end and its
    extension counts for no limit.

    Raises TuningJobNotFound, JournalError, SpecError for anything that can't be changed or would end it at
    once, and AmtFlowsError while it is ending, and for one that AMT drives.
    """
    clock = clock or SystemClock()
    watched(journal, name)
    for _ in range(TRIES):
        record = Record(journal, clock, _AHEAD)
        ledger = record.ledger
        _must_be_extendable(ledger)
        event = Extended(record.now(), dict(changes))
        after = _after(journal, event)
        if ledger.finished:
            _must_go_on(ledger, after, record.now())
            journal.take_back_stop()
        try:
            journal.append(record.next_entry, [event])
        except Fenced:
            continue  # its controller was faster
        return after
    raise _AHEAD.error(name, ledger.controller)


def is_driven(ledger: Ledger) -> bool:
    """Whether somebody may drive it now."""
    return not ledger.finished and not Controller(ledger.controller).is_gone


def _after(journal: Journal, event: Extended) -> Ledger:
    ledger = Reading(journal).ledger
    extended(ledger.spec, event.changes)
    ledger.apply(event)
    return ledger


def _must_be_extendable(ledger: Ledger) -> None:
    if ledger.backend.partition(":")[0] == AMT:
        raise AmtFlowsError(
            f"Tuning job {ledger.name} is driven by SageMaker's own tuner, which changes no limits.",
            remedy="begin another one that learns from it: `warm_start`",
        )
    if ledger.concluding and not ledger.finished:
        raise AmtFlowsError(
            f"Tuning job {ledger.name} is ending.", remedy="extend it when it has ended, in a moment"
        )


def _must_go_on(before: Ledger, after: Ledger, now: float) -> None:
    """Raises SpecError, which names what would end it again at once."""
    still: tuple[Reason, ...] = (*reasons_to_fail(after, now), *reasons_to_complete(after, now))
    still += tuple(reason for reason in before.reasons if reason.rule == "SpaceExhausted")
    if still:
        field = _FIELDS.get(still[0].rule, "limits")
        message = f"it would end again at once: {still[0].message}; change this, too"
        if still[0].rule == "SpaceExhausted":
            message = (
                f"{still[0].message}; a new tuning job with other ranges may learn from it: `warm_start`"
            )
        raise SpecError([Problem(field, None, message)])


_FIELDS = {
    "MaxNumberOfTrainingJobs": "limits.max_number_of_training_jobs",
    "MaxNumberOfTrainingJobsNotImproving": "completion.max_number_of_training_jobs_not_improving",
    "MaxRuntimeInSeconds": "limits.max_runtime_seconds",
    "TargetObjectiveMetricValue": "completion.target_objective_metric_value",
    "CompleteOnConvergence": "completion.complete_on_convergence",
    "MaxCost": "limits.max_cost",
    "MaxFailedTrainingJobs": "limits.max_failed_training_jobs",
    "SpaceExhausted": "space",
}
