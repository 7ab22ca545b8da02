"""Flows that look after tuning jobs: ``stop_tuning``, ``resume_tuning`` and ``clean_up``, for deployments and
automations."""

# Annotations are real types here, not text: a runner loads this file under a name of its own, where Prefect
# could not find what a text stands for.

from enum import Enum
from typing import Any, cast
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import CancelledRun, ObjectNotFound
from prefect.states import Cancelled
from pydantic import BaseModel

from amt_flows.errors import TuningInterrupted, TuningJobNotFound
from amt_flows.flows.hooks import TuningOfRun, tuning_of_run
from amt_flows.flows.persistence import SERIALIZER
from amt_flows.flows.tuning import run_tuning
from amt_flows.places import backend_at, open_journal
from amt_flows.results import TuningResult
from amt_flows.run import load_ledger
from amt_flows.stop import conclude, stop_training_jobs, stop_tuning_job

REASON = "stopped by the flow stop-tuning"


@flow(name="stop-tuning", flow_run_name="stop-{name}", persist_result=False)
def stop_tuning(name: str, home: str | None = None, kill: bool = False) -> list[str]:
    """End a tuning job and keep the best so far: its training jobs are stopped, wherever its controller is.

    Args:
        name: The tuning job's name.
        home: Where tuning jobs are kept, a directory or s3://bucket/folder. Empty: $AMT_FLOWS_HOME, or
            ~/.amt-flows.
        kill: Give training jobs no time to save their work.
    """
    log = get_run_logger()
    ledger = load_ledger(open_journal(name, home), name)
    if ledger.finished:
        log.info("%s has ended already: %s.", ledger.name, ledger.status.value)
        return []
    stopped = stop_tuning_job(name, home, reason=REASON, kill=kill)
    # Takes the record over from a controller that doesn't answer any more, and is the same as its own end if
    # that one still lives.
    conclude(name, home, reason=REASON)
    log.info("%s is stopped. Training jobs that ran: %s.", ledger.name, ", ".join(stopped) or "none")
    return stopped


@flow(name="resume-tuning", flow_run_name="{name}", persist_result=True, result_serializer=SERIALIZER)
def resume_tuning(name: str, home: str | None = None) -> TuningResult:
    """Go on with a tuning job whose controller died, where its record stands.

    Running training jobs are gone on with, finished ones are kept, and limits count from the beginning.

    Args:
        name: The tuning job's name.
        home: Where tuning jobs are kept, a directory or s3://bucket/folder. Empty: $AMT_FLOWS_HOME, or
            ~/.amt-flows.
    """
    journal = open_journal(name, home)
    ledger = load_ledger(journal, name)
    try:
        return run_tuning(ledger.spec, backend=backend_at(ledger.backend, home), journal=journal)
    except (CancelledRun, TuningInterrupted) as stopped:
        return cast(TuningResult, Cancelled(message=str(stopped)))


class Remedy(str, Enum):
    STOP_JOBS = "stop its training jobs"
    """Nothing is left running; the tuning job stays open, for a retry or a resume."""
    END = "end the tuning job"
    """Also its record is closed, as Stopped, with the best so far."""
    RESUME = "go on with it"
    """Another controller takes over."""


class CleanedUp(BaseModel):
    """What a clean-up found, and did."""

    tuning_job: str
    training_jobs_stopped: list[str] = []
    result: TuningResult | None = None


@flow(name="clean-up-after-flow-run", persist_result=True, result_serializer="json")
def clean_up(flow_run_id: str, remedy: Remedy = Remedy.STOP_JOBS) -> CleanedUp:
    """Look after the tuning job of a flow run that crashed or was lost.

    For automations: a flow run whose process was killed leaves its training jobs behind, and no hook of its
    own runs any more. A run that is well is left alone.

    Args:
        flow_run_id: The flow run that died.
        remedy: What to do with its tuning job.
    """
    log = get_run_logger()
    with get_client(sync_client=True) as client:
        job = _tuning_of(client, flow_run_id)
    if job is None:
        log.info("Flow run %s is no tuning, or it is well; nothing is done.", flow_run_id)
        return CleanedUp(tuning_job="")
    if remedy is Remedy.RESUME:
        result = resume_tuning(job.name, job.home)
        return CleanedUp(tuning_job=job.name, result=result)
    if remedy is Remedy.END:
        stopped = stop_tuning_job(job.name, job.home, reason="its flow run died", backend=job.backend)
        try:
            conclude(job.name, job.home, reason="its flow run died", backend=job.backend)
        except TuningJobNotFound:
            log.info("%s had not been opened yet.", job.name)
    else:
        stopped = stop_training_jobs(job.name, job.home, backend=job.backend)
    log.info("Training jobs of %s stopped: %s.", job.name, ", ".join(stopped) or "none was running")
    return CleanedUp(tuning_job=job.name, training_jobs_stopped=stopped)


def _tuning_of(client: SyncPrefectClient, flow_run_id: str) -> TuningOfRun | None:
    """The tuning job that a dead flow run drove; None for any other flow run, and for one that lives."""
    try:
        flow_run: FlowRun = client.read_flow_run(UUID(flow_run_id))
    except (ObjectNotFound, ValueError):
        return None
    state = flow_run.state
    dead = state is not None and (state.is_crashed() or state.is_failed() or state.is_cancelled())
    parameters: dict[str, Any] = flow_run.parameters
    if not dead or "spec" not in parameters:
        return None
    flow_name = client.read_flow(flow_run.flow_id).name
    return tuning_of_run(flow_name, flow_run)
