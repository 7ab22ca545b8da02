"""How a training job's last phase goes, whoever drives it.

That a job which is stopped still uploads its model is StopTrainingJob's reference; that a bucket that isn't
there fails it with a ClientError, and these words, is quoted in public issues. Which exit code a signal has
is Docker's rule; that it is told after the text of the failure file is assumed (the question ``failure``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from amt_flows.testing.sagemaker.artifacts import MissingBucket, Storage, model_uri, save_model
from amt_flows.testing.sagemaker.job import COMPLETED, FAILED, STOPPED, SimulatedTrainingJob
from amt_flows.testing.sagemaker.shared_state import SharedState


def upload_and_finish(
    job: SimulatedTrainingJob,
    shared: SharedState,
    at: float,
    files: Callable[[], Mapping[str, bytes]],
    *,
    stopped_as: str | None = None,
) -> None:
    """Upload the model, then Completed, or Stopped with the secondary status ``stopped_as``."""
    try:
        storage = Storage(job.account, job.region, create_buckets=shared.create_buckets)
        uri = model_uri(job.request, job.name)
        save_model(storage, uri, files())
        job.model_uri = uri
    except MissingBucket as missing:
        job.leave_instances(at)
        reason = f"ClientError: Artifact upload failed: the specified bucket does not exist: {missing}"
        job.finish(FAILED, "Failed", at, reason)
        return
    job.leave_instances(at)
    if stopped_as is None:
        job.finish(COMPLETED, "Completed", at)
    else:
        job.finish(STOPPED, stopped_as, at)


def algorithm_error(text: str, exit_code: int) -> str:
    """The failure reason of a container that ended with ``exit_code`` and wrote ``text`` to its failure
    file. A signal's exit code is Docker's: 128 and the number of the signal."""
    code = 128 - exit_code if exit_code < 0 else exit_code
    ending = f", exit code: {code}"
    return f"AlgorithmError: {text[: 1024 - 16 - len(ending)]}{ending}"
