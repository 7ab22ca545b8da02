"""The rules between the fields of a spec, all checked together.

Each rule is a generator of problems; each problem names the field, the value and what to write instead.
Unless a rule says otherwise its source is the API reference of ``CreateHyperParameterTuningJob`` and of the
types it names. Here are the rules of the tuning job; those of each algorithm are in
:mod:`amt_flows.spec.algorithm_rules`, and what only SageMaker asks for in
:mod:`amt_flows.spec.sagemaker_rules`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from amt_flows.errors import Problem
from amt_flows.names import count, is_tuning_job_name, tuning_job_name_from
from amt_flows.space.space import LISTED
from amt_flows.spec.algorithm_rules import Algorithm, algorithm_problems, range_problems
from amt_flows.spec.concurrency import concurrency_problems
from amt_flows.spec.first_configurations import first_configuration_problems
from amt_flows.spec.objective_rules import objective_problems
from amt_flows.spec.parts import (
    AUTO_LEARNING,
    EarlyStoppingType,
    HyperbandProposals,
    StrategyType,
    TuningFields,
    is_table,
)
from amt_flows.spec.space_rules import space_problems
from amt_flows.spec.spaces import space_of
from amt_flows.spec.tracking_rules import tracking_problems

DEFINITION_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}")
MAX_ENVIRONMENT = 48
MAX_TAGS = 50
MAX_TAG_KEY = 128
MAX_TAG_VALUE = 256
NAME_REMEDY = "1 to 32 letters, digits and hyphens, with no hyphen at either end"


def rule_problems(spec: TuningFields) -> list[Problem]:
    """Everything that is wrong with a spec whose fields have the right types, wherever it will run."""
    problems = [problem for rule in _RULES for problem in rule(spec)]
    for at, algorithm in algorithms(spec):
        problems += [*algorithm_problems(algorithm, at), *space_problems(algorithm, at)]
    return problems


def algorithms(spec: TuningFields) -> list[tuple[str, Algorithm]]:
    """The spec's own algorithm and the others, each with the prefix of its fields' paths."""
    others = [(f"other_definitions[{i}].", other) for i, other in enumerate(spec.other_definitions)]
    return [("", spec), *others]


def grid_size(spec: TuningFields) -> int | None:
    """How many training jobs a grid has; None when it has no end, or can't be told from faulty ranges."""
    sizes = []
    for at, algorithm in algorithms(spec):
        if algorithm.auto_parameters or _has_faulty_ranges(algorithm, at):
            return None
        sizes.append(space_of(algorithm).size)
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _name(spec: TuningFields) -> Iterator[Problem]:
    if spec.name is not None and not is_tuning_job_name(spec.name):
        resembling = tuning_job_name_from(spec.name)
        yield Problem("name", spec.name, f"write {NAME_REMEDY}, such as {resembling}")


def _something_ends_it(spec: TuningFields) -> Iterator[Problem]:
    ends = (
        spec.limits.max_number_of_training_jobs,
        spec.limits.max_runtime_seconds,
        spec.limits.max_cost,
        spec.completion.target_objective_metric_value,
        spec.completion.max_number_of_training_jobs_not_improving,
        spec.completion.complete_on_convergence or None,
    )
    # A grid ends with its last configuration, and Autotune chooses limits.
    if all(end is None for end in ends) and spec.strategy is not StrategyType.GRID and not spec.autotune:
        yield Problem(
            "limits",
            None,
            "nothing would ever end this tuning job; give `limits.max_number_of_training_jobs`, "
            "`limits.max_runtime_seconds` or one of the completion criteria",
        )


def _cost(spec: TuningFields) -> Iterator[Problem]:
    """Ours: the worst case of a job is reserved before it is launched, so it must be known."""
    if spec.limits.max_cost is None:
        return
    for at, algorithm in algorithms(spec):
        job = algorithm.training_job
        if not job.price_per_hour:
            yield Problem(
                f"{at}training_job.price_per_hour",
                job.price_per_hour,
                "`limits.max_cost` needs a price above 0: write what one hour of one training job costs, "
                "or give `amt-flows` a price table (--prices)",
            )
        if job.max_runtime_seconds is None:
            yield Problem(
                f"{at}training_job.max_runtime_seconds",
                None,
                "`limits.max_cost` needs it: without a time limit a training job may cost any amount",
            )


def _prefer_cheap(spec: TuningFields) -> Iterator[Problem]:
    """Only a strategy with a model knows what is equally promising."""
    by_model = spec.hyperband is not None and spec.hyperband.proposals is HyperbandProposals.MODEL
    if spec.limits.prefer_cheap and spec.strategy is not StrategyType.BAYESIAN and not by_model:
        yield Problem(
            "limits.prefer_cheap",
            True,
            f"{spec.strategy.value} search doesn't know what is promising; write Bayesian, or leave it out",
        )


def _secrets(spec: TuningFields) -> Iterator[Problem]:
    for at, algorithm in algorithms(spec):
        job = algorithm.training_job
        for i, name in enumerate(job.secret_environment):
            field = f"{at}training_job.secret_environment[{i}]"
            if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is None:
                # Neither the name nor, should it be one, the value is told.
                message = "is not the name of a variable; give the names only, the values stay where they are"
                yield Problem(field, "...", message)
            elif name in job.environment:
                message = "has a value in `training_job.environment`, for all to read; leave it out there"
                yield Problem(field, name, message)


def _warm(spec: TuningFields) -> Iterator[Problem]:
    for at, algorithm in algorithms(spec):
        job, field = algorithm.training_job, f"{at}training_job.warm"
        if job.warm and job.function is not None:
            message = "a function's own module is imported once for all its jobs anyway; leave it out"
            yield Problem(field, list(job.warm), message)
        elif job.warm and job.command and not is_python_script(job.command):
            message = (
                "modules can be imported first for a command `python script.py ...` only, which starts with "
                "an interpreter and a script, and no option between; write one, or leave this out"
            )
            yield Problem(field, list(job.warm), message)
        for i, name in enumerate(job.warm):
            if not all(part.isidentifier() for part in name.split(".")):
                yield Problem(f"{field}[{i}]", name, "is no module's name; write what stands behind `import`")


def is_python_script(command: Sequence[str]) -> bool:
    """Whether it is an interpreter and a script, perhaps with arguments."""
    program, *words = command
    is_python = re.fullmatch(r"(.*[/\\])?python[0-9.]*(\.exe)?", program) is not None
    return is_python and bool(words) and words[0].endswith(".py") and not words[0].startswith("-")


def _completion(spec: TuningFields) -> Iterator[Problem]:
    if spec.completion.target_on_epochs and spec.completion.target_objective_metric_value is None:
        yield Problem(
            "completion.target_on_epochs",
            True,
            "there is no target; give `completion.target_objective_metric_value`, or leave this out",
        )


def _early_stopping(spec: TuningFields) -> Iterator[Problem]:
    """Hyperband stops jobs itself; with several algorithms AMT has no early stopping."""
    if spec.early_stopping.type is EarlyStoppingType.OFF:
        return
    if spec.strategy is StrategyType.HYPERBAND:
        why = "Hyperband stops training jobs by a rule of its own"
    elif spec.other_definitions:
        why = "the curves of several algorithms can't be compared"
    else:
        return
    yield Problem("early_stopping.type", spec.early_stopping.type.value, f"{why}; write Off")


def _hyperband(spec: TuningFields) -> Iterator[Problem]:
    asked = spec.strategy is StrategyType.HYPERBAND
    if asked and spec.hyperband is None:
        yield Problem(
            "hyperband.max_resource",
            None,
            "the Hyperband strategy needs it: the most epochs that a training job can use",
        )
    if spec.hyperband is None:
        return
    if not asked:
        yield Problem(
            "hyperband",
            spec.hyperband.model_dump(),
            f"only the Hyperband strategy uses it, and `strategy` is {spec.strategy.value}; "
            "write Hyperband there, or leave this out",
        )
    if spec.hyperband.max_resource < spec.hyperband.min_resource:
        yield Problem(
            "hyperband.max_resource",
            spec.hyperband.max_resource,
            f"must be at least `min_resource`, which is {spec.hyperband.min_resource}",
        )


def _grid(spec: TuningFields) -> Iterator[Problem]:
    """AMT grids categorical ranges only; ours also integers and continuous ranges with a step."""
    if spec.strategy is not StrategyType.GRID:
        return
    for at, algorithm in algorithms(spec):
        for i, one in enumerate(algorithm.continuous):
            if one.step is None:
                yield Problem(
                    f"{at}continuous[{i}].step",
                    None,
                    f"a grid needs to know which values of {one.name} to try; give a step, "
                    "or list the values in `categorical`",
                )
        if algorithm.auto_parameters:
            yield Problem(
                f"{at}auto_parameters",
                [one.name for one in algorithm.auto_parameters],
                "a grid needs to know which values to try; give them in `categorical`",
            )
    yield from _grid_too_large(spec)
    size, asked = grid_size(spec), spec.limits.max_number_of_training_jobs
    if size is not None and asked is not None and asked != size:
        yield Problem(
            "limits.max_number_of_training_jobs",
            asked,
            f"the grid has {count(size, 'configuration')}, each tried once; write {size}, or leave it out",
        )


def _grid_too_large(spec: TuningFields) -> Iterator[Problem]:
    """To find the configurations that meet constraints all are listed."""
    for at, algorithm in algorithms(spec):
        if not algorithm.constraints or _has_faulty_ranges(algorithm, at):
            continue
        space = space_of(algorithm)
        everything = replace(space, constraints=()).size
        if everything is not None and space.size is None:
            yield Problem(
                f"{at}constraints",
                everything,
                f"the grid has {everything:,} configurations, and of at most {LISTED:,} those that meet "
                "constraints are looked for; give fewer values (a larger step), or write another `strategy`",
            )


def _has_faulty_ranges(algorithm: Algorithm, at: str) -> bool:
    return any(range_problems(algorithm, at)) or any(space_problems(algorithm, at))


def _warm_start(spec: TuningFields) -> Iterator[Problem]:
    if spec.warm_start is None:
        return
    if spec.other_definitions:
        yield Problem(
            "warm_start",
            list(spec.warm_start.parents),
            "several algorithms can't be warm started; leave this out, or tune one algorithm at a time",
        )
    yield from _parents(spec, "warm_start.parents", spec.warm_start.parents)


def _learn_from(spec: TuningFields) -> Iterator[Problem]:
    if not spec.learn_from:
        return
    given = list(spec.learn_from)
    if spec.other_definitions:
        why = "several algorithms can't learn from earlier tuning jobs; leave this out, or tune one at a time"
        yield Problem("learn_from", given, why)
    if AUTO_LEARNING in given and len(given) > 1:
        yield Problem("learn_from", given, 'write "auto" alone, or name the tuning jobs')
    elif given != [AUTO_LEARNING]:
        yield from _parents(spec, "learn_from", spec.learn_from)


def _parents(spec: TuningFields, field: str, parents: Sequence[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for i, parent in enumerate(parents):
        at = f"{field}[{i}]"
        # AMT compares the names of tuning jobs without regard to case.
        known_as = parent if is_table(parent) else parent.lower()
        if not is_table(parent) and not is_tuning_job_name(parent):
            what = f"is not the name of a tuning job ({NAME_REMEDY}), nor the path of a .csv file; mend it"
            yield Problem(at, parent, what)
        elif spec.name is not None and known_as == spec.name.lower():
            yield Problem(at, parent, "is this tuning job itself; name an earlier one that has ended")
        elif known_as in seen:
            yield Problem(at, parent, "is named twice; name each parent once")
        seen.add(known_as)


def _definition_names(spec: TuningFields) -> Iterator[Problem]:
    if spec.other_definitions and spec.definition_name is None:
        yield Problem(
            "definition_name",
            None,
            "is needed with `other_definitions`: a name that tells this algorithm from the others",
        )
    seen: set[str] = set()
    for at, algorithm in algorithms(spec):
        name = algorithm.definition_name
        if name is None:
            continue
        if len(name) > 64 or DEFINITION_NAME.fullmatch(name) is None:
            yield Problem(
                f"{at}definition_name",
                name,
                "write 1 to 64 letters, digits and hyphens, with no hyphen at either end",
            )
        elif name in seen:
            yield Problem(f"{at}definition_name", name, "is used twice; give each algorithm its own name")
        seen.add(name)


def _environment(spec: TuningFields) -> Iterator[Problem]:
    """AMT counts the variables of all definitions together."""
    variables = sum(len(algorithm.training_job.environment) for _, algorithm in algorithms(spec))
    if variables > MAX_ENVIRONMENT:
        every = " over all algorithms" if spec.other_definitions else ""
        yield Problem(
            "training_job.environment",
            variables,
            f"takes at most {MAX_ENVIRONMENT} variables{every}; put the rest into a file among the inputs",
        )


def _tags(spec: TuningFields) -> Iterator[Problem]:
    if len(spec.tags) > MAX_TAGS:
        yield Problem("tags", len(spec.tags), f"takes at most {MAX_TAGS} tags; leave some out")
    for key, value in spec.tags.items():
        if not 1 <= len(key) <= MAX_TAG_KEY:
            yield Problem(f"tags.{key}", key, f"a tag's key has 1 to {MAX_TAG_KEY} characters; shorten it")
        if len(value) > MAX_TAG_VALUE:
            yield Problem(f"tags.{key}", value, f"has at most {MAX_TAG_VALUE} characters; shorten it")
        if key.lower().startswith("aws:"):
            yield Problem(f"tags.{key}", key, "keys that begin with aws: are the service's own; rename it")
        bad = sorted({c for c in key + value if not _may_stand_in_tag(c)})
        if bad:
            yield Problem(
                f"tags.{key}",
                value,
                f"a tag can't hold {' '.join(bad)}; use letters, digits, spaces and _ . : / = + - @",
            )


def _may_stand_in_tag(character: str) -> bool:
    """AMT's pattern: any letter, separator or number of Unicode, and a few signs."""
    return unicodedata.category(character)[0] in "LZN" or character in "_.:/=+-@"


_RULES: tuple[Callable[[TuningFields], Iterator[Problem]], ...] = (
    _name,
    _something_ends_it,
    _secrets,
    _warm,
    _cost,
    _prefer_cheap,
    _completion,
    _early_stopping,
    _hyperband,
    _grid,
    _warm_start,
    _learn_from,
    concurrency_problems,
    objective_problems,
    first_configuration_problems,
    _definition_names,
    _environment,
    _tags,
    tracking_problems,
)
