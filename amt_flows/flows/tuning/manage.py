"""Flows that act on tuning jobs by their names, for deployments: ``stop_tuning``, ``resume_tuning`` and
``extend_tuning``."""

# Annotations are real types here, not text: a runner loads this file under a name of its own, where Prefect
# could not find what a text stands for.

from typing import Annotated, Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from pydantic import Field

from amt_flows.backends.places import open_journal, place_at
from amt_flows.flows.parameters import Home, TuningJobName, labelled
from amt_flows.flows.promotion.persistence import SERIALIZER
from amt_flows.flows.sentences import in_sentences, required_in_the_form, run_called
from amt_flows.flows.tuning.cancel import or_cancelled
from amt_flows.flows.tuning.named import home_named
from amt_flows.flows.tuning.parents import parents_known
from amt_flows.flows.tuning.run_tuning import run_tuning
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.record import load_ledger
from amt_flows.ports import Journal
from amt_flows.results import TuningResult, result_of
from amt_flows.tuning.extend import extend, is_driven
from amt_flows.tuning.stop import PATIENCE_SECONDS, end_tuning_job

REASON = "stopped in Prefect"


@required_in_the_form
@flow(
    name="stop-tuning",
    flow_run_name=run_called("stop-{}", "name"),
    persist_result=False,
    validate_parameters=False,
)
@in_sentences
def stop_tuning(
    name: TuningJobName, home: Home = None, kill: Annotated[bool, labelled("Kill")] = False
) -> list[str]:
    """End a tuning job and keep the best so far: its training jobs are stopped, wherever its controller is.

    Args:
        name: The tuning job's name.
        home: Where the tuning job is kept, a directory or s3://bucket/folder: no other counts. Empty: where
            the server's artifacts say, or else in $AMT_FLOWS_HOME, or ~/.amt-flows.
        kill: Give training jobs no time to save their work.
    """
    return _stop(name, home, kill=kill)


@task(name="stop tuning job", task_run_name="stop-{name}", cache_policy=NO_CACHE, persist_result=False)
def stop_task(name: str, home: str | None = None, kill: bool = False) -> list[str]:
    """The same as :func:`stop_tuning`, as a task for flows of your own. Returns the names of the training
    jobs that ran. Raises TuningJobNotFound, NameTaken, JournalError, BackendError."""
    return _stop(name, home, kill=kill)


def _stop(name: str, home: str | None, *, kill: bool) -> list[str]:
    log, kept_in = get_run_logger(), home_named(name, home)
    ledger = load_ledger(open_journal(name, kept_in), name)
    ending = end_tuning_job(
        name,
        kept_in,
        reason=REASON,
        kill=kill,
        patience=PATIENCE_SECONDS,
        tell=lambda line: log.warning("%s", line),
    )
    if ending.had_ended:
        log.info("%s has ended already: %s.", ending.name, ledger.status.value)
        return []
    stopped = ending.training_jobs
    log.info("%s is stopped. Training jobs that ran: %s.", ending.name, ", ".join(stopped) or "none")
    return stopped


@required_in_the_form
@flow(
    name="resume-tuning",
    flow_run_name=run_called("{}", "name"),
    persist_result=True,
    result_serializer=SERIALIZER,
    validate_parameters=False,
)
@in_sentences
def resume_tuning(name: TuningJobName, home: Home = None) -> TuningResult:
    """Go on with a tuning job whose controller died, where its record stands.

    Running training jobs are gone on with, finished ones are kept, and limits count from the beginning.

    Args:
        name: The tuning job's name.
        home: Where the tuning job is kept, a directory or s3://bucket/folder: no other counts. Empty: where
            the server's artifacts say, or else in $AMT_FLOWS_HOME, or ~/.amt-flows.
    """
    kept_in = home_named(name, home)
    journal = open_journal(name, kept_in)
    ledger = load_ledger(journal, name)
    return _go_on(ledger, journal, home, kept_in)


def _go_on(ledger: Ledger, journal: Journal, home: str | None, kept_in: Home) -> TuningResult:
    place = place_at(ledger.backend, kept_in)
    return or_cancelled(
        lambda: run_tuning(ledger.spec, backend=place, journal=journal, parents=parents_known(home, place))
    )


@required_in_the_form
@flow(
    name="extend-tuning",
    flow_run_name=run_called("{}", "name"),
    persist_result=True,
    result_serializer=SERIALIZER,
    validate_parameters=False,
)
@in_sentences
def extend_tuning(
    name: TuningJobName,
    max_number_of_training_jobs: Annotated[int, labelled("Training jobs in all"), Field(ge=0)] = 0,
    max_parallel_training_jobs: Annotated[int, labelled("Training jobs at once"), Field(ge=0)] = 0,
    max_runtime_seconds: Annotated[int, labelled("Seconds in all"), Field(ge=0)] = 0,
    max_cost: Annotated[float, labelled("Cost in all"), Field(ge=0)] = 0.0,
    changes: Annotated[dict[str, Any], labelled("More limits and criteria")] = {},  # noqa: B006 - Prefect copies it
    home: Home = None,
) -> TuningResult:
    """Give a tuning job other limits, ended or not, and go on with it. What is left at 0 stays as it is.

    All counts go on, and nothing else of its spec can be changed. One that is driven elsewhere is gone on
    with there, and the result is how it stands.

    Args:
        name: The tuning job's name.
        max_number_of_training_jobs: How many training jobs in all.
        max_parallel_training_jobs: How many at once.
        max_runtime_seconds: How long it may run in all; the time between its end and now does not count.
        max_cost: What it may cost in all.
        changes: Any other limit or completion criterion by its name in the spec, e.g.
            {"completion.target_objective_metric_value": 0.95}; null lifts one.
        home: Where tuning jobs are kept, a directory or s3://bucket/folder. Empty: $AMT_FLOWS_HOME, or
            ~/.amt-flows.
    """
    kept_in = home_named(name, home)
    journal = open_journal(name, kept_in)
    given = {
        "limits.max_number_of_training_jobs": max_number_of_training_jobs,
        "limits.max_parallel_training_jobs": max_parallel_training_jobs,
        "limits.max_runtime_seconds": max_runtime_seconds,
        "limits.max_cost": max_cost,
    }
    asked = {path: value for path, value in given.items() if value} | changes
    driven = is_driven(load_ledger(journal, name))
    ledger = extend(name, journal, asked)
    if driven:
        get_run_logger().info("%s is driven by %s, which goes on.", ledger.name, ledger.controller)
        return result_of(ledger, journal.location)
    return _go_on(ledger, journal, home, kept_in)
