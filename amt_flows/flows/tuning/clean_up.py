"""``clean_up``: the flow that looks after the tuning job of a flow run that died, for automations."""

# Annotations are real types here, not text: a runner loads this file under a name of its own, where Prefect
# could not find what a text stands for.

from datetime import datetime
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

from prefect import State, flow, get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed
from pydantic import BaseModel, Field

from amt_flows.backends.local.controller import Controller
from amt_flows.backends.places import SageMakerTuner, open_journal, place_at
from amt_flows.errors import TuningJobNotFound
from amt_flows.flows.parameters import labelled
from amt_flows.flows.promotion.persistence import SERIALIZER
from amt_flows.flows.sentences import in_sentences, required_in_the_form
from amt_flows.flows.tuning.hooks import QUICK, TuningOfRun, tuning_of_run
from amt_flows.flows.tuning.liveness import driver_of, is_driven_by, silent_since
from amt_flows.flows.tuning.manage import extend_tuning, resume_tuning
from amt_flows.flows.tuning.named import home_of_run
from amt_flows.flows.tuning.open_bars import close_bars
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.record import load_ledger
from amt_flows.tuning.stop import end_tuning_job

REASON = "its flow run died"
SILENT_SECONDS = 400
"""More than two of Prefect's own heartbeats, which come every 180 s."""


class Remedy(str, Enum):
    STOP_JOBS = "stop its training jobs"
    """Nothing is left running; the tuning job stays open, for a retry or a resume."""
    END = "end the tuning job"
    """Also its record is closed, as Stopped, with the best so far."""
    RESUME = "go on with it"
    """This flow run takes it over."""


class CleanedUp(BaseModel):
    """What a clean-up found, and did."""

    done: str
    """In one sentence."""
    tuning_job: str | None = None
    """None when nothing had to be done."""
    training_jobs_stopped: list[str] = []


@required_in_the_form
@flow(
    name="clean-up-after-flow-run",
    persist_result=True,
    result_serializer=SERIALIZER,
    validate_parameters=False,
)
@in_sentences
def clean_up(
    flow_run_id: Annotated[str, labelled("Flow run")],
    remedy: Annotated[Remedy, labelled("Remedy")] = Remedy.STOP_JOBS,
    silent_seconds: Annotated[int, labelled("Dead after silence of (seconds)"), Field(ge=1)] = SILENT_SECONDS,
) -> CleanedUp:
    """Look after the tuning job of a flow run that crashed, or that was lost with its machine.

    A flow run whose process was killed leaves its training jobs behind, and of a lost one Prefect says that
    it runs. Such a run is marked as crashed here. One that gives a sign of life is left alone, and so is a
    tuning job that somebody else drives by now.

    Args:
        flow_run_id: The flow run that may be dead.
        remedy: What to do with its tuning job.
        silent_seconds: A flow run that should be running is dead when its last heartbeat is longer ago than
            this: at least twice PREFECT_FLOWS_HEARTBEAT_FREQUENCY.
    """
    with get_client(sync_client=True) as client:
        found = _dead(client, flow_run_id, silent_seconds)
        if isinstance(found, str):
            return _told(CleanedUp(done=found))
        job, flow_run, since = found
        journal = open_journal(job.name, job.home)
        driver = driver_of(journal)
        is_its_own = driver is not None and is_driven_by(client, driver, flow_run)
        if driver is not None and is_its_own and driver.lives_here:
            return _told(CleanedUp(done=f"Flow run {flow_run.name} lives: {driver.name} drives {job.name}."))
        _mark(client, flow_run, since)
        if driver is not None and not is_its_own:
            ledger = load_ledger(journal, job.name)
            close_bars(flow_run.id, ledger)
            return _told(CleanedUp(done=f"{job.name} is left alone: {_whose(ledger, driver)}."))
    return _told(_remedied(job, remedy, flow_run.id))


def _whose(ledger: Ledger, driver: Controller) -> str:
    """Who drives a tuning job that the flow run had, or did so to its end."""
    if not ledger.finished:
        return f"{driver.name} drives it by now"
    return f"{driver.name} drove it, and it has ended: {ledger.status.value}"


def _told(outcome: CleanedUp) -> CleanedUp:
    get_run_logger().info("%s", outcome.done)
    return outcome


def _dead(
    client: SyncPrefectClient, flow_run_id: str, silent_seconds: int
) -> tuple[TuningOfRun, FlowRun, datetime] | str:
    """The tuning job of a dead flow run, that run, and since when it is silent; or why there is none."""
    try:
        flow_run: FlowRun = client.read_flow_run(UUID(flow_run_id))
    except (ObjectNotFound, ValueError):
        return f"There is no flow run {flow_run_id}."
    job = _tuning_of(client, flow_run)
    if job is None:
        return f"Flow run {flow_run.name} drives no tuning job."
    state = flow_run.state
    if state is not None and state.is_completed():
        return f"Flow run {flow_run.name} is completed."
    since = silent_since(client, flow_run, silent_seconds)
    if since is None:
        return f"Flow run {flow_run.name} is {state.name if state else 'new'}, and not silent."
    return job, flow_run, since


def _tuning_of(client: SyncPrefectClient, flow_run: FlowRun) -> TuningOfRun | None:
    """The tuning job that a flow run drives; None of any other flow run."""
    flow_name, given = client.read_flow(flow_run.flow_id).name, flow_run.parameters
    if flow_name in (resume_tuning.name, extend_tuning.name):
        name = given["name"]
        home = given.get("home") or home_of_run(flow_run.id, name)
        try:
            address = load_ledger(open_journal(name, home), name).backend
        except TuningJobNotFound:
            return None
        return TuningOfRun(name, home, place_at(address, home))
    if flow_name == QUICK:
        return tuning_of_run(flow_name, flow_run)
    spec = given.get("spec")
    if not isinstance(spec, dict) or "objective" not in spec:
        return None
    return tuning_of_run(flow_name, flow_run)


def _mark(client: SyncPrefectClient, flow_run: FlowRun, since: datetime) -> None:
    """Say of a lost flow run how it ended; Prefect would have it run for ever."""
    state = flow_run.state
    if state is None or state.is_final():
        return
    message = f"Nothing was heard of its process since {since:%Y-%m-%d %H:%M:%S} UTC."
    end: State[Any] = Cancelled(message=message) if state.is_cancelling() else Crashed(message=message)
    client.set_flow_run_state(flow_run.id, end)


def _remedied(job: TuningOfRun, remedy: Remedy, flow_run_id: UUID) -> CleanedUp:
    if remedy is Remedy.STOP_JOBS and isinstance(job.backend, SageMakerTuner):
        # Its training jobs are watched, by AMT.
        return CleanedUp(done=f"{job.name} goes on by AMT; a retry or a resume follows it.")
    if remedy is Remedy.RESUME:
        result = resume_tuning(job.name, job.home)
        close_bars(flow_run_id, load_ledger(open_journal(job.name, job.home), job.name))
        return CleanedUp(done=f"{job.name} was gone on with. {result.headline}.", tuning_job=job.name)
    ending = end_tuning_job(
        job.name, job.home, reason=REASON, close=remedy is Remedy.END, backend=job.backend
    )
    close_bars(flow_run_id, ending.ledger)
    if remedy is not Remedy.END:
        end = f"{job.name} can be gone on with"
    elif ending.ledger is None:
        end = f"{job.name} had not been opened yet"
    else:
        end = f"{job.name} is ended"
    stopped = ending.training_jobs
    jobs = ", ".join(stopped) or "none was running"
    done = f"{end}. Training jobs that were stopped: {jobs}."
    return CleanedUp(done=done, tuning_job=job.name, training_jobs_stopped=stopped)
