"""Moving a scripted training job through its life, on the world's agenda.

The secondary statuses and their order are DescribeTrainingJob's reference, interruption of spot instances and
its restart from a checkpoint the guide's page on managed spot training. That a limit on the run time counts
from the first instance, over all starts, and that a job which fails is Uploading meanwhile, is assumed (the
question ``failure`` shows its statuses).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from amt_flows.testing.sagemaker.endings import algorithm_error, upload_and_finish
from amt_flows.testing.sagemaker.job import FAILED, STOPPED, STOPPING, SimulatedTrainingJob
from amt_flows.testing.sagemaker.lines import lines_for, metric_names
from amt_flows.testing.sagemaker.output import begin_output, print_lines
from amt_flows.testing.sagemaker.scripts import CAPACITY_ERROR, INTERNAL_ERROR, End, JobScript, Value
from amt_flows.testing.sagemaker.shared_state import SharedState


class ScriptedTraining:
    """Drives one job by its script. What is planned is called with the time at which it happens."""

    def __init__(self, job: SimulatedTrainingJob, script: JobScript, shared: SharedState) -> None:
        self._job, self._script, self._shared = job, script, shared
        self._values = [self._by_name(value) for value in script.values]
        self._write = script.lines or (lambda epoch, values: lines_for(values, epoch, job.metric_definitions))
        for epoch, values in enumerate(self._values[:1], start=1):
            self._write(epoch, values)  # whatever is wrong with it is the test's error: raised at creation
        self._plan = 0
        self._start = 0
        self._epoch = 0  # values emitted by this start or resumed from a checkpoint
        self._emitted = 0  # values emitted by this start
        self._retries = 0
        self._training = False
        self._stopped_as: str | None = None

    def _by_name(self, value: Value) -> Mapping[str, float]:
        if isinstance(value, Mapping):
            return value
        names = metric_names(self._job.metric_definitions)
        return {names[0] if names else "value": value}

    def _then(self, at: float, step: Callable[[float], None], *, late: bool = False) -> None:
        """Plan a step of the way; it is void once the plan is another (the job was stopped, say)."""
        plan = self._plan
        self._shared.at(at, lambda now: step(now) if plan == self._plan else None, late=late)

    # -- the way up ------------------------------------------------------------------------------

    def begin(self) -> None:
        wait = self._job.max_wait_seconds
        if wait is not None:
            self._shared.at(self._job.created_at + wait, self._waited_too_long, late=True)
        self._starting(self._job.created_at)

    def _starting(self, at: float) -> None:
        self._start += 1
        self._emitted = 0
        self._job.enter("Starting", at)
        ready = at + (0.0 if self._job.warm else self._script.starting_seconds)
        if self._end is End.CAPACITY_ERROR:
            self._then(ready, lambda now: self._fail(now, CAPACITY_ERROR))
        else:
            self._then(ready, self._download)

    @property
    def _end(self) -> End:
        return self._script.end_of_start(self._start)

    def _download(self, at: float) -> None:
        begin_output(self._job, self._shared, at)
        limit = self._job.max_runtime_seconds - self._job.running_seconds(at)
        self._then(at + limit, self._ran_too_long, late=True)
        self._job.enter("Downloading", at)
        self._then(at + self._script.downloading_seconds, self._train)

    def _train(self, at: float) -> None:
        self._job.enter("Training", at)
        self._training = True
        self._next(at)

    def _next(self, at: float) -> None:
        if self._is_interrupted():
            self._interrupted(at)
        elif self._epoch < len(self._values):
            self._then(at + self._script.seconds_per_epoch, self._emit)
        elif self._stopped_as is None:
            self._trained(at)
        elif self._end is not End.HANG:
            self._upload(at)

    def _emit(self, at: float) -> None:
        values = self._values[self._epoch]
        self._epoch += 1
        self._emitted += 1
        print_lines(self._job, self._shared, self._write(self._epoch, values), at)
        self._next(at)

    def _trained(self, at: float) -> None:
        """The script is at its end, unless it hangs."""
        if self._end is End.COMPLETE:
            self._upload(at)
        elif self._end is End.FAIL:
            self._fail(at, algorithm_error(self._script.failure, self._script.exit_code))
        elif self._end is End.INTERNAL_ERROR:
            self._internal_error(at)

    def _upload(self, at: float) -> None:
        self._plan += 1  # no time limit counts any more
        self._training = False
        self._job.enter("Uploading", at)
        self._then(
            at + self._script.uploading_seconds,
            lambda now: upload_and_finish(
                self._job, self._shared, now, self._model, stopped_as=self._stopped_as
            ),
        )

    def _model(self) -> Mapping[str, bytes]:
        if self._script.model is not None:
            return self._script.model
        made_by = {"TrainingJobName": self._job.name, "HyperParameters": self._job.hyperparameters}
        return {"model.json": json.dumps(made_by, sort_keys=True).encode()}

    # -- ways down -------------------------------------------------------------------------------

    def _fail(self, at: float, reason: str) -> None:
        self._plan += 1
        self._training = False
        self._job.leave_instances(at)
        if self._job.training_started_at is None:
            self._job.finish(FAILED, "Failed", at, reason)
            return
        self._job.enter("Uploading", at)
        done = at + self._script.uploading_seconds
        self._then(done, lambda now: self._job.finish(FAILED, "Failed", now, reason))

    def _internal_error(self, at: float) -> None:
        if self._retries >= self._job.max_retries:
            self._fail(at, INTERNAL_ERROR)
            return
        self._retries += 1
        self._again(at)

    def _again(self, at: float) -> None:
        """On new instances: from the checkpoint if there is one."""
        self._plan += 1
        self._training = False
        if not (self._script.resumes and self._job.checkpointed):
            self._epoch = 0
        self._starting(at)

    def _is_interrupted(self) -> bool:
        planned = self._script.interruptions[self._start - 1 : self._start]
        return self._job.spot and self._stopped_as is None and list(planned) == [self._emitted]

    def interrupt(self, now: float) -> None:
        if not self._job.live or self._stopped_as is not None or not self._training:
            raise ValueError(
                f"{self._job.name} is {self._job.secondary_status}: only training is interrupted"
            )
        self._interrupted(now)

    def _interrupted(self, at: float) -> None:
        self._plan += 1
        self._training = False
        self._job.enter("Interrupted", at)
        self._then(at + self._script.interruption_seconds, self._again)

    def stop(self, now: float) -> None:
        self._stop(now, "Stopped")

    def _ran_too_long(self, at: float) -> None:
        if self._stopped_as is None:
            self._stop(at, "MaxRuntimeExceeded")

    def _waited_too_long(self, at: float) -> None:
        if self._job.live and self._stopped_as is None:
            self._stop(at, "MaxWaitTimeExceeded")

    def _stop(self, at: float, secondary: str) -> None:
        """Training goes on until it heeds SIGTERM or is killed. Whatever it does, the job ends as stopped."""
        uploading = self._job.secondary_status == "Uploading"
        self._stopped_as = secondary
        self._job.status = STOPPING
        if uploading:
            return  # its model is on the way already
        training, self._training = self._training, False
        self._job.enter("Stopping", at)
        ends_at = at + min(self._script.stopping_seconds, self._shared.stop_grace_seconds)
        if training:
            self._then(ends_at, self._upload, late=True)
        else:
            self._plan += 1
            self._then(ends_at, self._finish_stopped, late=True)

    def _finish_stopped(self, at: float) -> None:
        self._job.leave_instances(at)
        self._job.finish(STOPPED, self._stopped_as or "Stopped", at)

    def abandon(self) -> None:
        self._plan += 1
