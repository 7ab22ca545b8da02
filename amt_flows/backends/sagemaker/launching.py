"""Launching: CreateTrainingJob has no token that would make it idempotent, so the name is the key.

The service refuses a second job of a name. Then whoever has it is looked at: with our fingerprint in its
tags and the same hyperparameters it is the job that we wanted, launched by an earlier controller or by an
earlier try of this call whose answer was lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amt_flows.backends.sagemaker.errors import Trouble, diagnose, launch_error
from amt_flows.backends.sagemaker.request import create_training_job_request
from amt_flows.backends.sagemaker.service import PassingTrouble, Service
from amt_flows.backends.sagemaker.tags import FINGERPRINT
from amt_flows.errors import BackendError, CapacityUnavailable, LaunchRejected, NameTaken
from amt_flows.ports import JobRequest, Launch


def launch(service: Service, request: JobRequest) -> tuple[Launch, Mapping[str, Any] | None]:
    """Launch or attach, and what Describe tells of a job that was there already.

    Raises NameTaken, LaunchRejected, CapacityUnavailable.
    """
    try:
        body = create_training_job_request(request)
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise LaunchRejected(f"Training job {request.name} can't be asked for: {error}") from error
    try:
        service.create(body)
    except Exception as error:
        found = diagnose(error)
        if found.trouble is Trouble.IN_USE:
            return Launch.ATTACHED, _existing(service, request)
        if found.trouble is Trouble.CREDENTIALS and service.is_passing(found):
            raise CapacityUnavailable(f"Training job {request.name} has to wait: {found.text}") from error
        raise launch_error(request.name, found) from error
    return Launch.STARTED, None


def _existing(service: Service, request: JobRequest) -> Mapping[str, Any]:
    try:
        job = service.describe(request.name)
        tags = service.tags(str(job["TrainingJobArn"])) if job is not None else {}
    except PassingTrouble as trouble:
        raise CapacityUnavailable(str(trouble)) from trouble
    except BackendError as error:
        raise LaunchRejected(error.happened, because=error.because, remedy=error.remedy) from error
    if job is None:
        raise CapacityUnavailable(
            f"The name {request.name} is in use, but no training job has it.",
            because="a training job of that name is being deleted",
            remedy="nothing; it is tried again",
        )
    answer = job.get("HyperParameters") or {}
    ours = all(answer.get(name) == value for name, value in request.hyperparameters.items())
    if tags.get(FINGERPRINT) != request.fingerprint or not ours:
        raise NameTaken(
            f"A training job named {request.name} exists already, and it is not of this tuning job.",
            because="an earlier tuning job of the same name had another spec"
            if FINGERPRINT in tags
            else "another program launched it",
            remedy="choose another name for the tuning job",
        )
    return job
