"""The project's deployments on the test server, and commands that reach it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.settings import get_current_settings

from loading import script_at

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = ROOT / "deployments"
BIN = Path(sys.executable).parent
TABLES: list[dict[str, Any]] = yaml.safe_load((DEPLOYMENTS / "prefect.yaml").read_text())["deployments"]


def script(name: str) -> ModuleType:
    """A script of ``deployments/`` as a module."""
    return script_at(DEPLOYMENTS / f"{name}.py")


def environment(home: Path) -> dict[str, str]:
    """For a process that uses the test server and keeps its tuning jobs in ``home``."""
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    path = f"{BIN}:/usr/bin:/bin"
    return {**settings, "PATH": path, "HOME": str(home), "PWD": str(ROOT), "AMT_FLOWS_HOME": str(home)}


def start(command: list[str], home: Path, log: Path) -> subprocess.Popen[bytes]:
    """A process in the background, in the project's root, whose output goes to a file."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command, env=environment(home), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )


def prefect(*arguments: str, home: Path) -> str:
    """What a Prefect command prints."""
    done = subprocess.run(
        [str(BIN / "prefect"), *arguments],
        env=environment(home),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def created(deployment: str, **parameters: Any) -> UUID:
    """A flow run of a deployment, as the UI makes it."""
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(deployment)
        return client.create_flow_run_from_deployment(found.id, parameters=parameters).id


def runs_of(deployment_id: UUID) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
        )
