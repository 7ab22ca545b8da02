"""Whether this machine has what tuning needs: each thing looked at by itself, and quickly.

Nothing is asked over a network but what is configured: the Prefect server of ``PREFECT_API_URL``, a home in
S3, and AWS where credentials are set.
"""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

State = Literal["ok", "look", "bad"]
SECONDS: Final = 4
"""Of patience with anything beyond this machine."""
LITTLE_MB, TOO_LITTLE_MB = 2_000, 200
FEWEST_FILES: Final = 256
WHAT_FOR: Final = {
    "matplotlib": ("plots", "the picture of a plan"),
    "pandas": ("frame", "result.to_frame()"),
    "boto3": ("sagemaker", "SageMaker, and records in S3"),
    "mlflow": ("mlflow", "tuning jobs shown by MLflow"),
}


@dataclass(frozen=True)
class Finding:
    """``says`` is a sentence; ``remedy`` what to do about what is not ok."""

    about: str
    state: State
    says: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def findings(home: str | None) -> Iterator[Finding]:
    """One after the other, as they are found. ``bad`` is what some use of amt-flows fails by, ``look`` what
    it does without. A check that itself fails is a finding."""
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "Python": _python,
        "packages": _packages,
        "extras": _extras,
        "home": lambda: _home(home),
        "machine": _machine,
        "Prefect": _prefect,
        "AWS": lambda: _aws(home),
        "prices": _prices,
    }
    for about, check in checks.items():
        try:
            yield from check()
        except Exception as error:
            first, *_ = str(error).splitlines() or [""]
            yield Finding(about, "bad", f"{type(error).__name__}: {first}")


def _python() -> Iterator[Finding]:
    says = f"Python {platform.python_version()} at {sys.executable}, on {platform.platform(terse=True)}"
    if os.name != "posix":
        yield Finding("Python", "bad", says, "training jobs are run on Linux and macOS only")
    else:
        yield Finding("Python", "ok", says)


def _packages() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    wrong = 0
    for text in metadata.requires("amt-flows") or ():
        asked = Requirement(text)
        if asked.marker is not None and not asked.marker.evaluate({"extra": ""}):
            continue
        there = _version(asked.name)
        if there is None or not asked.specifier.contains(there, prereleases=True):
            wrong += 1
            has = "is not installed" if there is None else f"is {there}, and {asked.specifier} is needed"
            yield Finding("packages", "bad", f"{asked.name} {has}", f"pip install '{asked}'")
    if not wrong:
        ours, prefect = _version("amt-flows"), _version("prefect")
        yield Finding("packages", "ok", f"amt-flows {ours} with Prefect {prefect}")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _extras() -> Iterator[Finding]:
    lacking = {module: of for module, of in WHAT_FOR.items() if find_spec(module) is None}
    for module, (extra, what) in lacking.items():
        yield Finding("extras", "look", f"without {module}: no {what}", f"pip install 'amt-flows[{extra}]'")
    there = [module for module in WHAT_FOR if module not in lacking]
    if there:
        yield Finding("extras", "ok", f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} installed")


def _home(home: str | None) -> Iterator[Finding]:
    from amt_flows.backends.home import home_directory, home_text, is_in_s3
    from amt_flows.errors import AmtFlowsError

    try:
        in_s3, directory = is_in_s3(home), home_directory(home)
    except AmtFlowsError as error:
        yield Finding("home", "bad", f"{error.happened.removesuffix('.')}: {error.because}", error.remedy)
        return
    if in_s3:
        yield _in_s3(home_text(home))
    yield _directory(directory, "training jobs" if in_s3 else "tuning jobs")


def _in_s3(address: str) -> Finding:
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, folder = address.removeprefix("s3://").partition("/")
    try:
        _client("s3").list_objects_v2(Bucket=bucket, Prefix=folder, MaxKeys=1)
    except (BotoCoreError, ClientError) as error:
        remedy = "check the name, the region and the credentials; docs/sagemaker.md has the policy"
        return Finding("home", "bad", f"{address} can't be read: {error}", remedy)
    return Finding("home", "ok", f"records are kept in {address}, which can be read")


def _directory(directory: Path, of: str) -> Finding:
    there = next(one for one in (directory, *directory.parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        says = f"{directory} can't be written to"
        return Finding("home", "bad", says, "give another one with --home or $AMT_FLOWS_HOME")
    free = shutil.disk_usage(there).free // 1_000_000
    says = f"{of} are kept in {directory}, with {free:,} MB free"
    if free < LITTLE_MB:
        state: State = "bad" if free < TOO_LITTLE_MB else "look"
        return Finding("home", state, says, "make room, or give another one with --home or $AMT_FLOWS_HOME")
    if there == directory and there.stat().st_mode & stat.S_IWOTH:
        says = f"anybody of this machine may write to {directory}, and so have commands run as you"
        return Finding("home", "bad", says, f"chmod o-w {directory}")
    return Finding("home", "ok", says)


def _machine() -> Iterator[Finding]:
    import resource

    from amt_flows.backends.local.machine import this_machine

    yield Finding("machine", "ok", str(this_machine()))
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < FEWEST_FILES:
        yield Finding("machine", "bad", f"a process may open {files} files only", "ulimit -n 1024")


def _prefect() -> Iterator[Finding]:
    from amt_flows.flows.server import configured_server

    server, ours = configured_server(SECONDS), _version("prefect") or ""
    if server is None:
        says = "no server is set up: each flow starts one for itself, and has no schedules"
        set_up = "`prefect server start`, `prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api`"
        yield Finding("Prefect", "look", says, set_up)
    elif server.version is None:
        remedy = "start it, or set PREFECT_API_URL (it ends in /api) and PREFECT_API_KEY anew"
        yield Finding("Prefect", "bad", f"the server at {server.url} {server.trouble}", remedy)
    elif server.version.split(".")[:2] != ours.split(".")[:2]:
        says = f"the server at {server.url} is Prefect {server.version}, and here is {ours}"
        yield Finding("Prefect", "look", says, "bring both to one version")
    else:
        yield Finding("Prefect", "ok", f"the server at {server.url} answers; it is Prefect {server.version}")


def _aws(home: str | None) -> Iterator[Finding]:
    if find_spec("boto3") is None:
        return
    from botocore.exceptions import BotoCoreError, ClientError

    session = _session()
    if session.get_credentials() is None:
        yield Finding("AWS", "look", "no credentials are set: nothing runs on SageMaker", "`aws configure`")
        return
    try:
        identity = _client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        says = f"AWS doesn't take the credentials: {error}"
        yield Finding("AWS", "bad", says, "renew them: `aws sso login`")
        return
    region = session.get_config_variable("region")
    if region is None:
        says = f"you are {identity['Arn']}, and no region is set"
        yield Finding("AWS", "look", says, "`aws configure set region eu-west-1`, or --region")
    else:
        yield Finding("AWS", "ok", f"you are {identity['Arn']}, in {region}")


def _session() -> Any:
    """Credentials that are configured; the metadata of an instance would be asked for over the network."""
    import botocore.session

    session = botocore.session.get_session()
    session.get_component("credential_provider").remove("iam-role")
    return session


def _client(service: str) -> Any:
    from botocore.config import Config

    session = _session()
    region = session.get_config_variable("region") or "us-east-1"
    patience = Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"total_max_attempts": 1})
    return session.create_client(service, region_name=region, config=patience)


def _prices() -> Iterator[Finding]:
    from amt_flows.errors import AmtFlowsError
    from amt_flows.plan.prices import default_path, price_table

    try:
        table = price_table()
    except AmtFlowsError as error:
        yield Finding("prices", "bad", error.happened, error.remedy or "mend it, or take it away")
        return
    if table is not None:
        path = os.environ.get("AMT_FLOWS_PRICES") or default_path()
        yield Finding("prices", "ok", f"the table at {path} is read")
