"""``plan``: what a tuning job would do, found out without launching or writing anything.

The first training jobs are those that the engine itself proposes and asks for, on a backend of paper; how
long it takes is what the engine itself does on a clock that jumps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from amt_flows.backends.places import Place, SageMakerTuner
from amt_flows.backends.quota import with_quota
from amt_flows.errors import BackendError, Problem, SpecError
from amt_flows.events import Inherited, number_to_json
from amt_flows.ledger.algorithms import algorithms_of
from amt_flows.ledger.ledger import Ledger
from amt_flows.names import count
from amt_flows.plan import amt_words, words
from amt_flows.plan.estimate import (
    Estimate,
    all_configurations,
    compute_seconds,
    estimate,
    hourly_price,
    most_cost,
    most_instances,
    most_jobs,
    most_runtime,
    tried_before,
)
from amt_flows.plan.first_jobs import PlannedJob, PlannedProposal, first_training_jobs
from amt_flows.plan.job_length import JobLength, length_in, length_inherited
from amt_flows.plan.likely import Likely, likely
from amt_flows.plan.paper import UNNAMED
from amt_flows.plan.prepare import prepare
from amt_flows.plan.prices import Price
from amt_flows.plan.words import PlannedRange, constraints_in_words, planned_ranges
from amt_flows.ports import Backend, HasRoom
from amt_flows.show.text import number
from amt_flows.spec import StrategyType, TuningSpec, differences
from amt_flows.tracking.beside import problems_of as not_trackable
from amt_flows.tuning.notices import notices
from amt_flows.tuning.problems import problems_on, unsupported
from amt_flows.tuning.warm_start import Reader
from amt_flows.tuning.warm_start.reader import remembered

FIRST_JOBS = 3


@dataclass(frozen=True)
class Existing:
    """The tuning job that has this name already."""

    status: str
    jobs: int
    differences: tuple[str, ...]
    """Between its spec and this one. None: running it goes on with it, or returns its result."""


@dataclass(frozen=True)
class Plan:
    name: str | None
    strategy: str
    objective: str
    problems: tuple[Problem, ...]
    """Why it can't run here. The rest of the plan says what it would do otherwise."""
    warnings: tuple[str, ...]
    ranges: tuple[PlannedRange, ...]
    configurations: int | None
    """How many there are to try; None: without end."""
    criteria: tuple[str, ...]
    early_stopping: str
    parallel: int
    most_jobs: int | None
    """Training jobs that can be launched at most, as far as that is known without knowing how long
    one takes."""
    worst_case_cost: float | None
    """None when no price is given, infinite when nothing bounds it."""
    worst_case_runtime_seconds: float | None = None
    """Wall-clock time; None when nothing bounds it."""
    max_runtime_seconds: int | None = None
    instances: int = 1
    """Of a training job."""
    compute_seconds: float | None = None
    """The maximum compute time as AMT's guide estimates it; None without a limit of the run time."""
    price: Price | None = None
    """None when it is not known; then ``price_note`` may say why."""
    price_note: str = ""
    constraints: tuple[str, ...] = ()
    """What every configuration meets."""
    proposals: tuple[PlannedProposal, ...] = ()
    """The first configurations, as if no training job ended meanwhile."""
    first_jobs: tuple[PlannedJob, ...] = ()
    amt_request: dict[str, Any] | None = None
    """The body of the request, where SageMaker's own tuner is to drive the tuning job."""
    estimate: Estimate | None = None
    """If every training job completes; None when it isn't known how long one takes."""
    likely: Likely | None = None
    """With early stopping, and what else is assumed; None without anything to assume."""
    job_length: JobLength | None = None
    existing: Existing | None = None
    chosen: tuple[str, ...] = ()
    """What was left to us to choose: what it comes to and why, a sentence each."""
    inherited: tuple[str, ...] = ()
    """What it starts from: a sentence for each parent."""
    known_before: tuple[str, ...] = ()
    """What earlier tuning jobs searched this space, and don't take part: by ``learn_from`` they would."""
    starts: tuple[str, ...] = ()
    """What it starts from beside them: first guesses, and configurations known for the algorithm."""
    room: tuple[str, ...] = ()
    """How many of the training jobs that say what they need have room at once, a sentence for each
    algorithm."""
    fingerprint: str = field(default="", repr=False)
    seed: int = 0
    """Of the first jobs shown."""
    seed_is_drawn: bool = False
    """A run draws a seed of its own, so that its jobs are others."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        data = asdict(self)
        data["problems"] = [{"field": p.field, "message": str(p)} for p in self.problems]
        if self.worst_case_cost is not None:
            data["worst_case_cost"] = number_to_json(self.worst_case_cost)
        return data


def plan(
    spec: TuningSpec,
    backend: Place,
    *,
    job_seconds: float | None = None,
    startup_seconds: float | None = None,
    like: Ledger | None = None,
    first_jobs: int = FIRST_JOBS,
    proposals: int = 0,
    existing: Ledger | None = None,
    parents: Reader | None = None,
    price: Price | None = None,
    price_note: str = "",
) -> Plan:
    """What running ``spec`` on ``backend`` would do.

    ``job_seconds``: how long one training job may take, from which the whole is estimated, after
    ``startup_seconds`` until it trains; without it, the training jobs of ``like``, of ``existing`` (the
    ledger of that name, if there is one) or of a warm start's parents say. ``proposals``: how many of the
    first configurations to show beside those of the ``first_jobs``. ``parents`` finds those of a warm start,
    as for ``Tuning.open``. ``price``: where ``training_job.price_per_hour`` comes from when a table filled it
    in, and ``price_note`` why it couldn't.
    """
    asked = spec
    existing = existing if existing is not None and existing.opened else None
    seed = spec.seed if spec.seed is not None else 0 if existing is None else existing.seed
    if isinstance(backend, SageMakerTuner):
        made = _left_to_amt(spec)
    else:
        reader, shown = None if parents is None else remembered(parents), max(first_jobs, proposals)
        made = _ours(spec, backend, shown, reader, seed)
    spec, tried = made.spec, tried_before(made.spec, made.events)
    rules = amt_words if isinstance(backend, SageMakerTuner) else words
    length = _length(job_seconds, startup_seconds, [like, existing], made.events)
    known = length if made.can_be_estimated else None
    priced = hourly_price(spec)
    price = price or (None if priced is None else Price(priced, "training_job.price_per_hour"))
    return Plan(
        name=spec.name,
        strategy=spec.strategy.value,
        objective=" and ".join(
            f"{one.type.value} {one.metric_name}" for one in (spec.objective, *spec.other_objectives)
        ),
        problems=made.problems,
        warnings=(*notices(spec, backend.address), *_nothing_to_try(spec, tried)),
        ranges=planned_ranges(spec, made.proposals),
        configurations=all_configurations(spec),
        criteria=rules.criteria_in_words(spec),
        early_stopping=rules.early_stopping_in_words(spec),
        parallel=spec.limits.max_parallel_training_jobs,
        most_jobs=most_jobs(spec, tried),
        worst_case_cost=most_cost(spec, tried),
        worst_case_runtime_seconds=most_runtime(spec, tried),
        max_runtime_seconds=spec.limits.max_runtime_seconds,
        instances=most_instances(spec),
        compute_seconds=compute_seconds(spec),
        price=price,
        price_note="" if price is not None else price_note,
        constraints=constraints_in_words(spec),
        proposals=made.proposals,
        first_jobs=made.first_jobs[:first_jobs],
        amt_request=made.amt_request,
        estimate=None if known is None else estimate(spec, known.seconds, known.startup_seconds, tried),
        likely=None if known is None else likely(rules.stopping_as(spec), known, price, tried),
        job_length=length,
        existing=None if existing is None else _compared(existing, asked),
        chosen=made.chosen,
        inherited=made.inherited,
        # One that has begun learns nothing more.
        known_before=made.known_before if existing is None else (),
        starts=made.starts if existing is None else existing.starts_from,
        room=tuple(_room(spec, backend)),
        fingerprint=asked.fingerprint(),
        seed=seed,
        seed_is_drawn=asked.seed is None and existing is None and asked.strategy is not StrategyType.GRID,
    )


def _nothing_to_try(spec: TuningSpec, tried: int) -> Iterator[str]:
    if tried and tried == all_configurations(spec):
        yield (
            "warm_start.parents: they tried every configuration, so that no training job would be launched "
            "and the tuning job would fail; widen a range, or let the parents be hints (TransferLearning)"
        )


def _room(spec: TuningSpec, backend: Place) -> Iterator[str]:
    for algorithm in algorithms_of(spec):
        need = algorithm.spec.training_job.resources
        if not need.is_asked or not isinstance(backend, HasRoom):
            continue
        try:
            room = backend.room(need)
        except BackendError as error:
            yield f"how many training jobs have room at once is not known: {error.happened}"
            continue
        of = f" of {algorithm.name}" if algorithm.name else ""
        many = "as many" if room.at_once is None else count(room.at_once, "training job")
        each = ", ".join(f"{name} {number(amount)}" for name, amount in need.amounts().items())
        yield f"{many}{of} at once {'have' if room.at_once != 1 else 'has'} room ({room.why}; each: {each})"


def _length(
    seconds: float | None,
    startup_seconds: float | None,
    ledgers: Sequence[Ledger | None],
    inherited: Sequence[Inherited],
) -> JobLength | None:
    known = next(filter(None, (length_in(ledger) for ledger in ledgers if ledger is not None)), None)
    found = known or length_inherited(inherited)
    if seconds is not None:
        # How many epochs it has is still worth knowing.
        found = JobLength(seconds, "as given", epochs=None if found is None else found.epochs)
    if found is None or startup_seconds is None:
        return found
    return replace(found, startup_seconds=startup_seconds)


@dataclass(frozen=True)
class _Made:
    """What depends on who drives the tuning job."""

    spec: TuningSpec
    problems: tuple[Problem, ...]
    first_jobs: tuple[PlannedJob, ...] = ()
    proposals: tuple[PlannedProposal, ...] = ()
    amt_request: dict[str, Any] | None = None
    chosen: tuple[str, ...] = ()
    inherited: tuple[str, ...] = ()
    known_before: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    events: tuple[Inherited, ...] = ()
    can_be_estimated: bool = False


def _ours(spec: TuningSpec, backend: Backend, count: int, parents: Reader | None, seed: int) -> _Made:
    prepared = prepare(spec, parents)
    refused = [*prepared.problems, *unsupported(prepared.spec)]
    # What can't be driven can't be asked for its first jobs either.
    seeded = prepared.spec.model_copy(update={"seed": seed})
    jobs, proposals = ((), ()) if refused else first_training_jobs(seeded, backend, count, parents)
    return _Made(
        spec=prepared.spec,
        problems=(
            *refused,
            *not_trackable(prepared.spec),
            *problems_on(with_quota(backend, prepared.spec), prepared.spec),
        ),
        first_jobs=jobs,
        proposals=proposals,
        chosen=prepared.chosen,
        inherited=prepared.inherited,
        known_before=prepared.known_before,
        starts=prepared.starts,
        events=prepared.events,
        can_be_estimated=not refused,
    )


def _left_to_amt(spec: TuningSpec) -> _Made:
    from amt_flows.amt.request import amt_request

    try:
        # What it proposes, only AMT knows; the request is all that there is to show.
        body = amt_request(spec if spec.name else spec.named(UNNAMED))
        return _Made(
            spec, tuple(not_trackable(spec)), amt_request=body, can_be_estimated=not unsupported(spec)
        )
    except SpecError as error:
        return _Made(spec, error.problems)


def _compared(existing: Ledger, spec: TuningSpec) -> Existing:
    old, new = existing.asked.to_json(), spec.to_json()
    old.pop("name", None)
    new.pop("name", None)
    return Existing(existing.status.value, len(existing.jobs), tuple(differences(old, new)))
