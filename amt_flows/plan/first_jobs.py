"""The first training jobs of a plan: as the engine would ask a backend for them if none had ended yet."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amt_flows.backends.function_job.loading import called, digest_in
from amt_flows.backends.local.paths import JobPaths
from amt_flows.backends.local.request import command_line, environment
from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.plan.paper import UNNAMED
from amt_flows.ports import Backend, JobRequest
from amt_flows.space.space import Value
from amt_flows.spec import StrategyType, TuningSpec
from amt_flows.strategies.choose import strategy_of
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.starts.starting import MOST, SHARE
from amt_flows.tuning.warm_start import Reader

HIDDEN = "(not shown)"


@dataclass(frozen=True)
class PlannedJob:
    """One of the first training jobs. Of its environment there are the names, never the values: a plan is
    pasted into tickets."""

    name: str
    source: str
    hyperparameters: dict[str, str]
    command: str
    """What is run; empty where it is an image that decides."""
    environment: tuple[str, ...]
    """The variables that the spec gives."""
    contract_environment: tuple[str, ...]
    """Those of the container contract beside them."""
    request: dict[str, Any] | None = None
    """On SageMaker: the body of its ``CreateTrainingJob``."""


@dataclass(frozen=True)
class PlannedProposal:
    """What would be proposed: the values of a configuration in their own types, and who proposes it."""

    configuration: dict[str, Value]
    source: str
    algorithm: str = ""
    """Whose it is, of several."""


def first_training_jobs(
    spec: TuningSpec, backend: Backend, count: int, parents: Reader | None = None
) -> tuple[tuple[PlannedJob, ...], tuple[PlannedProposal, ...]]:
    """The first ``count`` of them and their proposals, as if none ended meanwhile. ``backend`` is not
    touched; its address says what a job is there."""
    if count == 0:
        return (), ()
    clock = VirtualClock()
    paper = SimulatedBackend(clock, lambda hyperparameters: Script(hangs=True))
    strategy = strategy_of(spec)
    tuning = Tuning.open(
        _all_at_once(spec, count), paper, MemoryJournal(), clock=clock, strategy=strategy, parents=parents
    )
    tuning.propose(count)
    tuning.launch(count)
    trials = tuning.ledger.trials
    on_sagemaker = backend.address.startswith("sagemaker")
    shown = _on_sagemaker if on_sagemaker else _on_this_machine if is_here(backend) else _elsewhere
    # On paper they belonged to a spec with wider limits; its fingerprint must not be shown as theirs.
    named = spec if spec.name is not None else spec.named(UNNAMED)
    requests = [replace(job.request, fingerprint=named.fingerprint()) for job in paper.jobs.values()]
    jobs = tuple(shown(request, trials[request.trial].source) for request in requests)
    proposed = [trials[request.trial] for request in requests]
    return jobs, tuple(
        PlannedProposal(dict(one.configuration), one.source, one.definition) for one in proposed
    )


def _all_at_once(spec: TuningSpec, count: int) -> TuningSpec:
    """The same spec, but it may launch ``count`` jobs now: how many run at once changes no proposal."""
    limits: dict[str, object] = {"max_parallel_training_jobs": count, "max_cost": None}
    if spec.limits.max_number_of_training_jobs is None and spec.strategy is not StrategyType.GRID:
        # The cost may have been all that ended it.
        # So many that what it starts from isn't cut to a share of those shown.
        limits["max_number_of_training_jobs"] = max(count, SHARE * MOST)
    update = {"limits": spec.limits.model_copy(update=limits), "name": spec.name or UNNAMED}
    return spec.model_copy(update=update)


def _on_this_machine(request: JobRequest, source: str) -> PlannedJob:
    own = set(request.template.environment)
    return PlannedJob(
        name=request.name,
        source=source,
        hyperparameters=dict(request.hyperparameters),
        command=_what_runs(request),
        environment=tuple(sorted(own)),
        contract_environment=tuple(sorted(set(environment(request, JobPaths(Path()))) - own)),
    )


def is_here(backend: Backend) -> bool:
    """Whether its training jobs run with our own interpreter."""
    return backend.address.partition(":")[0] not in ("ray", "work-pool")


def _elsewhere(request: JobRequest, source: str) -> PlannedJob:
    return replace(_on_this_machine(request, source), command=_what_runs(request, python="python3"))


def _on_sagemaker(request: JobRequest, source: str) -> PlannedJob:
    from amt_flows.backends.sagemaker.request import create_training_job_request

    try:
        body: dict[str, Any] | None = create_training_job_request(request)
    except ValueError:
        # What is wrong with it stands among the plan's problems.
        body = None
    if body is not None and "Environment" in body:
        body["Environment"] = dict.fromkeys(body["Environment"], HIDDEN)
    return PlannedJob(
        name=request.name,
        source=source,
        hyperparameters=dict(request.hyperparameters),
        command="",
        environment=tuple(sorted(request.template.environment)),
        contract_environment=(),
        request=body,
    )


def _what_runs(request: JobRequest, python: str | None = None) -> str:
    """The command line as one would type it, or the call of a function."""
    if request.template.function is None and not request.template.command:
        # What is wrong with it stands among the plan's problems.
        return ""
    if request.template.function is None:
        return shlex.join(command_line(request, Path(), python=python))
    arguments = ", ".join(f"{name}={value}" for name, value in request.hyperparameters.items())
    function = request.template.function
    return f"{called(function) if digest_in(function) else function}({arguments})"
