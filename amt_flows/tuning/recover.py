"""Rebuild a lost journal from the training jobs themselves.

A training job's name, tags and hyperparameters tell its trial, attempt, algorithm, configuration and the
fingerprint of its spec; its output tells the rest. What only the journal knew is gone: why a configuration
was proposed, why a job was stopped, and proposals that were never launched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from amt_flows.backends.local.controller import this_controller
from amt_flows.errors import JournalError, Problem, SpecError, TuningJobNotFound
from amt_flows.events import Event, Launched, Opened, Proposed
from amt_flows.ledger.algorithms import Algorithm, algorithms_of
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.names import parse_training_job_name, training_job_name
from amt_flows.ports import Backend, Clock, FoundJob, Journal, SystemClock
from amt_flows.space.space import Value
from amt_flows.space.values import configuration_from
from amt_flows.spec import TuningSpec
from amt_flows.tuning.autotune import chosen
from amt_flows.tuning.engine import Tuning

SOURCE = "recovered"


def recover(
    spec: TuningSpec,
    backend: Callable[[], Backend],
    journal: Journal,
    *,
    clock: Clock | None = None,
) -> Ledger:
    """Write the journal of ``spec``'s tuning job anew, from what its training jobs tell. Launches nothing and
    stops nothing; running the same spec then goes on with it. ``backend`` makes one.

    The seed is the one that the jobs carry. Budgets don't start anew: all training jobs count, and time runs
    from the first one's start.

    Raises JournalError if there is a journal, even a damaged one (it must be moved away first: it may know
    more), TuningJobNotFound if there is no training job of that name, SpecError if they belong to another
    spec.
    """
    if spec.name is None:
        raise SpecError([Problem("name", None, "give the name of the tuning job whose record was lost")])
    _must_be_empty(journal)
    first_look = backend()
    found = sorted(first_look.find(spec.name), key=lambda job: (job.trial, job.attempt))
    if not found:
        raise TuningJobNotFound(
            f"No training job of {spec.name} was found on {first_look.address or 'this backend'}.",
            remedy="check the name, the home directory or region, and the account",
        )
    name, spec = spec.name, _without_a_drawn_seed(spec, found)
    _must_be_ours(spec, found)
    started = {
        report.name: report.started_at
        for report in first_look.poll(name, [job.name for job in found])
        if report.started_at is not None
    }
    clock = clock or SystemClock()
    opened_at = min(started.values(), default=clock.now())
    address = first_look.address
    journal.append(0, _events(spec, found, started, opened_at=opened_at, address=address))
    # From here on it is the engine's daily work. By another backend object: one tells each value once.
    # Nothing is launched: what would keep a training job from running matters later.
    tuning = Tuning.open(spec, backend(), journal, clock=clock, checked=False)
    tuning.observe()
    return tuning.ledger


def _must_be_empty(journal: Journal) -> None:
    try:
        entries = journal.read()
    except JournalError as error:
        raise JournalError(
            f"There is a journal at {journal.location}, and it is damaged: {error.happened}",
            remedy="restore it if you can; else move it away, and recover again",
        ) from error
    if entries:
        raise JournalError(
            f"There is a journal at {journal.location}; nothing has to be recovered.",
            remedy="run the same spec again to go on with it",
        )


def _must_be_ours(spec: TuningSpec, found: Sequence[FoundJob]) -> None:
    others = [job.name for job in found if job.fingerprint != spec.fingerprint()]
    if others:
        which = f"{others[0]} and {len(others) - 1} others" if len(others) > 1 else others[0]
        message = f"this is not the spec of {which}; give the one that the tuning job was started with"
        raise SpecError([Problem("spec", spec.name, message)])


def _without_a_drawn_seed(spec: TuningSpec, found: Sequence[FoundJob]) -> TuningSpec:
    """A seed that is the one which was drawn for these jobs is none that was given."""
    seedless = spec.model_copy(update={"seed": None})
    drawn = all(job.fingerprint == seedless.fingerprint() for job in found)
    return seedless if drawn and spec.seed == (_drawn_seed(found) or 0) else spec


def _drawn_seed(found: Sequence[FoundJob]) -> int | None:
    """What these jobs carry; None where the spec has one, and for jobs of the first versions."""
    return next((job.seed for job in found if job.seed is not None), None)


def _events(
    spec: TuningSpec,
    found: Sequence[FoundJob],
    started: dict[str, float],
    *,
    opened_at: float,
    address: str,
) -> list[Event]:
    choice = chosen(spec)
    name, every = str(spec.name), algorithms_of(choice.spec)
    events: list[Event] = [
        Opened(
            at=opened_at,
            name=name,
            fingerprint=spec.fingerprint(),
            spec=choice.spec.to_json(),
            controller=this_controller(),
            backend=address,
            asked=spec.to_json() if choice.why else {},
            chosen=choice.why,
            seed=_drawn_seed(found),
        )
    ]
    trials: set[int] = set()
    for job in found:
        at = started.get(job.name, opened_at)
        if job.trial not in trials:
            trials.add(job.trial)
            definition, configuration = _what_it_trains(every, job)
            why = f"found as {job.name}"
            events.append(Proposed(at, job.trial, configuration, SOURCE, why, definition))
        events.append(Launched(at, job.name, job.trial, job.attempt))
    return events


def _what_it_trains(every: Sequence[Algorithm], job: FoundJob) -> tuple[str, dict[str, Value]]:
    """The definition's name and the configuration of a training job. Which of several algorithms it is of,
    the digits in its name tell: they are those of its definition and configuration. Raises JournalError."""
    if len(every) == 1:
        return every[0].name, configuration_from(every[0].space, job.hyperparameters)
    parts = parse_training_job_name(job.name)
    for algorithm in every:
        try:
            configuration = configuration_from(algorithm.space, job.hyperparameters)
        except (KeyError, ValueError):
            continue  # it has not this algorithm's hyperparameters
        name = training_job_name(
            "" if parts is None else parts.tuning_job,
            job.trial,
            configuration,
            job.attempt,
            definition=algorithm.name,
        )
        if name == job.name:
            return algorithm.name, configuration
    raise JournalError(
        f"Nobody can tell which of {len(every)} algorithms the training job {job.name} is of.",
        because="it was given another name, or other hyperparameters, than those it was launched with",
    )
