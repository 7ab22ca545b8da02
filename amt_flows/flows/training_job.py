"""``amt-training-job``: what a flow run of a work pool does for a training job. It runs the job's worker on
the directory that it shares with the controller, and shows its output as its log.

Values don't go through Prefect, so no outage of its server loses one; of the output at most one log entry
goes there every few seconds, however much is printed.
"""

# Annotations are real types here, not text; see amt_flows.flows.tuning.tune.

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from prefect import flow, runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, StateType
from prefect.logging import get_run_logger

from amt_flows.backends.attended.worker_files import ATTENDANT, PACKAGE
from amt_flows.backends.local.holds import Holds
from amt_flows.backends.local.machine import this_machine
from amt_flows.backends.local.paths import JobPaths
from amt_flows.backends.local.process import read_json
from amt_flows.backends.local.share import share_variables
from amt_flows.backends.local_worker.claims import wish
from amt_flows.errors import BackendError, CapacityUnavailable
from amt_flows.spec import Resources, TrainingJobTemplate

LOG_SECONDS: Final = 3.0
LOG_CHARACTERS: Final = 4000
LOOK_SECONDS: Final = 0.25
ROOM_SECONDS: Final = 2.0


@flow(name="amt-training-job", persist_result=False)
def training_job(
    directory: str, fingerprint: str = "", launch: str = "", resources: dict[str, Any] | None = None
) -> State[None]:
    """Run one training job; tuning jobs make these runs.

    Args:
        directory: The job's own, which this machine must have at the same path as the controller.
        fingerprint: Of its tuning job's spec.
        launch: Tells this job from an earlier one of its name.
        resources: What it is to have of this machine, where no infrastructure gives it.
    """
    paths = JobPaths(Path(directory))
    if not paths.request.exists():
        raise BackendError(
            f"There is no training job at {directory} on this machine.",
            because="the directory isn't shared with the machine that runs the tuning job, or was removed",
            remedy="mount it in the pool at the same path, or point AMT_FLOWS_SHARED to one that is shared",
        )
    if resources is not None:
        take_share(paths, Resources.model_validate(resources))
    attend(paths)
    return ending(paths)


def take_share(paths: JobPaths, need: Resources) -> None:
    """Hold a part of this machine for the job, as the local backend does; waits for it."""
    log, holds = get_run_logger(), Holds()
    told = ""
    while not wish(str(paths.directory)):
        machine = this_machine()
        try:
            gpus = holds.take(paths, machine, need)
        except CapacityUnavailable as error:
            if error.happened != told:
                told = error.happened
                log.info(told)
            os.utime(paths.request)  # that it waits is a sign of life
            time.sleep(ROOM_SECONDS)
            continue
        shares = TrainingJobTemplate(resources=need)
        given = _given(paths)
        variables = share_variables(shares, list(gpus), machine.variable, inherited={**os.environ, **given})
        texts = [f"{name}={value}\0" for name, value in variables.items()]
        paths.share.write_bytes(os.fsencode("".join(texts)))
        return


def _given(paths: JobPaths) -> dict[str, str]:
    """The variables that the job's request has itself."""
    _, count, *texts = os.fsdecode((paths.directory / "command").read_bytes()).split("\0")[:-1]
    pairs = (text.partition("=") for text in texts[int(count) :])
    return {name: value for name, _, value in pairs}


def attend(paths: JobPaths) -> None:
    """Run the worker to its end. Cancelled, it asks the job to stop; killed, it takes the worker with it."""
    program = [sys.executable, "-I", "-S", str(PACKAGE / ATTENDANT), str(paths.directory)]
    # In a session of its own: who is asked to end is this process, which knows why.
    process = subprocess.Popen(
        program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    shown = Shown()
    try:
        while process.poll() is None:
            shown.feed(process.stdout.read() or b"")
            shown.step()
            time.sleep(LOOK_SECONDS)
    except BaseException:
        # Cancelled, or asked to end with the machine: the job gets its grace time, as long as we do.
        process.send_signal(signal.SIGTERM if is_cancelled() else signal.SIGUSR1)
        process.wait()
        raise
    finally:
        shown.feed(process.stdout.read() or b"")
        shown.step(last=True)
        process.stdout.close()


def is_cancelled() -> bool:
    """Whether somebody wants an end of this flow run, rather than of the machine that it is on."""
    run_id = runtime.flow_run.id
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(run_id).state
    except Exception:
        return False  # nobody knows; another attempt is the lesser evil
    return state is not None and (state.is_cancelling() or state.is_cancelled())


class Shown:
    """Output as entries of the run's log: the newest lines, every few seconds."""

    def __init__(self) -> None:
        self._log = get_run_logger()
        self._text = ""
        self._left_out = 0
        self._at = time.monotonic()

    def feed(self, data: bytes) -> None:
        self._text += data.decode("utf-8", "replace")
        if len(self._text) > LOG_CHARACTERS:
            self._left_out += len(self._text) - LOG_CHARACTERS
            self._text = self._text[-LOG_CHARACTERS:]

    def step(self, *, last: bool = False) -> None:
        now = time.monotonic()
        if not self._text.strip() or (now - self._at < LOG_SECONDS and not last):
            return
        more = f"[{self._left_out} characters are left out here; see the job's output.log]\n"
        self._log.info("%s%s", more if self._left_out else "", self._text.rstrip())
        self._text, self._left_out, self._at = "", 0, now


def ending(paths: JobPaths) -> State[None]:
    """The flow run's last state, from the job's own."""
    end = read_json(paths.end)
    if end is None:
        claim = read_json(paths.claim) or {}
        if "abandoned" in claim:
            return State(
                type=StateType.CANCELLED, name="Cancelled", message="It was stopped before it began."
            )
        return State(
            type=StateType.CRASHED, name="Crashed", message="Its worker left no word of how it ended."
        )
    if end["state"] == "completed":
        return State(type=StateType.COMPLETED, name="Completed")
    if end["state"] == "stopped":
        why = "Its time was over." if end.get("timed_out") else "It was asked to stop."
        return State(type=StateType.CANCELLED, name="Stopped", message=why)
    kind = StateType.CRASHED if end.get("infrastructure") else StateType.FAILED
    return State(type=kind, name=kind.value.title(), message=str(end.get("failure") or "It failed."))
