"""What SageMaker asks of a spec beyond the rules that hold everywhere. Not looked at for local runs.

:func:`training_job_problems` is about the training jobs alone, whoever proposes their hyperparameters;
:func:`sagemaker_problems` is about a tuning job that AMT itself runs, and includes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from amt_flows.errors import Problem
from amt_flows.names import FUNCTION_BY_VALUE
from amt_flows.spec.algorithm_rules import (
    MAX_HYPERPARAMETERS,
    Algorithm,
    hyperparameters,
    numeric_ranges,
)
from amt_flows.spec.dotted import MISSING, get
from amt_flows.spec.model import TuningSpec
from amt_flows.spec.parts import StrategyType
from amt_flows.spec.rules import algorithms

TUNING_RUNTIME: Final = (120, 15_768_000)
TRAINING_RUNTIME: Final = 28 * 86_400
MIN_NOT_IMPROVING: Final = 3
MAX_HYPERBAND_RESOURCE: Final = 20_000
MAX_VARIABLE: Final = 512
ROLE: Final = re.compile(r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+")

# (member of the training job definition, what it is)
NEEDED: Final = (
    ("RoleArn", "the ARN of the IAM role that the training jobs assume"),
    ("AlgorithmSpecification.TrainingInputMode", "File, FastFile or Pipe"),
    ("OutputDataConfig.S3OutputPath", "the S3 address under which the models are stored"),
)


def sagemaker_problems(spec: TuningSpec) -> list[Problem]:
    """What keeps AMT from taking this tuning job."""
    return [*_limits(spec), *_grid(spec), *_autotune(spec), *training_job_problems(spec)]


def training_job_problems(spec: TuningSpec) -> list[Problem]:
    """What keeps SageMaker from taking this tuning job's training jobs."""
    return [
        problem
        for at, algorithm in algorithms(spec)
        for rule in (_needed, _algorithm, _instances, _sizes, _function)
        for problem in rule(algorithm, at)
    ]


def _function(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    function = algorithm.training_job.function
    if function is not None and FUNCTION_BY_VALUE.fullmatch(function):
        yield Problem(
            f"{at}training_job.function",
            function.rpartition(":")[0],
            "a function without a module of its own can't travel to SageMaker; write it into a script that "
            "prints its metric, put that into the image or into script mode's source, and leave it out",
        )


def _limits(spec: TuningSpec) -> Iterator[Problem]:
    shortest, longest = TUNING_RUNTIME
    seconds = spec.limits.max_runtime_seconds
    if seconds is not None and not shortest <= seconds <= longest:
        yield Problem(
            "limits.max_runtime_seconds", seconds, f"AMT takes {shortest} to {longest:,} seconds; change it"
        )
    field = "completion.max_number_of_training_jobs_not_improving"
    patience = spec.completion.max_number_of_training_jobs_not_improving
    if patience is not None and patience < MIN_NOT_IMPROVING:
        yield Problem(field, patience, f"AMT takes {MIN_NOT_IMPROVING} or more; raise it")
    if spec.hyperband is not None and spec.hyperband.max_resource > MAX_HYPERBAND_RESOURCE:
        yield Problem(
            "hyperband.max_resource",
            spec.hyperband.max_resource,
            f"AMT takes at most {MAX_HYPERBAND_RESOURCE:,} epochs; lower it",
        )


def _grid(spec: TuningSpec) -> Iterator[Problem]:
    if spec.strategy is not StrategyType.GRID:
        return
    for at, algorithm in algorithms(spec):
        for field, one in numeric_ranges(algorithm):
            yield Problem(
                f"{at}{field}",
                one.name,
                "AMT's grid takes only categorical ranges; list the values in `categorical`",
            )


def _autotune(spec: TuningSpec) -> Iterator[Problem]:
    for at, algorithm in algorithms(spec):
        if algorithm.auto_parameters and not spec.autotune:
            yield Problem(
                f"{at}auto_parameters",
                [one.name for one in algorithm.auto_parameters],
                "AMT chooses ranges only when `autotune` is true; set it, or give the ranges",
            )


def _needed(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    given, here = algorithm.training_job.sagemaker, f"{at}training_job.sagemaker"
    for member, what in NEEDED:
        if get(given, member) is MISSING:
            yield Problem(f"{here}.{member}", None, f"SageMaker needs it: {what}")
    role = given.get("RoleArn")
    if role is not None and (not isinstance(role, str) or ROLE.fullmatch(role) is None):
        yield Problem(
            f"{here}.RoleArn", role, "is not a role's ARN; write arn:aws:iam::<12 digits>:role/<name>"
        )


def _algorithm(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    specification = get(algorithm.training_job.sagemaker, "AlgorithmSpecification")
    given = [get(specification, name) for name in ("TrainingImage", "AlgorithmName")]
    if sum(value is not MISSING for value in given) != 1:
        yield Problem(
            f"{at}training_job.sagemaker.AlgorithmSpecification.TrainingImage",
            None if given[0] is MISSING else given[0],
            "give either the image of the algorithm, or the AlgorithmName of a registered one",
        )


def _instances(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    given = algorithm.training_job.sagemaker
    if "ResourceConfig" not in given and "HyperParameterTuningResourceConfig" not in given:
        yield Problem(
            f"{at}training_job.sagemaker.ResourceConfig",
            None,
            "SageMaker needs to know on which instances to train; give their type, count and volume size",
        )


def _sizes(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    seconds = algorithm.training_job.max_runtime_seconds
    if seconds is not None and seconds > TRAINING_RUNTIME:
        yield Problem(
            f"{at}training_job.max_runtime_seconds",
            seconds,
            f"SageMaker takes at most {TRAINING_RUNTIME:,} seconds (28 days); lower it",
        )
    for name, value in algorithm.training_job.environment.items():
        if len(name) > MAX_VARIABLE or len(value) > MAX_VARIABLE:
            yield Problem(
                f"{at}training_job.environment.{name}",
                value,
                f"SageMaker takes at most {MAX_VARIABLE} characters of name and of value; shorten it",
            )
    count = len(hyperparameters(algorithm))
    # The guide "Define Hyperparameter Ranges": the service adds `_tuning_objective_metric` to the 100.
    if count == MAX_HYPERPARAMETERS:
        yield Problem(
            f"{at}static_hyperparameters",
            count,
            f"AMT adds a hyperparameter of its own to the {MAX_HYPERPARAMETERS} it takes; leave one out",
        )
