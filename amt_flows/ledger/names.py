"""Names: tuning job, trial and attempt to training job name and back.

A training job's name is derived from what it runs and from nothing else, so that a controller that
restarts asks for the same name again, and the backend's rule that names are unique keeps it from running
twice.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from amt_flows.space.space import Configuration, configuration_key

TRAINING_JOB_NAME = re.compile(
    r"(?P<tuning>.+)-(?P<trial>\d{3,})-(?P<digest>[0-9a-f]{8})(-r(?P<attempt>\d+))?"
)


@dataclass(frozen=True)
class JobName:
    tuning_job: str
    trial: int
    digest: str
    attempt: int

    def __str__(self) -> str:
        retry = f"-r{self.attempt}" if self.attempt > 1 else ""
        return f"{self.tuning_job}-{self.trial:03d}-{self.digest}{retry}"


def configuration_digest(configuration: Configuration, definition: str = "") -> str:
    """8 hex digits of a configuration, and of the one of several algorithms that it is for."""
    key = configuration_key(configuration)
    # A definition's name has no such character, so that no two of these are the same text.
    text = f"{definition}\0{key}" if definition else key
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def training_job_name(
    tuning_job: str, trial: int, configuration: Configuration, attempt: int = 1, *, definition: str = ""
) -> str:
    """``<tuning>-<trial>-<8 hex of the configuration>``, and ``-r<attempt>`` from the second attempt on. Of
    several algorithms, ``definition`` goes into the 8 digits: a job's name tells whoever knows the spec whose
    it is."""
    return str(JobName(tuning_job, trial, configuration_digest(configuration, definition), attempt))


def parse_training_job_name(name: str) -> JobName | None:
    """The parts of a name we gave, or None if it isn't one of ours."""
    match = TRAINING_JOB_NAME.fullmatch(name)
    if match is None:
        return None
    return JobName(match["tuning"], int(match["trial"]), match["digest"], int(match["attempt"] or 1))
