"""A Prefect server for tests: Prefect's own test harness, without its import of the whole server, which only
the server's own process needs."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

import certifi
import httpx
import prefect
import prefect.context
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker

from new_database import copy

PATIENCE_SECONDS = 240.0
TRIES = 5


@contextmanager
def serving(database: Path, made: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """The URL of a server's API. ``made``: a new database that it takes, or leaves for others if there is
    none. Raises AssertionError."""
    with _locked(made):
        if made.exists():
            copy(made, database)
        url, process = _started(database, variables)
        if not made.exists():
            copy(database, made)
    try:
        yield url
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def one_authority(place: Path) -> str:
    """A file of certificates with a single one. Each of Prefect's clients reads all that there are, which
    takes as long as several requests; the server of the tests is asked without any."""
    end = "-----END CERTIFICATE-----\n"
    every = Path(certifi.where()).read_text(encoding="utf-8")
    place.write_text(every.partition(end)[0] + end, encoding="utf-8")
    return str(place)


def everywhere() -> AbstractContextManager[None]:
    """The current settings, in threads as well that Prefect starts without the context of who needs them."""
    # Older versions have no such thing, nor has their harness.
    globally = getattr(prefect.context, "_temporary_global_settings_context", None)
    return nullcontext() if globally is None else globally(prefect.context.get_settings_context())


def send_what_waits() -> None:
    """Logs and events, while there is a server to send them to."""
    APILogWorker.drain_all()
    EventsWorker.drain_all()


@contextmanager
def _locked(made: Path) -> Iterator[None]:
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _started(database: Path, variables: Mapping[str, str]) -> tuple[str, subprocess.Popen[bytes]]:
    """The URL of its API, and the server that answers there."""
    for _ in range(TRIES):
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        url, process = f"http://127.0.0.1:{port}/api", _start(port, database, variables)
        if _answers(url, process):
            return url, process
        # It has ended: while it started, somebody else may have come by its port.
    raise AssertionError(f"the server ended {TRIES} times while it started, last with {process.returncode}")


def _start(port: int, database: Path, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    own = {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{database}",
        "PREFECT_UI_ENABLED": "0",
        "PREFECT__SERVER_EPHEMERAL": "1",
        "PREFECT__SERVER_FINAL": "1",
    }
    given = ["--app-dir", str(prefect.__module_path__.parent), "--lifespan", "on", "--log-level", "error"]
    application = ["--factory", "prefect.server.api.server:create_app"]
    return subprocess.Popen(
        [sys.executable, "-m", "uvicorn", *given, *application, "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, **variables, **own},
    )


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """False if it has ended before it could."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    with httpx.Client() as client:
        while process.poll() is None:
            try:
                if client.get(f"{url}/health").status_code == 200:
                    return True
            except httpx.TransportError:
                pass
            if time.monotonic() > give_up_at:
                process.kill()
                process.wait()
                raise AssertionError("in vain waited for the server")
            time.sleep(0.1)
    return False
