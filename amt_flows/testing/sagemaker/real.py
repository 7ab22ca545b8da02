"""Running a training job's command for real, in a thread that watches it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

from amt_flows.backends.container import Container
from amt_flows.testing.sagemaker.artifacts import MissingBucket, Storage, files_in
from amt_flows.testing.sagemaker.commands import Command, NoCommand, command_line
from amt_flows.testing.sagemaker.container import (
    CannotPrepare,
    environment,
    failure_text,
    prepare,
    save_checkpoints,
    save_output_data,
)
from amt_flows.testing.sagemaker.endings import algorithm_error, upload_and_finish
from amt_flows.testing.sagemaker.job import FAILED, STOPPED, STOPPING, SimulatedTrainingJob
from amt_flows.testing.sagemaker.output import begin_output, print_lines
from amt_flows.testing.sagemaker.processes import TrainingProcess
from amt_flows.testing.sagemaker.shared_state import SharedState

LOOK_SECONDS = 0.02
NOT_FOUND = 127  # the exit code of a shell that finds no such program


class RealTraining:
    """Drives one job. The thread takes the world's lock to change the job, never while it waits."""

    def __init__(
        self, job: SimulatedTrainingJob, find: Callable[[], Command], shared: SharedState, directory: Path
    ) -> None:
        self._job, self._shared = job, shared
        self._find = find
        self._container = Container(directory)
        self._thread = threading.Thread(target=self._run, name=f"training {job.name}", daemon=True)
        self._process: TrainingProcess | None = None
        self._stopped_as: str | None = None
        self._interrupting = False
        self._abandoned = False
        self._kill_at = math.inf

    # -- from outside, with the lock held --------------------------------------------------------

    def begin(self) -> None:
        self._job.enter("Starting", self._job.created_at)
        self._thread.start()

    def stop(self, now: float) -> None:
        self._stop(now, "Stopped")

    def _stop(self, now: float, secondary: str) -> None:
        self._stopped_as = secondary
        self._job.status = STOPPING
        if self._job.secondary_status != "Uploading":
            self._job.enter("Stopping", now)

    def interrupt(self, now: float) -> None:
        if self._process is None or self._stopped_as is not None:
            raise ValueError(
                f"{self._job.name} is {self._job.secondary_status}: only training is interrupted"
            )
        self._interrupting = True

    def abandon(self) -> None:
        self._abandoned = True

    def join(self) -> None:
        """Wait for the thread's end; without the lock."""
        if self._thread.ident is not None:
            self._thread.join()

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._live()
        except Exception as error:  # the job must end, whatever is wrong with us
            self._fail(f"InternalServerError: the simulator failed: {error!r}")
            raise
        finally:
            if self._process is not None:
                self._process.clear()
                self._process = None

    def _live(self) -> None:
        try:
            command = self._find()
        except NoCommand as error:
            self._fail(f"ClientError: {error}")
            return
        pause = 0.0 if self._job.warm else command.starting_seconds
        while self._wait(pause):
            if not self._prepare() or not self._launch(command):
                return
            code = self._watch()
            if self._abandoned:
                return
            if not self._interrupting or self._stopped_as is not None:
                self._conclude(code)
                return
            self._interrupted()
            if not self._wait(command.interruption_seconds):
                break
            with self._shared.lock:
                self._job.enter("Starting", self._now())
            pause = command.starting_seconds
        if not self._abandoned:
            self._stopped_before_training()

    def _now(self) -> float:
        return self._shared.clock.now()

    def _wait(self, seconds: float) -> bool:
        """Let time pass on the world's clock; False if the job was stopped meanwhile."""
        until = self._now() + seconds
        while True:
            with self._shared.lock:
                self._check_waiting_time()
                if self._stopped_as is not None or self._abandoned:
                    return False
            if self._now() >= until:
                return True
            time.sleep(LOOK_SECONDS)

    def _check_waiting_time(self) -> None:
        limit = self._job.max_wait_seconds
        if limit is not None and self._stopped_as is None and self._now() >= self._job.created_at + limit:
            self._stop(self._now(), "MaxWaitTimeExceeded")

    def _prepare(self) -> bool:
        with self._shared.lock:
            begin_output(self._job, self._shared, self._now())
            self._job.enter("Downloading", self._now())
        try:
            prepare(self._container, self._job, self._storage())
        except CannotPrepare as error:
            self._fail(str(error))
            return False
        return True

    def _storage(self) -> Storage:
        job = self._job
        return Storage(job.account, job.region, create_buckets=self._shared.create_buckets)

    def _launch(self, command: Command) -> bool:
        job, container = self._job, self._container
        code_directory = container.code if container.code.is_dir() else Path.cwd()
        with self._shared.lock:
            if self._stopped_as is not None or self._abandoned:
                if not self._abandoned:
                    self._stopped_before_training()
                return False
            try:
                self._process = TrainingProcess(
                    command_line(command, job.hyperparameters, container.base),
                    Path(command.working_directory or code_directory),
                    environment(container, job, command, self._shared.environment),
                )
            except OSError as error:
                self._fail(algorithm_error(f"{command.argv[0]} can't be run: {error}", NOT_FOUND))
                return False
            job.pid = self._process.pid
            self._kill_at = math.inf
            job.enter("Training", self._now())
        return True

    def _watch(self) -> int:
        """Follow the process to its end. Its exit code."""
        process = self._process
        assert process is not None
        limit_at = self._now() + self._job.max_runtime_seconds - self._job.running_seconds(self._now())
        while (code := process.exit_code()) is None:
            self._print(process.read_lines(LOOK_SECONDS))
            self._heed(process, limit_at)
        self._print(process.read_rest())
        process.clear()
        with self._shared.lock:
            self._job.pid = self._process = None
        return code

    def _print(self, lines: list[str]) -> None:
        with self._shared.lock:
            if lines and not self._abandoned:
                print_lines(self._job, self._shared, lines, self._now())
                self._shared.settle()

    def _heed(self, process: TrainingProcess, limit_at: float) -> None:
        """Signal the process if it is to end."""
        with self._shared.lock:
            now = self._now()
            if self._abandoned:
                process.kill()
                return
            self._check_waiting_time()
            if self._stopped_as is None and now >= limit_at:
                self._stop(now, "MaxRuntimeExceeded")
            if (self._stopped_as is not None or self._interrupting) and self._kill_at == math.inf:
                self._kill_at = now + self._shared.stop_grace_seconds
                process.terminate()
            if now >= self._kill_at:
                process.kill()

    def _interrupted(self) -> None:
        try:
            save_checkpoints(self._container, self._job, self._storage())
        finally:
            with self._shared.lock:
                self._interrupting = False
                self._job.enter("Interrupted", self._now())

    def _conclude(self, code: int) -> None:
        failed_at = self._now()
        with self._shared.lock:
            self._job.enter("Uploading", failed_at)
        storage, container = self._storage(), self._container
        try:
            save_checkpoints(container, self._job, storage)
            save_output_data(container, self._job, storage)
        except MissingBucket as missing:
            reason = f"ClientError: Artifact upload failed: the specified bucket does not exist: {missing}"
            self._fail(reason)
            return
        files = dict(files_in(container.model))
        with self._shared.lock:
            if code == 0 or self._stopped_as is not None:
                now = self._now()
                upload_and_finish(self._job, self._shared, now, lambda: files, stopped_as=self._stopped_as)
                return
            self._job.leave_instances(failed_at)
            self._job.finish(FAILED, "Failed", self._now(), algorithm_error(failure_text(container), code))

    def _stopped_before_training(self) -> None:
        with self._shared.lock:
            now = self._now()
            self._job.leave_instances(now)
            self._job.finish(STOPPED, self._stopped_as or "Stopped", now)

    def _fail(self, reason: str) -> None:
        with self._shared.lock:
            now = self._now()
            self._job.leave_instances(now)
            self._job.finish(FAILED, "Failed", now, reason)
