"""``run_tuning``: a tuning job inside a flow run, on any backend."""

from __future__ import annotations

from dataclasses import dataclass

from prefect import get_run_logger
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import CancelledRun, MissingContextError

from amt_flows.engine import News, Tuning
from amt_flows.events import TuningStatus
from amt_flows.flows.announce import Announcer
from amt_flows.flows.api import open_api
from amt_flows.flows.budget import TaskRunBudget
from amt_flows.flows.cancel import CancelWatch
from amt_flows.flows.identity import name_for_run
from amt_flows.flows.publish import Publisher
from amt_flows.flows.stages import TaskStages
from amt_flows.interrupts import graceful_interrupts
from amt_flows.loop import drive
from amt_flows.places import open_journal
from amt_flows.ports import Backend, Clock, Journal
from amt_flows.results import TuningResult
from amt_flows.run import finished_result, stop_jobs_on_breakdown
from amt_flows.spec import TuningSpec


def run_tuning(
    spec: TuningSpec,
    *,
    backend: Backend,
    journal: Journal | None = None,
    clock: Clock | None = None,
    budget: TaskRunBudget | None = None,
) -> TuningResult:
    """Run a tuning job to its end as part of the flow run around it, and give back its result.

    For flows of your own, around a backend of your own::

        @flow
        def nightly(spec: TuningSpec) -> str:
            result = run_tuning(spec, backend=MyCluster())
            return result.best.artifact

    A spec without a name gets one from the flow run: the same again under a retry, so that the retry goes on
    where the first attempt stood. The journal is on this machine unless one is given.

    Raises SpecError before anything was launched, TuningJobFailed when the tuning job ends as Failed (its
    artifacts are there), and Prefect's CancelledRun when it was stopped because the flow run was
    cancelled or its process was told to end. A tuning job that somebody stopped by name (`amt-flows stop`)
    returns its result so far: the pipeline goes on with the best training job found.
    """
    flow_run = this_flow_run().flow_run
    name = name_in_this_run(spec)
    spec = spec if spec.name is not None else spec.named(name)
    budget = budget or TaskRunBudget()
    with open_api() as api:
        tuning = Tuning.open(spec, backend, journal or open_journal(name), clock=clock)
        ended_before = tuning.ledger.finished
        watch = CancelWatch(api, flow_run)
        publisher = Publisher(api, flow_run.id, tuning.ledger.name)
        announcer = Announcer(flow_run, tuning)

        def on_tick(tuning: Tuning, news: News) -> None:
            watch.look(tuning)
            announcer.tick(tuning, news)
            publisher.tick(tuning)

        with graceful_interrupts(tuning):
            with stop_jobs_on_breakdown(tuning):
                drive(tuning, TaskStages(tuning, budget).stages(), on_tick=on_tick)
            publisher.conclude(tuning)
            # After the artifacts: whoever acts on it may want to read the result.
            announcer.conclude(tuning)
    log = get_run_logger()
    log.info(
        "Stages as task runs: %d; in plain Python to spare the server: %d.", budget.started, budget.inline
    )
    result = finished_result(tuning)
    log.info("%s.", result.headline)
    if not ended_before and _was_told_to_end(tuning, watch):
        raise CancelledRun(f"Tuning job {result.name} was stopped. {result.headline}.")
    return result


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


def _was_told_to_end(tuning: Tuning, watch: CancelWatch) -> bool:
    """Whether a cancel or a signal stopped it, rather than a request by the tuning job's name."""
    stopped = tuning.ledger.status is TuningStatus.STOPPED
    return stopped and (watch.cancelled or tuning.journal.asked_to_stop() is None)
