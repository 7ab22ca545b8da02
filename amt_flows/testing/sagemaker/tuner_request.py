"""A tuning job's request as a spec that our engine can tune, and the requests of its training jobs.

The words about a missing metric are quoted in public issues; that every training job gets the hyperparameter
``_tuning_objective_metric`` is what version 2 of the SDK reads (the question ``resources-of-a-tuning-job``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from amt_flows.backends.sagemaker.request import create_training_job_request, own_algorithm
from amt_flows.backends.sagemaker.tags import as_pairs
from amt_flows.errors import Problem, SpecError
from amt_flows.ledger.algorithms import algorithms_of
from amt_flows.ports import JobRequest
from amt_flows.spec import TuningSpec
from amt_flows.spec.metric_definitions import definitions
from amt_flows.spec.sagemaker_rules import sagemaker_problems
from amt_flows.testing.sagemaker.commands import OBJECTIVE_METRIC
from amt_flows.testing.sagemaker.refusals import Refusal, validation
from amt_flows.tuning.problems import unsupported

NO_METRIC = (
    "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric "
    "definitions."
)


def spec_of(request: Mapping[str, Any]) -> TuningSpec:
    """The spec of a well-formed CreateHyperParameterTuningJob.

    Raises SpecError, and Refusal, for what AWS would refuse and for what we can't tune.
    """
    spec = TuningSpec.parse(request)
    problems = [*unsupported(spec), *sagemaker_problems(spec)]
    if problems:
        raise SpecError(problems)
    for algorithm in algorithms_of(spec):
        given = {definition.name for definition in algorithm.spec.training_job.metric_definitions}
        if algorithm.metric_name not in given and not _brings_metrics(algorithm.spec):
            raise validation(NO_METRIC)
    return spec


def refused(problems: Sequence[Problem]) -> Refusal:
    """All that is wrong with a request in one message."""
    return validation("; ".join(map(str, problems)))


def _brings_metrics(spec: TuningSpec) -> bool:
    """SageMaker's own algorithms and registered ones come with their metrics."""
    algorithm: Mapping[str, Any] = spec.training_job.sagemaker.get("AlgorithmSpecification") or {}
    return "AlgorithmName" in algorithm or own_algorithm(spec.training_job) is not None


def training_job_request(request: JobRequest) -> dict[str, Any]:
    """The CreateTrainingJob of one training job. An algorithm that brings its metrics has the objective as
    :mod:`amt_flows.reporting` prints it, since nobody knows what stands for it here."""
    body = create_training_job_request(request)
    body["HyperParameters"] = {**request.hyperparameters, OBJECTIVE_METRIC: request.objective_metric}
    body["Tags"] = as_pairs(request.tags)
    body["AlgorithmSpecification"].setdefault(
        "MetricDefinitions",
        [
            {"Name": one.name, "Regex": one.regex}
            for one in definitions(request.template, request.objective_metric)
        ],
    )
    return body
