"""What a spec asks of SageMaker that training jobs on this machine don't have: said, since a request body may
be run here as it is, and nothing is ignored in silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from amt_flows.backends.local.machine import this_machine
from amt_flows.spec import TrainingJobTemplate, TuningSpec

HERE: Final = "training_job.sagemaker"

# What is so instead, for each member of AMT's training job definition that has no field of ours.
INSTEAD: Final[Mapping[str, str]] = {
    "AlgorithmSpecification": "no image is started; `training_job.command` or `function` says what runs",
    "RoleArn": "training jobs have the rights of whoever runs this",
    "InputDataConfig": "nothing is fetched; say in `training_job.inputs` where its channels are here",
    "OutputDataConfig": "models stay on this machine, unencrypted",
    "ResourceConfig": "all training jobs share this machine; `training_job.resources` gives each its part",
    "HyperParameterTuningResourceConfig": "all training jobs share this machine",
    "VpcConfig": "training jobs have this machine's network",
    "EnableNetworkIsolation": "training jobs have this machine's network",
    "EnableInterContainerTrafficEncryption": "a training job is on one machine",
    "EnableManagedSpotTraining": "there are no spot instances here",
    "CheckpointConfig": "checkpoints stay on this machine, in each training job's `SM_CHECKPOINT_DIR`",
    "StoppingCondition": "nobody waits for instances here",
}
# What asks for something only when it is true.
SWITCHES: Final = (
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
)


def notices(spec: TuningSpec) -> Iterator[str]:
    """A sentence for each member that is not used, with its field first; of one algorithm."""
    yield from _shared_gpus(spec)
    job = spec.training_job
    for name, value in job.sagemaker.items():
        if not value and (name in SWITCHES or value in ({}, [])):
            continue
        instead = INSTEAD.get(name, "nothing here knows it")
        if name == "InputDataConfig" and _are_given(job, value):
            instead = "nothing is fetched; its channels are read from where `training_job.inputs` says"
        yield f"{HERE}.{_path(name, value)}: is not used on this machine: {instead}"


def _shared_gpus(spec: TuningSpec) -> Iterator[str]:
    job, parallel = spec.training_job, spec.limits.max_parallel_training_jobs
    machine = this_machine()
    if job.resources.is_asked:
        most = machine.most_at_once(job.resources)
        if most is not None and 0 < most < parallel:
            yield (
                f"limits.max_parallel_training_jobs: {parallel} at once are asked for and this machine has "
                f"room for {most}; the others wait"
            )
    elif parallel > 1 and len(machine.gpus) > 1 and machine.variable not in job.environment:
        yield (
            f"training_job.resources: {parallel} training jobs at once share {len(machine.gpus)} GPUs, and "
            "most libraries take the first; give each its own with `gpus = 1`"
        )


def _path(name: str, value: Any) -> str:
    """With the members of an object that has fields of ours beside it: those are used."""
    if name not in ("AlgorithmSpecification", "StoppingCondition") or not isinstance(value, Mapping):
        return name
    return f"{name} ({', '.join(value)})"


def _are_given(job: TrainingJobTemplate, channels: Any) -> bool:
    names = [one.get("ChannelName") for one in channels if isinstance(one, Mapping)]
    return bool(names) and set(names) <= job.inputs.keys()
