"""What endpoints answer: by the model's own inference script where programs really run, else something made
up that says so."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amt_flows.backends.marked_processes import kill_marked
from amt_flows.testing.sagemaker import inference_worker
from amt_flows.testing.sagemaker.artifacts import Storage
from amt_flows.testing.sagemaker.processes import CLEAR_SECONDS, MARK
from amt_flows.testing.sagemaker.refusals import Refusal
from amt_flows.testing.sagemaker.unpacking import Unpackable, unpack

ANSWER_SECONDS = 60.0
"""So long may a model take for an answer, says InvokeEndpoint's reference."""
MADE_UP = "made-up"


@dataclass(frozen=True)
class Invocation:
    """A request to an endpoint's model."""

    body: bytes
    content_type: str
    accept: str


@dataclass(frozen=True)
class Inference:
    """An answer. ``made_up`` says why no model gave it."""

    body: bytes
    content_type: str
    variant: str
    made_up: str | None = None


class NoScript(Exception):
    """A model has no inference script; the text says what it lacks."""


def made_up(variant: str, why: str) -> Inference:
    """An answer of no model, which says so where it is read and in a header."""
    told = {"simulated": True, "made_up": f"No model has answered this: {why}."}
    return Inference(json.dumps(told).encode(), "application/json", variant, why)


def model_error(message: str, status: int = 500) -> Refusal:
    """The model's container failed."""
    kind = "server" if status >= 500 else "client"
    text = f'Received {kind} error ({status}) from primary with message "{message}"'
    return Refusal("ModelError", text, status=424)


@dataclass
class Server:
    """The process that answers for one model; it is started by the first request."""

    container: Mapping[str, Any]
    storage: Storage
    directory: Path
    environment: Mapping[str, str]
    log: Callable[[str], None]
    lock: threading.Lock = field(default_factory=threading.Lock)
    _process: subprocess.Popen[bytes] | None = None
    _reader: threading.Thread | None = None
    _mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def answer(self, asked: Invocation, seconds: float = ANSWER_SECONDS) -> tuple[bytes, str]:
        """Body and content type, within so many seconds. Raises NoScript, and Refusal for a model that
        fails."""
        with self.lock:
            process = self._running()
            request = {
                "body": base64.b64encode(asked.body).decode(),
                "content_type": asked.content_type,
                "accept": asked.accept,
            }
            try:
                told = self._exchange(process, json.dumps(request).encode() + b"\n", seconds)
            except (OSError, ValueError) as error:
                self._end()
                raise model_error(str(error)) from None
        if "error" in told:
            raise model_error(str(told["error"]), int(told.get("status", 500)))
        return base64.b64decode(told["body"]), str(told["content_type"])

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            script, model = self._prepared()
            self._process = subprocess.Popen(
                [sys.executable, inference_worker.__file__, str(script), str(model)],
                cwd=script.parent,
                env={
                    **os.environ,
                    **self.environment,
                    **{str(name): str(value) for name, value in self._variables().items()},
                    "SM_MODEL_DIR": str(model),
                    "PYTHONUNBUFFERED": "1",
                    MARK: self._mark,
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            self._reader = threading.Thread(target=self._log_of, args=(self._process,), daemon=True)
            self._reader.start()
        return self._process

    def _variables(self) -> Mapping[str, Any]:
        return self.container.get("Environment") or {}

    def _prepared(self) -> tuple[Path, Path]:
        """The inference script and the directory of the model, from S3."""
        model = self.directory / "model"
        source = self.container.get("ModelDataUrl") or (
            (self.container.get("ModelDataSource") or {}).get("S3DataSource") or {}
        ).get("S3Uri")
        if not source:
            raise NoScript("the model has no ModelDataUrl")
        self._fetch(str(source), model)
        program = str(self._variables().get("SAGEMAKER_PROGRAM") or "inference.py")
        code, place = model / "code", str(self._variables().get("SAGEMAKER_SUBMIT_DIRECTORY") or "")
        if place.startswith("s3://"):
            code = self.directory / "code"
            self._fetch(place, code)
        script = (code / program).resolve()
        if not script.is_relative_to(self.directory.resolve()) or not script.is_file():
            raise NoScript(f"there is no code/{program} in {source}")
        return script, model

    def _fetch(self, uri: str, directory: Path) -> None:
        if uri.endswith("/"):
            self.storage.download(uri, directory)
            return
        found = self.storage.under(uri)
        if not found:
            raise model_error(f"there is nothing at {uri}")
        try:
            unpack(found[0][1], directory)
        except Unpackable as error:
            raise model_error(f"{uri} can't be unpacked: {error}") from None

    def _exchange(self, process: subprocess.Popen[bytes], line: bytes, seconds: float) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        process.stdin.flush()
        until, parts = time.monotonic() + seconds, [b""]
        while not parts[-1].endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise OSError(f"no answer within {seconds:g} s")
            parts.append(os.read(process.stdout.fileno(), 1024 * 1024))
            if not parts[-1]:
                raise OSError(f"the inference script ended, exit code {process.wait()}")
        found = json.loads(b"".join(parts))
        return dict(found)

    def _log_of(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        with process.stderr as printed:
            for line in printed:
                self.log(line.decode("utf-8", "replace").rstrip("\n"))

    def close(self) -> None:
        """End it, also in the middle of an answer."""
        process = self._process
        if process is not None:
            _kill(process)
        with self.lock:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        _kill(process)
        process.wait()
        kill_marked(f"{MARK}={self._mark}", CLEAR_SECONDS)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        if self._reader is not None:
            self._reader.join(CLEAR_SECONDS)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
