"""What is done when a flow run of ``tune`` dies before it can stop its own training jobs.

A cancelled or crashed flow leaves its child processes running. Prefect then calls these hooks, in the
runner's process as a rule, with nothing but the flow run: so they find the training jobs by the tuning
job's name, which the flow run's parameters tell. The names ``flow``, ``flow_run`` and ``state`` are a
contract: a runner passes them by keyword.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from prefect import Flow, State
from prefect.client.schemas.objects import FlowRun
from prefect.logging.loggers import flow_run_logger

from amt_flows.errors import TuningJobNotFound
from amt_flows.flows.cancel import REASON
from amt_flows.flows.identity import name_for_run
from amt_flows.stop import conclude, stop_training_jobs, stop_tuning_job


def stop_on_cancellation(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """End the tuning job for good: its training jobs are stopped, and its journal is closed."""
    name, home = _tuning_job(flow, flow_run)
    stopped = stop_tuning_job(name, home, reason=REASON)
    _tell(flow, flow_run, name, stopped)
    with contextlib.suppress(TuningJobNotFound):
        # It may have been cancelled before it was opened.
        conclude(name, home, reason=REASON)


def stop_after_crash(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Stop the training jobs, but not the tuning job.

    Nothing may be left running that nobody watches, and whether a crashed run is retried, and when, can't be
    known here. A retry opens the same journal and goes on with new training jobs; the stopped ones
    keep the metrics they had.
    """
    name, home = _tuning_job(flow, flow_run)
    stopped = stop_training_jobs(name, home)
    _tell(flow, flow_run, name, stopped)


def _tuning_job(flow: Flow[..., Any], flow_run: FlowRun) -> tuple[str, str | None]:
    """The tuning job's name and home from the flow run's parameters, as the flow itself got them."""
    spec, home = flow_run.parameters.get("spec"), flow_run.parameters.get("home")
    given = spec.get("name") if isinstance(spec, Mapping) else getattr(spec, "name", None)
    return given or name_for_run(flow.name, flow_run.id), home


def _tell(flow: Flow[..., Any], flow_run: FlowRun, name: str, stopped: list[str]) -> None:
    which = ", ".join(stopped) or "none was running"
    flow_run_logger(flow_run, flow).info("Training jobs of tuning job %s stopped: %s.", name, which)
