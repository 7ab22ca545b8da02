"""Flows that act on tuning jobs by their names, for deployments: ``stop_tuning`` and ``resume_tuning``."""

# Annotations are real types here, not text: a runner loads this file under a name of its own, where Prefect
# could not find what a text stands for.

from typing import Annotated, cast

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import CancelledRun
from prefect.states import Cancelled

from amt_flows.errors import TuningInterrupted
from amt_flows.flows.parameters import Home, TuningJobName, labelled
from amt_flows.flows.persistence import SERIALIZER
from amt_flows.flows.tuning import run_tuning
from amt_flows.parents import parents_in
from amt_flows.places import open_journal, place_at
from amt_flows.results import TuningResult
from amt_flows.run import load_ledger
from amt_flows.stop import conclude, stop_training_jobs
from amt_flows.watch import Watch

REASON = "stopped in Prefect"
# Longer than a controller takes to look at its jobs on SageMaker, twice.
PATIENCE_SECONDS = 60.0


@flow(name="stop-tuning", flow_run_name="stop-{name}", persist_result=False)
def stop_tuning(
    name: TuningJobName, home: Home = None, kill: Annotated[bool, labelled("Kill")] = False
) -> list[str]:
    """End a tuning job and keep the best so far: its training jobs are stopped, wherever its controller is.

    Args:
        name: The tuning job's name.
        home: Where tuning jobs are kept, a directory or s3://bucket/folder. Empty: $AMT_FLOWS_HOME, or
            ~/.amt-flows.
        kill: Give training jobs no time to save their work.
    """
    return _stop(name, home, kill=kill)


@task(name="stop tuning job", task_run_name="stop-{name}", cache_policy=NO_CACHE, persist_result=False)
def stop_task(name: str, home: str | None = None, kill: bool = False) -> list[str]:
    """The same as :func:`stop_tuning`, as a task for flows of your own. Returns the names of the training
    jobs that ran. Raises TuningJobNotFound, JournalError, BackendError."""
    return _stop(name, home, kill=kill)


def _stop(name: str, home: str | None, *, kill: bool) -> list[str]:
    log = get_run_logger()
    watch = Watch(open_journal(name, home), name)
    ledger = watch.ledger
    if ledger.finished:
        log.info("%s has ended already: %s.", ledger.name, ledger.status.value)
        return []
    watch.journal.ask_to_stop(REASON)
    stopped = stop_training_jobs(name, home, kill=kill, ledger=ledger)
    # A controller that is fenced off, because somebody else closes its record, fails its flow run, and a
    # pipeline would not go on with the best so far.
    if not watch.wait_for_end(PATIENCE_SECONDS):
        log.warning("The controller of %s does not answer; its record is closed from here.", ledger.name)
        conclude(name, home, reason=REASON)
    log.info("%s is stopped. Training jobs that ran: %s.", ledger.name, ", ".join(stopped) or "none")
    return stopped


@flow(name="resume-tuning", flow_run_name="{name}", persist_result=True, result_serializer=SERIALIZER)
def resume_tuning(name: TuningJobName, home: Home = None) -> TuningResult:
    """Go on with a tuning job whose controller died, where its record stands.

    Running training jobs are gone on with, finished ones are kept, and limits count from the beginning.

    Args:
        name: The tuning job's name.
        home: Where tuning jobs are kept, a directory or s3://bucket/folder. Empty: $AMT_FLOWS_HOME, or
            ~/.amt-flows.
    """
    journal = open_journal(name, home)
    ledger = load_ledger(journal, name)
    place = place_at(ledger.backend, home)
    try:
        return run_tuning(ledger.spec, backend=place, journal=journal, parents=parents_in(home, place))
    except (CancelledRun, TuningInterrupted) as stopped:
        return cast(TuningResult, Cancelled(message=str(stopped)))
