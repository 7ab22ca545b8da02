"""The rules of ``training_job.sagemaker``: the part of AMT's training job definition kept in AMT's own words.

Only what a person easily gets wrong is looked at here; types, patterns and enumerations of the rest are for
a check against the service's own model, before anything is launched on SageMaker. Source: the API reference
of ``HyperParameterTrainingJobDefinition``, ``HyperParameterTuningResourceConfig`` and ``StoppingCondition``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from amt_flows.errors import Problem
from amt_flows.names import nearest, plain
from amt_flows.spec.amt_fields import INSIDE, VERBATIM, algorithm_places
from amt_flows.spec.dotted import MISSING, get
from amt_flows.spec.parts import TrainingJobTemplate

MAX_CHANNELS: Final = 20
MAX_INSTANCE_CONFIGS: Final = 6
# AMT's default of StoppingCondition.MaxRuntimeInSeconds.
ONE_DAY: Final = 86_400
# AWS adds members to its API. One that merely looks a little like another is kept, not refused.
SURELY_MISSPELT: Final = 0.85


def verbatim_problems(job: TrainingJobTemplate, at: str) -> Iterator[Problem]:
    """What is wrong with the verbatim part of a training job template; ``at`` is the algorithm's prefix."""
    here = f"{at}training_job.sagemaker"
    yield from _mapped(job.sagemaker, at, here)
    yield from _overwritten(job.sagemaker, at, here)
    yield from _misspelt(job.sagemaker, here)
    yield from _not_objects(job.sagemaker, here)
    yield from _resources(job.sagemaker, here)
    yield from _spot(job, at, here)
    yield from _channels(job.sagemaker, here)


def _mapped(given: Mapping[str, Any], at: str, here: str) -> Iterator[Problem]:
    """A member with a field of ours stands in that field only, so that the two can't disagree."""
    for place in algorithm_places(INSIDE):
        value = get(given, place.amt)
        if value is not MISSING:
            yield Problem(
                f"{here}.{place.amt}", value, f"has a field of its own; write `{at}{place.own}` instead"
            )
    for name in sorted(_mapped_names() & given.keys()):
        if not any(get(given, place.amt) is not MISSING for place in algorithm_places(INSIDE)):
            yield Problem(f"{here}.{name}", given[name], "has fields of its own; write those instead")


def _mapped_names() -> set[str]:
    """The members of AMT's definition that are ours as a whole."""
    return {place.amt.split(".")[0] for place in algorithm_places(INSIDE)} - set(VERBATIM)


def _overwritten(given: Mapping[str, Any], at: str, here: str) -> Iterator[Problem]:
    """Members of a training job's request that each training job gets for itself."""
    remedies = {
        "TrainingJobName": "training jobs are named after the tuning job; leave it out",
        "HyperParameters": f"a training job gets its own; write `{at}static_hyperparameters` for the others",
        "Tags": "a training job gets those of the tuning job; write `tags`",
    }
    by_plain = {plain(name): remedy for name, remedy in remedies.items()}
    for name, value in given.items():
        if plain(name) in by_plain:
            yield Problem(f"{here}.{name}", value, by_plain[plain(name)])


def _misspelt(given: Mapping[str, Any], here: str) -> Iterator[Problem]:
    mapped = _mapped_names()
    for name, value in given.items():
        if name in VERBATIM or name in mapped:
            continue
        meant = nearest(name, VERBATIM, cutoff=SURELY_MISSPELT)
        if meant is not None:
            yield Problem(f"{here}.{name}", value, f"no such member; write `{meant}`")


OBJECTS: Final = (
    "AlgorithmSpecification",
    "VpcConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "HyperParameterTuningResourceConfig",
    "StoppingCondition",
    "CheckpointConfig",
)


def _not_objects(given: Mapping[str, Any], here: str) -> Iterator[Problem]:
    for name in OBJECTS:
        if name in given and not isinstance(given[name], Mapping):
            yield Problem(f"{here}.{name}", given[name], "must be an object of names and values")


def _resources(given: Mapping[str, Any], here: str) -> Iterator[Problem]:
    plain_name, flexible_name = "ResourceConfig", "HyperParameterTuningResourceConfig"
    if plain_name in given and flexible_name in given:
        yield Problem(
            f"{here}.{flexible_name}",
            None,
            f"stands beside {plain_name}; leave one of them out",
        )
    flexible = given.get(flexible_name)
    if not isinstance(flexible, Mapping):
        return
    here = f"{here}.{flexible_name}"
    strategy = flexible.get("AllocationStrategy", "Prioritized")
    if strategy != "Prioritized":
        yield Problem(f"{here}.AllocationStrategy", strategy, "write Prioritized, the only choice")
    if "InstanceConfigs" not in flexible:
        return
    configs = flexible["InstanceConfigs"]
    if not isinstance(configs, list | tuple) or not 1 <= len(configs) <= MAX_INSTANCE_CONFIGS:
        yield Problem(
            f"{here}.InstanceConfigs",
            configs,
            f"must be a list of 1 to {MAX_INSTANCE_CONFIGS} instance configurations, the preferred one first",
        )
    for name in ("InstanceType", "InstanceCount", "VolumeSizeInGB"):
        if name in flexible:
            yield Problem(
                f"{here}.{name}",
                flexible[name],
                "stands in each of InstanceConfigs when there are any; move it there",
            )


def _spot(job: TrainingJobTemplate, at: str, here: str) -> Iterator[Problem]:
    """The longest wait includes the run, so it can't be shorter than the longest run."""
    spot = job.sagemaker.get("EnableManagedSpotTraining", False)
    wait = get(job.sagemaker, "StoppingCondition.MaxWaitTimeInSeconds")
    here = f"{here}.StoppingCondition.MaxWaitTimeInSeconds"
    if wait is MISSING:
        if spot:
            yield Problem(
                here,
                None,
                f"EnableManagedSpotTraining needs it; write at least `{at}training_job.max_runtime_seconds`",
            )
        return
    if not spot:
        yield Problem(
            here, wait, "is for spot instances; set EnableManagedSpotTraining to true, or leave it out"
        )
        return
    longest = ONE_DAY if job.max_runtime_seconds is None else job.max_runtime_seconds
    if not isinstance(wait, int) or wait < longest:
        default = " (AMT's default)" if job.max_runtime_seconds is None else ""
        yield Problem(
            here,
            wait,
            f"must be at least `{at}training_job.max_runtime_seconds`, which is {longest}{default}",
        )


def _channels(given: Mapping[str, Any], here: str) -> Iterator[Problem]:
    if "InputDataConfig" not in given:
        return
    channels = given["InputDataConfig"]
    if not isinstance(channels, list | tuple) or not 1 <= len(channels) <= MAX_CHANNELS:
        yield Problem(
            f"{here}.InputDataConfig",
            channels,
            f"must be a list of 1 to {MAX_CHANNELS} channels, or left out",
        )
        return
    names = [get(channel, "ChannelName") for channel in channels]
    for i, name in enumerate(names):
        if name is not MISSING and name in names[:i]:
            yield Problem(
                f"{here}.InputDataConfig[{i}].ChannelName",
                name,
                "is used twice; give each channel its own name",
            )
