"""What a spec says that SageMaker's training jobs don't have, and what they may lack: said before they are
paid for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from amt_flows.backends.sagemaker.request import own_algorithm
from amt_flows.spec import TuningSpec
from amt_flows.spec.dotted import MISSING, get

# What only local workers read, and what is so instead.
INSTEAD: Final = {
    "command": "the image of `training_job.sagemaker` decides what runs",
    "function": "the image of `training_job.sagemaker` decides what runs",
    "working_directory": "the image of `training_job.sagemaker` decides where it runs",
    "hyperparameters_as_arguments": "the image decides how the script gets its hyperparameters",
    "flags": "the image decides how the script gets its hyperparameters",
    "output_path": "models go to `OutputDataConfig.S3OutputPath`",
    "stop_grace_seconds": "SageMaker gives a training job 120 s to end",
}


def notices(spec: TuningSpec) -> Iterator[str]:
    """A sentence for each, with its field first; of one algorithm."""
    yield from _local_only(spec)
    yield from _without_definitions(spec)


def _local_only(spec: TuningSpec) -> Iterator[str]:
    job = spec.training_job
    for name, instead in INSTEAD.items():
        if getattr(job, name) == type(job).model_fields[name].default:
            continue
        if name == "working_directory" and (job.command or job.function is not None):
            continue  # it was filled in for them
        yield f"training_job.{name}: is not used on SageMaker: {instead}"


def _without_definitions(spec: TuningSpec) -> Iterator[str]:
    """An image of one's own may print the lines of ``report``; nobody can tell from here."""
    job = spec.training_job
    if job.metric_definitions or own_algorithm(job) is not None:
        return
    metric = spec.objective.metric_name
    registered = get(job.sagemaker, "AlgorithmSpecification.AlgorithmName") is not MISSING
    needed = (
        f"unless the registered algorithm defines {metric}, or its image prints it with "
        if registered
        else "unless the image prints it with "
    )
    yield (
        f"training_job.metric_definitions: none is given for {metric} (AMT's MetricDefinitions); "
        f"{needed}`amt_flows.reporting.report`, every training job is paid for and counts for nothing; give "
        "one whose regex finds it in the output"
    )
