"""``run_tuning``: a tuning job inside a flow run, on any backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from prefect import get_run_logger
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import CancelledRun, MissingContextError
from prefect.settings import PREFECT_UI_URL

from amt_flows.amt import follow
from amt_flows.backends.local.controller import this_controller
from amt_flows.backends.places import Place, SageMakerTuner, open_journal
from amt_flows.backends.quota import with_quota
from amt_flows.events import TuningStatus
from amt_flows.flows.api import BRIEF_SECONDS, open_api
from amt_flows.flows.quiet import quiet_task_runs
from amt_flows.flows.tuning import run_log
from amt_flows.flows.tuning.announcements import Announcer
from amt_flows.flows.tuning.artifacts import Publisher
from amt_flows.flows.tuning.bars import Bars
from amt_flows.flows.tuning.below import show_below
from amt_flows.flows.tuning.budget import TaskRunBudget
from amt_flows.flows.tuning.cancel import CancelWatch
from amt_flows.flows.tuning.library_warnings import in_the_log_of
from amt_flows.flows.tuning.parents import parents_known
from amt_flows.flows.tuning.run_log import Summary
from amt_flows.flows.tuning.stages import STAGES, TaskStages, accounts, hand_over
from amt_flows.ledger.running_tuning_job import News, OnTick, RunningTuningJob
from amt_flows.names import tuning_job_name_from
from amt_flows.ports import Backend, Clock, Journal
from amt_flows.results import TuningResult, result_of
from amt_flows.results.edges import edges
from amt_flows.results.result import usable_result
from amt_flows.show.ended_before import ended_before
from amt_flows.spec import TuningSpec
from amt_flows.tracking.beside import beside
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.interrupts import graceful_interrupts, stop_jobs_on_breakdown
from amt_flows.tuning.loop import drive
from amt_flows.tuning.notices import opening_notices
from amt_flows.tuning.series import ID_DIGITS, LONGEST_NAME
from amt_flows.tuning.warm_start import Reader


def run_tuning(
    spec: TuningSpec,
    *,
    backend: Place,
    journal: Journal | None = None,
    clock: Clock | None = None,
    budget: TaskRunBudget | None = None,
    parents: Reader | None = None,
) -> TuningResult:
    """Run a tuning job to its end as part of the flow run around it, and give back its result.

    For flows of your own, around a backend of your own::

        @flow
        def nightly(spec: TuningSpec) -> str:
            result = run_tuning(spec, backend=MyCluster())
            return candidate_of(result).artifact

    A spec without a name gets one from the flow run: the same again under a retry, so that the retry goes on
    where the first attempt stood. The journal is on this machine unless one is given, and so are the parents
    of a warm start unless ``parents`` finds them elsewhere.

    Raises SpecError before anything was launched, TuningJobFailed when the tuning job ends as Failed or
    without a training job that can be the best (its artifacts are there), and Prefect's CancelledRun when it
    was stopped because the flow run was cancelled or its process was told to end. A tuning job that somebody
    stopped by name (`amt-flows stop`) returns its result so far, and the pipeline goes on with the best
    training job found; if there was none yet, it raises TuningJobFailed, and stays Stopped.
    """
    flow_run = this_flow_run().flow_run
    name = name_in_this_run(spec)
    spec = spec if spec.name is not None else spec.named(name)
    journal = journal or open_journal(name)
    budget = budget or TaskRunBudget()
    log = get_run_logger()
    with (
        open_api() as api,
        in_the_log_of(flow_run.id),
        quiet_task_runs([stage.name for stage in STAGES]),
        beside(spec, tell=log.warning, inform=log.info, links=_links(flow_run.id)) as onlooker,
    ):
        journal = onlooker.journal(journal)
        if isinstance(backend, SageMakerTuner):
            driven = _by_amt(spec, backend, journal)
        else:
            show_below(backend, flow_run.id)
            driven = _by_us(
                spec,
                onlooker.backend(with_quota(backend, spec)),
                journal,
                clock,
                budget,
                parents or parents_known(place=backend),
            )
        followed = driven.followed
        had_ended = followed.ledger.finished
        if had_ended:
            get_run_logger().warning(ended_before(followed.ledger, time.time()))
        for notice in opening_notices(followed.ledger):
            get_run_logger().warning("Worth a look: %s.", notice)
        watch = CancelWatch(api, flow_run)
        publisher = Publisher(api, flow_run.id, followed.ledger.name)
        announcer = Announcer(flow_run, followed)
        bars = Bars(api, flow_run.id, budget, first=BRIEF_SECONDS)
        summary = Summary()

        def on_tick(followed: RunningTuningJob, news: News) -> None:
            watch.look(followed)
            announcer.tick(followed, news)
            bars.tick(followed)
            publisher.tick(followed)
            run_log.tell_ends(followed, news)
            summary.tick(followed)
            onlooker.say()

        with graceful_interrupts(followed, watch.signalled), bars.left_by(followed):
            driven.to_its_end(on_tick, watch.say_who)
            # Of one that another flow run has ended, that one's graph tells.
            shown = not had_ended or flow_run.run_count > 1
            publisher.conclude(followed, bars.conclude(followed) if shown else lambda: None)
            # After the artifacts: whoever acts on it may want to read the result.
            announcer.conclude(followed)
        if not had_ended:
            get_run_logger().info("%s", accounts(budget, len(followed.ledger.jobs)))
    result = result_of(followed.ledger, followed.journal.location)
    get_run_logger().info("%s.", result.headline)
    for edge in edges(result):
        get_run_logger().info("%s.", edge)
    if not had_ended and _was_told_to_end(followed, watch):
        raise CancelledRun(f"Tuning job {result.name} was stopped. {result.headline}.")
    return usable_result(result)


def _links(flow_run_id: UUID) -> dict[str, str]:
    """From where else a tuning job is shown to its flow run."""
    ui = PREFECT_UI_URL.value()
    page = {"prefect.flow_run": f"{ui}/runs/flow-run/{flow_run_id}"} if ui else {}
    return {"prefect.flow_run_id": str(flow_run_id), **page}


BeforeEnd: TypeAlias = Callable[[RunningTuningJob], None]


@dataclass(frozen=True)
class _Driven:
    """A tuning job, and what brings it to its end."""

    followed: RunningTuningJob
    to_its_end: Callable[[OnTick, BeforeEnd], None]


def _by_us(
    spec: TuningSpec,
    backend: Backend,
    journal: Journal,
    clock: Clock | None,
    budget: TaskRunBudget,
    parents: Reader,
) -> _Driven:
    tuning = Tuning.open(
        spec, backend, journal, clock=clock, controller=_controller_in_flow_run(), parents=parents
    )
    for choice in tuning.ledger.chosen:
        get_run_logger().info("Chosen for you: %s.", choice)
    for start in tuning.ledger.starts_from:
        get_run_logger().info("It starts from %s.", start)

    def to_its_end(on_tick: OnTick, before_end: BeforeEnd) -> None:
        with stop_jobs_on_breakdown(tuning):
            drive(tuning, TaskStages(tuning, budget, before_end).stages(), on_tick=on_tick)

    return _Driven(tuning, to_its_end)


def _by_amt(spec: TuningSpec, tuner: SageMakerTuner, journal: Journal) -> _Driven:
    handed_off = hand_over(spec, tuner, journal, controller=_controller_in_flow_run())

    def to_its_end(on_tick: OnTick, before_end: BeforeEnd) -> None:
        # No training job is stopped on a breakdown of ours: AMT drives them, within its own limits.
        follow(handed_off, on_tick=on_tick)

    return _Driven(handed_off, to_its_end)


def _controller_in_flow_run() -> str:
    # By the flow run whoever cleans up after one that died knows whether it was this one.
    return this_controller(this_flow_run().flow_run.id)


@dataclass(frozen=True)
class ThisFlowRun:
    flow_name: str
    flow_run: FlowRun


def this_flow_run() -> ThisFlowRun:
    """The flow run around the caller. Raises Prefect's MissingContextError."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or context.flow is None:
        raise MissingContextError(
            "run_tuning is for the inside of a flow. Without Prefect, amt_flows.tune does the same."
        )
    return ThisFlowRun(context.flow.name, context.flow_run)


def name_in_this_run(spec: TuningSpec) -> str:
    """The name that a spec has, or gets from the flow run around the caller."""
    if spec.name is not None:
        return spec.name
    here = this_flow_run()
    return name_for_run(here.flow_name, here.flow_run.id)


def name_of_spec_in_this_run(spec: object) -> str:
    """The same of a spec as a run's parameters have it, before anybody has looked whether it is one."""
    name = spec.get("name") if isinstance(spec, Mapping) else getattr(spec, "name", None)
    if isinstance(name, str) and name:
        return name
    here = this_flow_run()
    return name_for_run(here.flow_name, here.flow_run.id)


def _was_told_to_end(tuning: RunningTuningJob, watch: CancelWatch) -> bool:
    """Whether a cancel or a signal stopped it, rather than a request by the tuning job's name."""
    stopped = tuning.ledger.status is TuningStatus.STOPPED
    return stopped and (watch.cancelled or tuning.journal.asked_to_stop() is None)


def name_for_run(flow_name: str, flow_run_id: UUID) -> str:
    """The same under a retry of the flow run and in a hook after its death; another for every other run.

    From the flow's name and not from the flow run's, which can be changed while it runs. From the end of
    the id: the start of a time-ordered id is the same for two runs of one minute.
    """
    return tuning_job_name_from(f"{flow_name[:LONGEST_NAME]}-{flow_run_id.hex[-ID_DIGITS:]}")
