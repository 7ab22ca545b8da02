"""Advice on a spec that may run as it is: what a careful colleague would ask about before it costs money."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from amt_flows.metrics import expressions
from amt_flows.metrics.slow_regexes import slowness
from amt_flows.names import variable
from amt_flows.space.space import Scaling
from amt_flows.spec.algorithm_rules import Algorithm, numeric_ranges
from amt_flows.spec.dotted import get
from amt_flows.spec.model import TuningSpec
from amt_flows.spec.parts import EarlyStoppingType, ObjectiveType, StrategyType
from amt_flows.spec.rules import algorithms

# SageMaker's built-in algorithms, by the name of their image. The first group emits its objective once per
# epoch (AMT's guide "Stop Training Jobs Early", and its later additions), the second is not in that list.
EMIT_PER_EPOCH: Final = frozenset(
    {"xgboost", "sagemaker-xgboost", "image-classification", "object-detection", "seq2seq", "ipinsights"}
)
EMIT_AT_THE_END: Final = frozenset(
    {
        "blazingtext",
        "factorization-machines",
        "forecasting-deepar",
        "kmeans",
        "knn",
        "lda",
        "ntm",
        "object2vec",
        "pca",
        "randomcutforest",
        "semantic-segmentation",
    }
)
LINEAR_LEARNER: Final = "linear-learner"

SMALLER_IS_BETTER: Final = frozenset(
    {
        *("loss", "error", "err", "rmse", "mse", "mae", "mape", "rmsle", "logloss", "mlogloss", "merror"),
        *("crossentropy", "nll", "perplexity", "wer", "cer"),
    }
)
LARGER_IS_BETTER: Final = frozenset(
    {
        *("accuracy", "acc", "auc", "f1", "precision", "recall", "ndcg", "map", "r2", "bleu", "rouge"),
        *("iou", "miou", "mcc", "dice", "ap"),
    }
)
NEGATED: Final = frozenset({"neg", "negative"})
SECRET: Final = re.compile(r"passw|secret|token|api_?key|credential", re.IGNORECASE)
DASHED: Final = re.compile(r"-(?!\d+$|\d*\.\d+$)[^ ]+")
"""What argparse takes for an option: a word with a dash in front that is no negative number to it."""

WIDE: Final = 1000.0


def warnings(spec: TuningSpec) -> list[str]:
    """Each a sentence or two, with the field it is about first."""
    of_tuning = [advice for rule in _TUNING_RULES for advice in rule(spec)]
    return (
        of_tuning
        + [advice for at, one in algorithms(spec) for rule in _RULES for advice in rule(one, at)]
        + [advice for at, one in algorithms(spec) for advice in _no_curve(spec, one, at)]
    )


def _may_never_end(spec: TuningSpec) -> Iterator[str]:
    limits, completion = spec.limits, spec.completion
    sure = (
        limits.max_number_of_training_jobs,
        limits.max_runtime_seconds,
        limits.max_cost,
        completion.max_number_of_training_jobs_not_improving,
        completion.complete_on_convergence or None,
    )
    if completion.target_objective_metric_value is None or any(end is not None for end in sure):
        return
    if spec.strategy is not StrategyType.GRID and not spec.autotune:
        yield (
            "completion.target_objective_metric_value: if no training job reaches it, nothing ends the "
            "tuning job; give limits.max_number_of_training_jobs too"
        )


def _idle_improvement(spec: TuningSpec) -> Iterator[str]:
    completion = spec.completion
    if completion.min_relative_improvement and completion.max_number_of_training_jobs_not_improving is None:
        yield (
            "completion.min_relative_improvement: decides nothing without "
            "completion.max_number_of_training_jobs_not_improving"
        )


def _one_of_several(spec: TuningSpec) -> Iterator[str]:
    if spec.other_objectives and spec.completion.max_number_of_training_jobs_not_improving is not None:
        yield (
            "completion.max_number_of_training_jobs_not_improving: counts jobs that don't improve "
            f"{spec.objective.metric_name}, as few do that look for the rest of the front; give more, "
            "or leave it out"
        )


def _crowded(spec: TuningSpec) -> Iterator[str]:
    parallel, total = spec.limits.max_parallel_training_jobs, spec.limits.max_number_of_training_jobs
    if spec.strategy is not StrategyType.BAYESIAN or total is None or parallel == 1 or 2 * parallel < total:
        return
    yield (
        f"limits.max_parallel_training_jobs: with {parallel} of {total} training jobs at once the Bayesian "
        "strategy learns from few results; fewer at once find better values, and Random is no worse here"
    )


def _wide_linear(algorithm: Algorithm, at: str) -> Iterator[str]:
    for field, one in numeric_ranges(algorithm):
        if one.scaling_type is Scaling.LINEAR and one.min_value > 0 and one.max_value / one.min_value >= WIDE:
            yield (
                f"{at}{field}.scaling_type: on the Linear scale nearly all values tried for {one.name} "
                f"have the magnitude of {one.max_value:g}; Logarithmic tries small ones as often"
            )


def less_is_better(metric: str) -> bool | None:
    """Whether a metric looks like a loss, of which less is better, or like a score; None for neither, for
    both, and for what is negated."""
    words = set(re.split(r"[^a-z0-9]+", metric.lower()))
    if words & NEGATED:
        return None
    small = bool(words & SMALLER_IS_BETTER) or metric.lower().endswith(("loss", "error"))
    large = bool(words & LARGER_IS_BETTER)
    return None if small == large else small


def _direction(algorithm: Algorithm, at: str) -> Iterator[str]:
    name, kind = algorithm.objective.metric_name, algorithm.objective.type
    less = less_is_better(name)
    if less is True and kind is ObjectiveType.MAXIMIZE:
        yield f"{at}objective.type: {name} looks like a loss, of which less is better; Maximize is asked for"
    if less is False and kind is ObjectiveType.MINIMIZE:
        yield f"{at}objective.type: {name} looks like a score, of which more is better; Minimize is asked for"


def _regexes(algorithm: Algorithm, at: str) -> Iterator[str]:
    for i, definition in enumerate(algorithm.training_job.metric_definitions):
        for gap in (*expressions.warnings(definition.regex), *slowness(definition.regex)):
            yield f"{at}training_job.metric_definitions[{i}].regex: {gap}"


# Whose business is to start several processes of a script; the options say how many.
_LAUNCHERS: Final = re.compile(
    r"(^|/)(torchrun|accelerate|deepspeed|mpirun|mpiexec|horovodrun|srun)$|^torch\.distributed\.(run|launch)$"
)


def _several_processes(algorithm: Algorithm, at: str) -> Iterator[str]:
    launcher = next((word for word in algorithm.training_job.command if _LAUNCHERS.search(word)), None)
    if launcher is not None:
        yield (
            f"{at}training_job.command: {launcher} starts several processes, and each that prints "
            f"{algorithm.objective.metric_name} counts as an epoch of its own; let one print it: "
            "`if int(os.environ.get('RANK', '0')) == 0:`"
        )


def _one_variable_for_two(algorithm: Algorithm, at: str) -> Iterator[str]:
    """The variables that SageMaker's containers have: what differs only by case or by signs shares one."""
    if algorithm.training_job.function is not None:
        return
    named: dict[str, str] = {}
    tuned = (algorithm.continuous, algorithm.integer, algorithm.categorical)
    names = [one.name for ranges in tuned for one in ranges]
    for name in (*names, *algorithm.static_hyperparameters):
        shared = variable("SM_HP_", name)
        first = named.setdefault(shared, name)
        if first != name:
            yield (
                f"{at}training_job: {first} and {name} share the variable {shared}, which has the value of "
                "one of them; read both from the arguments or SM_HPS, or rename one"
            )


def _texts_like_options(algorithm: Algorithm, at: str) -> Iterator[str]:
    """An argument that begins with a dash is an option to argparse, unless it reads as a number."""
    job = algorithm.training_job
    if job.function is not None or not job.hyperparameters_as_arguments:
        return
    named = [
        (f"categorical[{i}].values", one.name, one.values) for i, one in enumerate(algorithm.categorical)
    ]
    fixed = algorithm.static_hyperparameters.items()
    named += [(f"static_hyperparameters.{name}", name, (value,)) for name, value in fixed]
    for field, name, values in named:
        text = next((one for one in values if isinstance(one, str) and DASHED.fullmatch(one)), None)
        if text is not None:
            yield (
                f"{at}{field}: {text!r} begins with a dash, and argparse takes `--{name} {text}` for two "
                "options; give the script another word for it, or read it from SM_HPS or hyperparameters.json"
            )


def _secrets(algorithm: Algorithm, at: str) -> Iterator[str]:
    for name in algorithm.training_job.environment:
        if SECRET.search(name):
            yield (
                f"{at}training_job.environment.{name}: looks like a secret; the spec is written to the "
                "journal and shown to everyone, so name it in training_job.secret_environment instead, or "
                "let the training job fetch it itself"
            )


def _no_curve(spec: TuningSpec, algorithm: Algorithm, at: str) -> Iterator[str]:
    why = _why_no_curve(algorithm)
    if spec.early_stopping.type is not EarlyStoppingType.OFF and why is not None:
        yield f"{at}early_stopping.type: {why}, so no training job can be stopped early"


def emits_no_curve(spec: TuningSpec) -> bool:
    """Whether the spec's own algorithm is known to emit its objective at the end only."""
    return _why_no_curve(spec) is not None


def _why_no_curve(algorithm: Algorithm) -> str | None:
    name = builtin_algorithm(algorithm)
    metric = algorithm.objective.metric_name
    if name in EMIT_AT_THE_END:
        return f"{name} emits no metric per epoch"
    if name == LINEAR_LEARNER and "objective_loss" not in metric:
        return f"{name} emits only objective_loss per epoch, not {metric}"
    return None


def builtin_algorithm(algorithm: Algorithm) -> str | None:
    """The name of SageMaker's built-in algorithm, or None for any other image."""
    image = get(algorithm.training_job.sagemaker, "AlgorithmSpecification.TrainingImage")
    if not isinstance(image, str):
        return None
    name = re.split(r"[:@]", image.rsplit("/", 1)[-1])[0]
    return name if name in EMIT_PER_EPOCH | EMIT_AT_THE_END | {LINEAR_LEARNER} else None


_TUNING_RULES: tuple[Callable[[TuningSpec], Iterator[str]], ...] = (
    _may_never_end,
    _idle_improvement,
    _one_of_several,
    _crowded,
)
_RULES: tuple[Callable[[Algorithm, str], Iterator[str]], ...] = (
    _wide_linear,
    _direction,
    _regexes,
    _several_processes,
    _texts_like_options,
    _one_variable_for_two,
    _secrets,
)
