"""Serve all deployments from this process: no work pool, no worker.

    python deployments/serve.py

The deployments are those of prefect.yaml, beside this file, with the same parameters, schedules and limits.
Each flow run is a process of its own; Ctrl-C ends this one and those.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow, serve
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.flows import load_flow_from_entrypoint
from prefect.types.entrypoint import EntrypointType

BESIDE = Path(__file__).with_name("prefect.yaml")
MOST_RUNS = 10


def tables(file: Path = BESIDE) -> list[dict[str, Any]]:
    """What a file says of each deployment."""
    text = file.read_text(encoding="utf-8")
    # `prefect deploy` is run from the project's root; this may be run from anywhere.
    root = file.resolve().parents[1]
    found: list[dict[str, Any]] = yaml.safe_load(text.replace("{{ $PWD }}", str(root)))["deployments"]
    return found


def deployments(file: Path = BESIDE) -> list[RunnerDeployment]:
    """The deployments of a file."""
    return [_deployment(table) for table in tables(file)]


def environment(file: Path = BESIDE) -> dict[str, str]:
    """The variables that a work pool would give to their flow runs."""
    given: dict[str, str] = {}
    for table in tables(file):
        given |= table["work_pool"]["job_variables"]["env"]
    return given


def _deployment(table: dict[str, Any]) -> RunnerDeployment:
    flow: Flow[..., Any] = load_flow_from_entrypoint(table["entrypoint"])
    limit = table.get("concurrency_limit")
    made = flow.to_deployment(
        table["name"],
        description=table["description"],
        tags=table["tags"],
        parameters=table.get("parameters", {}),
        schedules=[_schedule(**one) for one in table.get("schedules", ())],
        concurrency_limit=None if limit is None else ConcurrencyLimitConfig(**limit),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    assert isinstance(made, RunnerDeployment), "there is no event loop here, so it is no future"
    # The public name, and not that of the file in which the flow happens to stand.
    made.entrypoint = table["entrypoint"]
    return made


def _schedule(cron: str, timezone: str, **more: Any) -> DeploymentScheduleCreate:
    return DeploymentScheduleCreate(schedule=CronSchedule(cron=cron, timezone=timezone), **more)


def main() -> None:
    # Flow runs are children of this process. Job variables are refused without a work pool.
    for name, value in environment().items():
        os.environ.setdefault(name, value)
    serve(*deployments(), limit=MOST_RUNS)


if __name__ == "__main__":
    main()
