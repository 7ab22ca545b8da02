"""From a trial to its training job: the name, the request, and what became of a launch that its controller
did not live to confirm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from amt_flows.events import Event, Launched
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.names import training_job_name
from amt_flows.ledger.record import Record
from amt_flows.ports import Backend, FoundJob, JobRequest, JobState
from amt_flows.space.space import hyperparameter_texts
from amt_flows.spec.spaces import values_of


def job_name(ledger: Ledger, trial: int, attempt: int) -> str:
    one = ledger.trials[trial]
    return training_job_name(
        ledger.name, trial, one.configuration, attempt, definition=ledger.algorithm(one).name
    )


def job_request(ledger: Ledger, trial: int, attempt: int) -> JobRequest:
    """What a backend needs to run an attempt at a trial, as its algorithm has it."""
    one = ledger.trials[trial]
    algorithm = ledger.algorithm(one)
    spec = algorithm.spec
    return JobRequest(
        name=job_name(ledger, trial, attempt),
        tuning_job=ledger.name,
        trial=trial,
        attempt=attempt,
        hyperparameters={
            **{name: str(text) for name, text in spec.static_hyperparameters.items()},
            **hyperparameter_texts(one.configuration),
        },
        values=values_of(spec, one.configuration),
        fingerprint=ledger.fingerprint,
        template=spec.training_job,
        objective_metric=algorithm.metric_name,
        tags=spec.tags,
        definition=algorithm.name,
        other_metrics=spec.other_metrics,
        resumptions=ledger.resumptions(trial),
        seed=ledger.drawn_seed,
    )


def unknown_jobs(ledger: Ledger, found: Sequence[FoundJob]) -> list[FoundJob]:
    """Those of our trials that the ledger lacks."""
    return [
        job
        for job in found
        if job.name not in ledger.jobs
        and job.fingerprint == ledger.fingerprint
        and job.trial in ledger.trials
    ]


def end_what_nobody_looks_for(record: Record, backend: Backend, events: Sequence[Event]) -> None:
    """Of a fenced controller that has launched what it can't write down. The successor looks for that when it
    closes the record; if that has happened, nobody will."""
    told = (*record.gathered, *events)
    launched = [event.job for event in told if isinstance(event, Launched)]
    latest = record.latest() if launched else None
    if latest is not None and latest.finished:
        backend.stop(record.ledger.name, launched, kill=True)


@dataclass(frozen=True)
class HalfLaunched:
    """The launch that was decided and never confirmed, if there is one: the backend may have it, or get it
    yet from a controller that stood still in the middle of it."""

    ledger: Ledger
    backend: Backend

    @property
    def name(self) -> str | None:
        """Of the training job."""
        return None if self.ledger.launching is None else job_name(self.ledger, *self.ledger.launching)

    def settle(self, record: Callable[[Launched], None], now: float) -> bool:
        """Find out whether it came about, and have it recorded if so. False when that can't be known yet. It
        is asked for by its name, since a search may lag."""
        name = self.name
        if name is None or self.ledger.launching is None:
            return True
        state = self.backend.poll(self.ledger.name, [name])[0].state
        # STARTING is also what a backend says that can't look at the moment.
        if state not in (JobState.LOST, JobState.STARTING):
            record(Launched(now, name, *self.ledger.launching))
        return state is not JobState.STARTING

    def end(self) -> None:
        """Leave nothing of it alive."""
        if self.name is not None:
            self.backend.stop(self.ledger.name, [self.name], kill=True)
