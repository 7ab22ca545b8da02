"""SageMaker's statuses in our words.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTrainingJob.html has their meaning. The
maps are total over botocore's enumerations; a test fails when AWS adds a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from amt_flows.ports import JobState

STATUSES: Final[Mapping[str, JobState]] = {
    "InProgress": JobState.RUNNING,
    "Completed": JobState.COMPLETED,
    "Failed": JobState.FAILED,
    "Stopping": JobState.STOPPING,
    "Stopped": JobState.STOPPED,
    # Only an ended job can be deleted; what it was is gone with it.
    "Deleting": JobState.LOST,
}

SECONDARY: Final[Mapping[str, JobState]] = {
    "Pending": JobState.STARTING,
    "Starting": JobState.STARTING,
    "LaunchingMLInstances": JobState.STARTING,
    "PreparingTrainingStack": JobState.STARTING,
    "Downloading": JobState.STARTING,
    "DownloadingTrainingImage": JobState.STARTING,
    # The instances are gone, and others are waited for.
    "Interrupted": JobState.STARTING,
    "Restarting": JobState.STARTING,
    "Training": JobState.RUNNING,
    "Updating": JobState.RUNNING,
    "Uploading": JobState.RUNNING,
    "Stopping": JobState.STOPPING,
    # The status decides that a job has ended; until then it holds its slot.
    "Completed": JobState.RUNNING,
    "Failed": JobState.RUNNING,
    "Stopped": JobState.STOPPING,
    "MaxRuntimeExceeded": JobState.STOPPING,
    "MaxWaitTimeExceeded": JobState.STOPPING,
}

MAX_RUNTIME: Final = "MaxRuntimeExceeded"
MAX_WAIT: Final = "MaxWaitTimeExceeded"
TIME_LIMITS: Final = (MAX_RUNTIME, MAX_WAIT)
RESTARTS: Final = ("Interrupted", "Restarting")

# How AWS begins, or words, the failure reasons that are not the training's doing.
_INFRASTRUCTURE: Final = re.compile(
    r"^\s*(InternalServerError|InternalError|CapacityError|ServiceUnavailable)\b"
    r"|InsufficientInstanceCapacity|[Ii]nsufficient capacity|[Uu]nable to provision requested ML compute"
)


def state_of(status: str, secondary: str | None) -> JobState:
    """The state of a job. A status that we don't know is taken for running: the job keeps its slot."""
    state = STATUSES.get(status, JobState.RUNNING)
    if state is JobState.RUNNING and secondary is not None:
        return SECONDARY.get(secondary, JobState.RUNNING)
    return state


def is_infrastructure(failure_reason: str) -> bool:
    """Whether a job failed through no fault of the training code."""
    return _INFRASTRUCTURE.search(failure_reason) is not None
