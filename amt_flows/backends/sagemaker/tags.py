"""The tags by which our training jobs are known, beside their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from amt_flows.ports import JobRequest

TUNING_JOB: Final = "amt-flows-tuning-job"
TRIAL: Final = "amt-flows-trial"
ATTEMPT: Final = "amt-flows-attempt"
FINGERPRINT: Final = "amt-flows-fingerprint"
SEED: Final = "amt-flows-seed"
OURS: Final = (TUNING_JOB, TRIAL, ATTEMPT, FINGERPRINT, SEED)
MAX_TAGS: Final = 50
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html, Tags."""


def tags_of(request: JobRequest) -> dict[str, str]:
    """The user's tags, and ours."""
    return {
        **request.tags,
        TUNING_JOB: request.tuning_job,
        TRIAL: str(request.trial),
        ATTEMPT: str(request.attempt),
        FINGERPRINT: request.fingerprint,
        **({} if request.seed is None else {SEED: str(request.seed)}),
    }


def as_pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """AWS's way of writing tags."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def from_pairs(pairs: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {str(pair["Key"]): str(pair.get("Value", "")) for pair in pairs}
