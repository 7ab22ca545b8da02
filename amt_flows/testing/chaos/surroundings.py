"""What real tuning jobs are run by, and where their records are kept: plain or as a Prefect flow, in a
directory or in S3."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

STARTUP_SECONDS = 180.0
BUCKET, REGION = "chaos", "eu-west-1"


@dataclass(frozen=True)
class Surroundings:
    """``environment`` is added to that of every process of ours; ``s3`` a client of the S3 that has the
    records, None when a directory has them."""

    as_flow: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    s3: Any = None


@contextmanager
def surroundings(*, as_flow: bool, in_s3: bool, server: str = "") -> Iterator[Surroundings]:
    """A Prefect server and a simulated AWS, as far as they are asked for, until the block is left.
    ``server``: the URL of the API of one that is there already, and stays."""
    environment: dict[str, str] = {}
    s3 = None
    with ExitStack() as opened:
        if as_flow:
            environment["PREFECT_API_URL"] = server or opened.enter_context(_prefect_server())
        if in_s3:
            s3, variables = opened.enter_context(_simulated_s3())
            environment.update(variables)
        yield Surroundings(as_flow, environment, s3)


def missing(*, as_flow: bool, in_s3: bool) -> str:
    """What isn't installed that they need; empty if all is."""
    if as_flow and find_spec("prefect") is None:
        return "Prefect is not installed"
    if in_s3:
        try:
            import amt_flows.testing.sagemaker  # noqa: F401
        except ImportError as error:
            return str(error)
    return ""


@contextmanager
def _prefect_server() -> Iterator[str]:
    """A server of its own with an empty database. Yields the URL of its API."""
    with tempfile.TemporaryDirectory(prefix="amt-flows-chaos-", ignore_cleanup_errors=True) as directory:
        port = _free_port()
        log = Path(directory) / "log"
        with log.open("wb") as file:
            server = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "prefect",
                    "server",
                    "start",
                    "--host",
                    "127.0.0.1",
                    "--port",
                    str(port),
                ],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={
                    **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
                    "PREFECT_HOME": directory,
                    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
                },
            )
        try:
            url = f"http://127.0.0.1:{port}/api"
            _wait_for(f"{url}/health", server, log)
            yield url
        finally:
            _end(server)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as place:
        return int(place.getsockname()[1])


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    give_up_at = time.monotonic() + STARTUP_SECONDS
    while server.poll() is None and time.monotonic() < give_up_at:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server's
                return
        except OSError:
            time.sleep(0.3)
    told = log.read_text(encoding="utf-8", errors="replace").strip()[-500:]
    raise RuntimeError(f"Prefect's server did not start within {STARTUP_SECONDS:.0f} s: {told}")


def _end(server: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(20)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    server.wait()


@contextmanager
def _simulated_s3() -> Iterator[tuple[Any, Mapping[str, str]]]:
    """A client, and the variables by which other processes find the same S3."""
    import boto3

    from amt_flows.testing.sagemaker import SimulatedSageMaker

    aws = SimulatedSageMaker()
    with aws.serve() as url:
        variables = {**aws.environment, "AWS_DEFAULT_REGION": REGION}
        s3 = boto3.client(
            "s3",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield s3, variables


def new_folder() -> str:
    """A home in S3 that no other stage has."""
    return f"s3://{BUCKET}/{secrets.token_hex(4)}"
