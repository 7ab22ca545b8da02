"""Instances that are kept after a job for the next one like it.

https://docs.aws.amazon.com/sagemaker/latest/dg/train-warm-pools.html says which jobs match.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from amt_flows.testing.sagemaker.job import SimulatedTrainingJob

MATCHING = ("RoleArn", "VpcConfig", "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption")
MATCHING_RESOURCES = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")


class WarmPools:
    """Which job's instances went to which other one."""

    def __init__(self) -> None:
        self._reused: dict[str, tuple[SimulatedTrainingJob, float]] = {}  # by the ARN of the pool's job

    def take(self, job: SimulatedTrainingJob, others: Iterable[SimulatedTrainingJob]) -> bool:
        """Give a new job the pool of an earlier one that matches, if there is one."""
        if not keep_alive_seconds(job.request):
            return False
        now = job.created_at
        for other in others:
            if other is not job and self.available(other, now) and _matches(job, other):
                self._reused[other.arn] = (job, now)
                return True
        return False

    def forget(self, job: SimulatedTrainingJob) -> None:
        """Its name may be used again."""
        self._reused.pop(job.arn, None)

    def available(self, job: SimulatedTrainingJob, now: float) -> bool:
        status = self.status(job, now)
        return status is not None and status["Status"] == "Available"

    def status(self, job: SimulatedTrainingJob, now: float) -> dict[str, Any] | None:
        """Describe's WarmPoolStatus; None for a job that keeps nothing."""
        kept = keep_alive_seconds(job.request)
        if not kept or (job.training_started_at is None and not job.live):
            return None
        if job.live or job.training_ended_at is None:
            return {"Status": "InUse"}
        reuse = self._reused.get(job.arn)
        until = min(now if reuse is None else reuse[1], job.training_ended_at + kept)
        retained = {"ResourceRetainedBillableTimeInSeconds": max(0, math.ceil(until - job.training_ended_at))}
        if reuse is not None:
            return {"Status": "Reused", "ReusedByJob": reuse[0].name, **retained}
        if now < job.training_ended_at + kept:
            return {"Status": "Available", **retained}
        return {"Status": "Terminated", **retained}


def keep_alive_seconds(request: Mapping[str, Any]) -> int:
    return int((request.get("ResourceConfig") or {}).get("KeepAlivePeriodInSeconds") or 0)


def _matches(job: SimulatedTrainingJob, other: SimulatedTrainingJob) -> bool:
    same_place = (job.account, job.region) == (other.account, other.region)
    mine, theirs = job.request["ResourceConfig"], other.request["ResourceConfig"]
    return (
        same_place
        and all(job.request.get(name) == other.request.get(name) for name in MATCHING)
        and all(mine.get(name) == theirs.get(name) for name in MATCHING_RESOURCES)
    )
