"""What is done when a flow run of ``tune`` dies before it can stop its own training jobs.

A cancelled or crashed flow leaves its child processes running. Prefect then calls these hooks, in the
runner's process as a rule, with nothing but the flow run: so they find the training jobs by the tuning
job's name, which the flow run's parameters tell. The names ``flow``, ``flow_run`` and ``state`` are a
contract: a runner passes them by keyword.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect import Flow, State
from prefect.client.schemas.objects import FlowRun
from prefect.logging.loggers import flow_run_logger

from amt_flows.backends.home import home_text
from amt_flows.backends.places import LOCAL, Place, SageMakerTuner
from amt_flows.flows.blocks import backend_for
from amt_flows.flows.tuning.cancel import REASON
from amt_flows.flows.tuning.named import home_of_run
from amt_flows.flows.tuning.open_bars import close_bars
from amt_flows.flows.tuning.run_tuning import name_for_run
from amt_flows.flows.tuning.saved import saved_tuning_job
from amt_flows.tuning.stop import end_tuning_job

QUICK = "tune-quick"
RETUNE = "retune"
"""The flow whose runs are tuning jobs of a series: the name that they were given is that of the series."""


def stop_on_cancellation(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """End the tuning job for good: its training jobs are stopped, and its journal is closed."""
    job = tuning_of_run(flow.name, flow_run)
    ending = end_tuning_job(job.name, job.home, reason=REASON, backend=job.backend)
    close_bars(flow_run.id, ending.ledger)
    _tell(flow, flow_run, job.name, ending.training_jobs)


def stop_after_crash(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Stop the training jobs, but not the tuning job.

    Nothing may be left running that nobody watches, and whether a crashed run is retried, and when, can't be
    known here. A retry opens the same journal and goes on with new training jobs; the stopped ones
    keep the metrics they had.
    """
    job = tuning_of_run(flow.name, flow_run)
    if isinstance(job.backend, SageMakerTuner):
        flow_run_logger(flow_run, flow).info("Tuning job %s goes on by AMT; a retry follows it.", job.name)
        return
    ending = end_tuning_job(job.name, job.home, reason=REASON, close=False, backend=job.backend)
    close_bars(flow_run.id, ending.ledger)
    _tell(flow, flow_run, job.name, ending.training_jobs)


@dataclass(frozen=True)
class TuningOfRun:
    """The tuning job that a flow run drives, and where."""

    name: str
    home: str | None
    backend: Place


def tuning_of_run(flow_name: str, flow_run: FlowRun) -> TuningOfRun:
    """Which it is and where, from the flow run's parameters, as the flow itself got them."""
    given = flow_run.parameters
    if flow_name == QUICK:
        return _quick(flow_run)
    spec = given.get("spec")
    name = spec.get("name") if isinstance(spec, Mapping) else getattr(spec, "name", None)
    if flow_name == RETUNE:
        name, flow_name = None, given.get("series") or name or flow_name
    name = name or name_for_run(flow_name, flow_run.id)
    # Its process may have had another home than the one that looks after it.
    home = given.get("home") or home_of_run(flow_run.id, name)
    backend = backend_for(
        given.get("backend") or LOCAL,
        region=given.get("region"),
        home=home,
        training=given.get("training"),
    )
    return TuningOfRun(name, home, backend)


def quick_name(parameters: Mapping[str, Any], flow_run_id: UUID) -> str:
    """What the tuning job of a run of ``tune_quick`` is called: after the saved one, and the flow run."""
    saved = str(parameters.get("saved") or QUICK).rpartition("/")[2]
    return name_for_run(saved, flow_run_id)


def _quick(flow_run: FlowRun) -> TuningOfRun:
    given = flow_run.parameters
    name = quick_name(given, flow_run.id)
    found = saved_tuning_job(str(given.get("saved")), given.get("home") or None)
    return TuningOfRun(
        name, home_text(found.home) if found.home else home_of_run(flow_run.id, name), found.place
    )


def _tell(flow: Flow[..., Any], flow_run: FlowRun, name: str, stopped: list[str]) -> None:
    which = ", ".join(stopped) or "none was running"
    flow_run_logger(flow_run, flow).info("Training jobs of tuning job %s stopped: %s.", name, which)
