"""The rules of one algorithm of a tuning job: its hyperparameters, ranges, metrics and training job.

They hold for the spec's own algorithm and for each of ``other_definitions`` alike; ``at`` is the prefix of
the paths. Unless a rule says otherwise its source is the API reference of
``HyperParameterTrainingJobDefinition`` and ``ParameterRanges``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from amt_flows.errors import Problem
from amt_flows.metrics.expressions import lint
from amt_flows.names import FUNCTION_BY_VALUE, nearest
from amt_flows.space.space import Scaling
from amt_flows.spec.parts import ContinuousRange, Definition, IntegerRange, TuningFields, given_value
from amt_flows.spec.synonyms import own_resource
from amt_flows.spec.verbatim import verbatim_problems

Algorithm: TypeAlias = TuningFields | Definition

MAX_TUNABLE: Final = 30
MAX_HYPERPARAMETERS: Final = 100
MAX_NAME: Final = 256
MAX_VALUE: Final = 256
MAX_STATIC_VALUE: Final = 2500
MAX_METRICS: Final = 40
MAX_CHANNELS: Final = 20
VARIABLE: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
CHANNEL: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
FUNCTION: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def algorithm_problems(algorithm: Algorithm, at: str) -> list[Problem]:
    """Everything that is wrong with one algorithm."""
    return [problem for rule in _RULES for problem in rule(algorithm, at)]


# --- hyperparameters -------------------------------------------------------------------------------------


def numeric_ranges(algorithm: Algorithm) -> list[tuple[str, ContinuousRange | IntegerRange]]:
    """The continuous and integer ranges, each with its field."""
    ranges: list[tuple[str, ContinuousRange | IntegerRange]] = []
    ranges += [(f"continuous[{i}]", one) for i, one in enumerate(algorithm.continuous)]
    ranges += [(f"integer[{i}]", one) for i, one in enumerate(algorithm.integer)]
    return ranges


def hyperparameters(algorithm: Algorithm) -> list[tuple[str, str]]:
    """Every hyperparameter, tuned or static, as (field, name)."""
    tuned = [(f"{field}.name", one.name) for field, one in numeric_ranges(algorithm)]
    tuned += [(f"categorical[{i}].name", one.name) for i, one in enumerate(algorithm.categorical)]
    tuned += [(f"auto_parameters[{i}].name", one.name) for i, one in enumerate(algorithm.auto_parameters)]
    return [*tuned, *((f"static_hyperparameters.{name}", name) for name in algorithm.static_hyperparameters)]


def _something_to_tune(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    if not any((algorithm.continuous, algorithm.integer, algorithm.categorical, algorithm.auto_parameters)):
        yield Problem(
            f"{at}continuous",
            None,
            "there is nothing to tune; give a range in `continuous`, `integer` or `categorical`",
        )


def _each_name_once(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    """Names are compared with regard to case, as the training script sees them."""
    first: dict[str, str] = {}
    for field, name in hyperparameters(algorithm):
        if name in first:
            yield Problem(
                f"{at}{field}",
                name,
                f"stands in `{at}{first[name].removesuffix('.name')}` too; keep it in one place only",
            )
        first.setdefault(name, field)


def _how_many(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    """The guide "Define Hyperparameter Ranges" has the 100; ``ParameterRanges`` has the 30."""
    tunable = len(algorithm.continuous) + len(algorithm.integer) + len(algorithm.categorical)
    total = len(hyperparameters(algorithm))
    if tunable > MAX_TUNABLE:
        yield Problem(
            f"{at}continuous",
            tunable,
            f"at most {MAX_TUNABLE} hyperparameters can be tuned (continuous, integer and categorical "
            "together); make the least important ones static",
        )
    if total > MAX_HYPERPARAMETERS:
        yield Problem(
            f"{at}static_hyperparameters",
            total,
            f"at most {MAX_HYPERPARAMETERS} hyperparameters, tuned and static together; "
            "put the rest into a file among the inputs",
        )


def _static_values(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    for name, value in algorithm.static_hyperparameters.items():
        field = f"{at}static_hyperparameters.{name}"
        if not 1 <= len(name) <= MAX_NAME:
            yield Problem(field, name, f"a hyperparameter's name has 1 to {MAX_NAME} characters")
        yield from _null(algorithm, value, field)
        if len(value) > MAX_STATIC_VALUE:
            yield Problem(
                field,
                value,
                f"has {len(value)} characters and at most {MAX_STATIC_VALUE} are passed on; "
                "put it into a file among the inputs",
            )


def _null(algorithm: Algorithm, value: str, field: str) -> Iterator[Problem]:
    """Numbers, booleans and lists have a text that a script can read back; null is a word like any other."""
    if given_value(value) is None and algorithm.training_job.function is None:
        yield Problem(
            field,
            None,
            "must be a text, a number, true or false, or a list: null is for a `training_job.function` only. "
            'A command and SageMaker get texts: write the word that the script understands, such as "none"',
        )


def _flags(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    """A flag is there or not: only what is true or false can be one."""
    choices = {one.name: one.values for one in algorithm.categorical}
    choices |= {name: (value,) for name, value in algorithm.static_hyperparameters.items()}
    for i, flag in enumerate(algorithm.training_job.flags):
        field, (name, *off) = f"{at}training_job.flags[{i}]", flag.split("/")
        if len(off) > 1 or not name or off == [""]:
            yield Problem(field, flag, "write the name of a hyperparameter, as `amp`, or `amp/no-amp`")
        elif name not in choices:
            close = nearest(name, choices)
            names = (
                f"write `{close}`" if close else f"those that can be one are {', '.join(choices) or 'none'}"
            )
            yield Problem(field, flag, f"is no categorical or static hyperparameter; {names}")
        elif not {value.lower() for value in choices[name]} <= {"true", "false"}:
            yield Problem(
                field,
                flag,
                f"{name} has other values than true and false, and a flag has none; leave it out here",
            )


# --- ranges ----------------------------------------------------------------------------------------------


def range_problems(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    """What is wrong with the ranges themselves; a range without a problem has a ``parameter()``."""
    for i, continuous in enumerate(algorithm.continuous):
        yield from _numeric(continuous, f"{at}continuous[{i}]")
        yield from _reverse_logarithmic(continuous, f"{at}continuous[{i}]")
    for i, integer in enumerate(algorithm.integer):
        yield from _numeric(integer, f"{at}integer[{i}]")
        if integer.scaling_type is Scaling.REVERSE_LOGARITHMIC:
            yield Problem(
                f"{at}integer[{i}].scaling_type",
                integer.scaling_type.value,
                "is for real numbers below 1; write Auto, Linear or Logarithmic",
            )
    for i, categorical in enumerate(algorithm.categorical):
        yield from _choices(categorical.values, f"{at}categorical[{i}].values")
        for k, value in enumerate(categorical.values):
            yield from _null(algorithm, value, f"{at}categorical[{i}].values[{k}]")


def _numeric(one: ContinuousRange | IntegerRange, at: str) -> Iterator[Problem]:
    """A range has two different ends: AMT requires MinValue to be less than MaxValue."""
    low, high = one.min_value, one.max_value
    if low == high:
        yield Problem(
            f"{at}.max_value",
            high,
            f"equals `min_value`, so there is nothing to tune; make {one.name} a static hyperparameter",
        )
    elif low > high:
        yield Problem(
            f"{at}.max_value", high, f"must be greater than `min_value`, which is {low}; swap the two"
        )
    elif not _is_finite(high - low):
        yield Problem(f"{at}.max_value", high, "is too far from `min_value` to be searched; narrow the range")
    elif one.step is not None and one.step > high - low:
        yield Problem(
            f"{at}.step",
            one.step,
            f"is larger than the whole range ({low} to {high}); make it at most {high - low}",
        )
    if one.scaling_type is Scaling.LOGARITHMIC and low <= 0:
        yield Problem(
            f"{at}.min_value",
            low,
            "must be greater than 0 for the Logarithmic scale; raise it, or use Linear",
        )


def _is_finite(span: float) -> bool:
    try:
        return math.isfinite(span)
    except OverflowError:  # a whole number that no float can hold
        return False


def _reverse_logarithmic(one: ContinuousRange, at: str) -> Iterator[Problem]:
    if one.scaling_type is not Scaling.REVERSE_LOGARITHMIC:
        return
    for end, value in (("min_value", one.min_value), ("max_value", one.max_value)):
        if not 0 <= value < 1:
            yield Problem(
                f"{at}.{end}",
                value,
                "must be at least 0 and less than 1 for the ReverseLogarithmic scale; "
                "change it, or use Linear",
            )


def _choices(values: tuple[str, ...], at: str) -> Iterator[Problem]:
    for i, value in enumerate(values):
        if value in values[:i]:
            yield Problem(f"{at}[{i}]", value, "is listed twice; list each value once")
        if len(value) > MAX_VALUE:
            yield Problem(f"{at}[{i}]", value, f"has at most {MAX_VALUE} characters; shorten it")


# --- metrics ---------------------------------------------------------------------------------------------


def _metrics(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    definitions = algorithm.training_job.metric_definitions
    field = f"{at}training_job.metric_definitions"
    if len(definitions) > MAX_METRICS:
        yield Problem(field, len(definitions), f"takes at most {MAX_METRICS} metrics; leave some out")
    names = [definition.name for definition in definitions]
    for i, definition in enumerate(definitions):
        if definition.name in names[:i]:
            yield Problem(
                f"{field}[{i}].name", definition.name, "is defined twice; give each metric its own name"
            )
        for fault in lint(definition.regex):
            yield Problem(f"{field}[{i}].regex", definition.regex, fault)
    wanted = algorithm.objective.metric_name
    if definitions and wanted not in names:
        yield Problem(
            f"{at}objective.metric_name",
            wanted,
            f"no metric definition has this name; write one of {', '.join(names)}, or define it too",
        )


# --- the training job ------------------------------------------------------------------------------------


def _what_runs(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    job = algorithm.training_job
    if job.function is None:
        return
    if job.command:
        yield Problem(
            f"{at}training_job.function",
            job.function,
            "a training job runs a command or a function, not both; leave one of them out",
        )
    if not any(form.fullmatch(job.function) for form in (FUNCTION, FUNCTION_BY_VALUE)):
        yield Problem(
            f"{at}training_job.function",
            job.function,
            "write the module, a colon and the function, such as package.module:train",
        )


def _inputs(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    inputs = algorithm.training_job.inputs
    if len(inputs) > MAX_CHANNELS:
        yield Problem(
            f"{at}training_job.inputs",
            len(inputs),
            f"takes at most {MAX_CHANNELS} channels; put several files into one directory",
        )
    for name in inputs:
        if CHANNEL.fullmatch(name) is None:
            yield Problem(
                f"{at}training_job.inputs.{name}",
                name,
                "a channel's name has 1 to 64 letters, digits, dots, hyphens and underscores; rename it",
            )


def _variables(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    for name in algorithm.training_job.environment:
        if VARIABLE.fullmatch(name) is None:
            yield Problem(
                f"{at}training_job.environment.{name}",
                name,
                "a variable's name has letters, digits and underscores and doesn't begin with a digit; "
                "rename it",
            )


LEAST_PART: Final = 0.001
"""Of a GPU, and of anything. Ray counts in ten thousandths."""
SEEN_GPUS: Final = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")


def _resources(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    """Parts of one GPU, or whole ones: the rule is Ray's too."""
    job = algorithm.training_job
    gpus = job.resources.gpus
    for name, amount in job.resources.custom.items():
        own = own_resource(name)
        if own is not None:
            message = f"that is no custom resource; write `training_job.resources.{own}`"
            yield Problem(f"{at}training_job.resources.custom.{name}", amount, message)
    if gpus is None:
        return
    if 0 < gpus < LEAST_PART:
        yield Problem(f"{at}training_job.resources.gpus", gpus, f"give 0, or at least {LEAST_PART:g}")
    if gpus > 1 and gpus != int(gpus):
        yield Problem(
            f"{at}training_job.resources.gpus", gpus, "give a whole number of GPUs, or a part of one below 1"
        )
    for name in SEEN_GPUS:
        if name in job.environment:
            message = (
                "the GPUs that a job sees follow from training_job.resources.gpus; leave one of them out"
            )
            yield Problem(f"{at}training_job.environment.{name}", job.environment[name], message)


def _verbatim(algorithm: Algorithm, at: str) -> Iterator[Problem]:
    yield from verbatim_problems(algorithm.training_job, at)


_RULES: tuple[Callable[[Algorithm, str], Iterator[Problem]], ...] = (
    _something_to_tune,
    _each_name_once,
    _how_many,
    _static_values,
    _flags,
    range_problems,
    _metrics,
    _what_runs,
    _inputs,
    _variables,
    _resources,
    _verbatim,
)
