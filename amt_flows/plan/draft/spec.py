"""From a script's arguments and printed metrics to the text of a spec, with a reason at each choice."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from amt_flows.errors import AmtFlowsError
from amt_flows.metrics.expressions import recommended
from amt_flows.metrics.reading import try_on
from amt_flows.names import made_up_name, nearest
from amt_flows.plan.draft.printed import Printed, metrics_of
from amt_flows.spec import CategoricalRange, IntegerRange, MetricDefinition, TuningSpec
from amt_flows.spec.advice import less_is_better
from amt_flows.spec.given_file import NotAFile, read_given
from amt_flows.spec.toml import toml_text
from amt_flows.tuning.autotune.hints import Range
from amt_flows.tuning.autotune.ranges import range_for
from amt_flows.tuning.starts.arguments import Argument, arguments_of, positional_in
from amt_flows.tuning.starts.script import imports_of

JOBS: Final = 20
MOST_CHOICES: Final = 30
"""Of a category in AMT."""
MOST_MEGABYTES: Final = 5
HELD_OUT: Final = frozenset({"val", "valid", "validation", "eval", "dev", "test", "holdout", "cv"})
LENGTHS: Final = frozenset({"epoch", "epochs", "steps"})
NOT_SEARCHED: Final = frozenset(
    {
        *("seed", "state", "dir", "directory", "path", "file", "folder", "output", "out", "data", "dataset"),
        *("checkpoint", "resume", "save", "load", "log", "logs", "verbose", "verbosity", "debug", "quiet"),
        *("device", "cuda", "gpu", "gpus", "cpu", "workers", "jobs", "threads", "processes", "host", "hosts"),
        *("port", "rank", "world", "interval", "every", "name", "project", "run", "train", "test", "classes"),
        *("backend", "print", "plot", "profile", "version", "dry", "download", "eval", "wandb", "mlflow"),
    }
)
"""Words of a name that say how or where a script runs, and not what it learns."""


@dataclass(frozen=True)
class Wanted:
    """What the user says. ``hints`` are values that usually work, ``fixed`` those to run every job with, by
    the names of arguments; ``metric`` is the objective's name."""

    metric: str | None = None
    hints: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """``text`` is the file; ``notes`` what a person should know of it, a sentence each."""

    text: str
    spec: TuningSpec
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Chosen:
    ranges: tuple[tuple[Range, str], ...]
    first: Mapping[str, Any]
    flags: tuple[str, ...]
    left: tuple[tuple[str, str], ...]
    """Arguments that keep their default, and why."""


def draft_of(script: Path, directory: Path, wanted: Wanted) -> Draft:
    """The spec of a tuning job of ``script``, for a file in ``directory``. The script is read, not run.

    Raises AmtFlowsError when it can't be read, has nothing to search or needs a value that nobody gave; the
    remedy says what to give.
    """
    tree = _parsed(script)
    arguments = arguments_of(tree)
    if not arguments:
        _must_not_be_tuned_otherwise(tree, script)
    _must_be_arguments({**wanted.hints, **wanted.fixed}, arguments, script)
    if positional := positional_in(tree):
        raise AmtFlowsError(
            f"{script} takes {', '.join(positional)} by position, and hyperparameters come as --name value.",
            remedy="make them options (`--name`), or write the spec by hand and put them into `command`",
        )
    chosen = _choose(arguments, wanted, script)
    metric, printed = _metric(metrics_of(tree), wanted.metric, script)
    return _draft(script, directory, wanted, chosen, metric, printed)


def _parsed(script: Path) -> ast.Module:
    remedy = "give the path of a training script in Python; `amt-flows init --example` writes one"
    try:
        return ast.parse(read_given(script, MOST_MEGABYTES))
    except FileNotFoundError:
        raise AmtFlowsError(f"There is no file {script}.", remedy=remedy) from None
    except NotAFile as error:
        raise AmtFlowsError(f"{script} {error}.", remedy=remedy) from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f", line {line}" if line else ""
        python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
        raise AmtFlowsError(
            f"{script} is no {python}{where}: {getattr(error, 'msg', None) or error}.",
            because="only Python's source can be read for its arguments",
            remedy="mend it; or write the spec of another program by hand (docs/reference.md)",
        ) from None


def _must_not_be_tuned_otherwise(tree: ast.Module, script: Path) -> None:
    """Two kinds of file that have no arguments, and a way of their own."""
    if script.suffix == ".ipynb":
        raise AmtFlowsError(
            f"{script} is a notebook, and takes no arguments.",
            remedy="tune a function in one of its cells: `amt_flows.tune(train, {...})` (docs/functions.md)",
        )
    if any(name.split(".")[0] == "hydra" for name in imports_of(tree)):
        raise AmtFlowsError(
            f"{script} takes its hyperparameters by Hydra, as name=value.",
            remedy="write the spec by hand, and start the script by the file in docs/tools.md#hydra, which "
            "turns --name value into that",
        )


def _must_be_arguments(given: Mapping[str, str], arguments: Sequence[Argument], script: Path) -> None:
    names = [one.name for one in arguments]
    for name in given:
        if name not in names:
            meant = nearest(name, names)
            hint = f"did you mean {meant}?" if meant else f"it has {', '.join(names) or 'none'}"
            raise AmtFlowsError(f"{script} has no argument --{name}; {hint}")


# -- what is searched ---------------------------------------------------------------------------------------


def _choose(arguments: Sequence[Argument], wanted: Wanted, script: Path) -> _Chosen:
    ranges: list[tuple[Range, str]] = []
    first: dict[str, Any] = {}
    flags: list[str] = []
    left: list[tuple[str, str]] = []
    missing: list[str] = []
    for one in arguments:
        if one.name in wanted.fixed:
            if one.flag:
                flags.append(one.flag)
            continue
        hint = wanted.hints.get(one.name)
        why = "" if hint is not None else _why_left(one)
        found = None if why else _range(one, hint)
        if isinstance(found, str):
            why = found
        elif found is not None:
            ranges.append(found)
            if one.flag:
                flags.append(one.flag)
            if (value := hint if hint is not None else one.default) is not None:
                first[one.name] = _as_value(found[0], value)
            continue
        if one.required:
            missing.append(one.name)
        else:
            left.append((one.name, why))
    if missing:
        raise AmtFlowsError(
            f"{script} must be given {', '.join(f'--{name}' for name in missing)}, and nothing tells what.",
            remedy="say it: `--fixed NAME=VALUE` for every training job, or `--hint NAME=VALUE`, a number "
            "that usually works, to have it searched",
        )
    if not ranges:
        raise AmtFlowsError(
            f"{script} has no argument to search" + (f" among {_listed(left)}." if left else "."),
            because="arguments are read from `add_argument` or click's `option`, with type=float or int and "
            "a default, with choices, or with action='store_true'",
            remedy="give one a default, or say `--hint NAME=VALUE` with a number that usually works",
        )
    complete = first if len(first) == len(ranges) else {}
    return _Chosen(tuple(ranges), complete, tuple(flags), tuple(left))


def _listed(left: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"--{name} ({why})" for name, why in left)


def _words(name: str) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", name.lower()))


def _why_left(one: Argument) -> str:
    words = _words(one.name)
    if not one.takes_one:
        return "it takes no single value by --name"
    if words & LENGTHS:
        return "how long a training job is"
    if words & NOT_SEARCHED:
        return "it says how or where the script runs"
    if one.choices or one.flag:
        return ""
    if one.kind not in (int, float):
        return "a text" if one.kind is str else "its type is not known"
    return "it has no default" if one.default is None else ""


def _range(one: Argument, hint: str | None) -> tuple[Range, str] | str:
    """The range of an argument and what it was chosen from; or why there is none."""
    if one.choices and hint is None:
        return _categories(one.name, [str(value) for value in one.choices], "its choices")
    if one.flag and hint is None:
        return _categories(one.name, ["false", "true"], "on or off")
    value = hint if hint is not None else _hint_text(one)
    if value is None:
        return "its default is no number"
    try:
        found, meaning = range_for(one.name, value)
    except ValueError as error:
        return str(error)
    why = f"from {'the hint' if hint is not None else 'the default'} {value} ({meaning})"
    return _within_bounds(found, one), why


def _within_bounds(found: Range, one: Argument) -> Range:
    """Not beyond what the script itself takes."""
    if isinstance(found, CategoricalRange):
        return found
    low = found.min_value if one.least is None else max(found.min_value, one.least)
    high = found.max_value if one.most is None else min(found.max_value, one.most)
    number = int if isinstance(found, IntegerRange) else float
    return found.model_copy(update={"min_value": number(low), "max_value": number(high)})


def _categories(name: str, values: Sequence[str], why: str) -> tuple[Range, str] | str:
    distinct = tuple(dict.fromkeys(values))
    if not 2 <= len(distinct) <= MOST_CHOICES:
        return f"{len(distinct)} choices"
    return CategoricalRange(name=name, values=distinct), why


def _hint_text(one: Argument) -> str | None:
    """The default as a hint; that of a real one shows that it is real."""
    if isinstance(one.default, bool) or not isinstance(one.default, (int, float)):
        return None
    return repr(float(one.default)) if one.kind is float else repr(one.default)


def _as_value(found: Range, value: object) -> object:
    if isinstance(found, CategoricalRange):
        text = str(value)
        return text.lower() if isinstance(value, bool) else text
    number = float(str(value))
    return int(number) if isinstance(found, IntegerRange) else number


# -- what for -----------------------------------------------------------------------------------------------


def _metric(found: Sequence[Printed], wanted: str | None, script: Path) -> tuple[str, Printed | None]:
    by_name = {one.metric: one for one in found}
    if wanted is not None:
        return wanted, by_name.get(wanted)
    if not by_name:
        raise AmtFlowsError(
            f"No line of {script} was seen that prints a metric.",
            because="a library prints it, or the script returns or saves it",
            remedy="name it, as it is printed, with `--metric NAME`; or print it once an epoch: "
            'print(f"accuracy={accuracy}")',
        )
    best = max(by_name, key=lambda name: (_worth(name), -list(by_name).index(name)))
    return best, by_name[best]


def _worth(metric: str) -> tuple[bool, bool, bool]:
    """A held-out score before a score, any before a loss, and the training set's last."""
    words = _words(metric)
    return not words & {"train", "training"}, bool(words & HELD_OUT), less_is_better(metric) is False


# -- the file -----------------------------------------------------------------------------------------------


def _draft(
    script: Path, directory: Path, wanted: Wanted, chosen: _Chosen, metric: str, printed: Printed | None
) -> Draft:
    parts: list[tuple[str, Mapping[str, Any]]] = []
    name = re.sub(r"[^a-zA-Z0-9]+", "-", script.stem).strip("-")[:32]
    head = f"Drafted from {script.name} by `amt-flows init`, which has read it and not run it."
    top: dict[str, Any] = {"name": name or made_up_name(), "strategy": "Bayesian"}
    parts.append((head, top))
    if chosen.first:
        parts.append(("The script's own defaults come first.", {"first_configurations": [chosen.first]}))
    if wanted.fixed:
        parts.append(("The same in every training job.", {"static_hyperparameters": dict(wanted.fixed)}))
    parts.append(("", {"objective": {"metric_name": metric, "type": _direction(metric)}}))
    for one, why in chosen.ranges:
        content = {"name": one.name, **one.model_dump(mode="json", exclude_defaults=True)}
        parts.append((_sentence(why), {_TABLES[type(one).__name__]: [content]}))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = {"max_parallel_training_jobs": min(2, cores), "max_number_of_training_jobs": JOBS}
    parts.append(("", {"limits": limits}))
    over_and_over = printed is not None and printed.in_a_loop
    if over_and_over:
        parts.append(("The metric is printed in a loop.", {"early_stopping": {"type": "Auto"}}))
    job: dict[str, Any] = {"command": ["python", _relative(script, directory)]}
    if chosen.flags:
        job["flags"] = list(chosen.flags)
    notes = []
    regex = recommended(metric)
    if printed is None or printed.line:
        job["metric_definitions"] = [{"name": metric, "regex": regex}]
        why, note = _tried(metric, regex, printed, script)
        notes.append(note)
    else:
        why, note = "", f"{metric} is told by `report` in line {printed.at}."
        notes.append(note)
    parts.append((why, {"training_job": job}))
    text = "\n".join(_pieces(parts))
    if chosen.left:
        text += "\n# Left at their defaults:\n"
        text += "".join(f"#   --{name}: {why}\n" for name, why in chosen.left)
        notes.append(f"Left at their defaults: {_listed(chosen.left)}.")
    if not chosen.first:
        notes.append("Not every argument has a default, so that no configuration is tried first.")
    return Draft(text, TuningSpec.parse(_content(parts)), tuple(notes))


_TABLES: Final = {
    "ContinuousRange": "continuous",
    "IntegerRange": "integer",
    "CategoricalRange": "categorical",
}


def _sentence(why: str) -> str:
    return f"{why[0].upper()}{why[1:]}."


def _direction(metric: str) -> str:
    return "Minimize" if less_is_better(metric) else "Maximize"


def _tried(metric: str, regex: str, printed: Printed | None, script: Path) -> tuple[str, str]:
    """The comment and the note on a metric's expression, which is tried on the line that was seen."""
    if printed is None:
        return (
            "Not tried: no line that prints it was seen.",
            f"No line of {script.name} was seen that prints {metric}; `amt-flows try` shows if it is found.",
        )
    (reading,) = try_on([MetricDefinition(name=metric, regex=regex)], printed.line)
    if reading.value is None:
        return (
            f"Line {printed.at} seems to print it, as `{_in_a_comment(printed.line)}`; mend the expression.",
            f"{metric} would not be found in `{printed.line}` (line {printed.at}): mend its expression.",
        )
    return (
        f"Found in line {printed.at}, which prints e.g. `{_in_a_comment(printed.line)}`.",
        f"{metric} is read from what line {printed.at} prints, e.g. `{printed.line}`.",
    )


def _in_a_comment(line: str) -> str:
    """A sample without what would end a comment of TOML."""
    return "".join(c if c.isprintable() else "?" for c in line)[:80]


def _relative(script: Path, directory: Path) -> str:
    relative = os.path.relpath(script.absolute(), directory.absolute())
    return relative.replace(os.sep, "/")


def _pieces(parts: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    for comment, content in parts:
        lead = f"# {comment}\n" if comment else ""
        yield lead + toml_text(content)


def _content(parts: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """The same as plain values."""
    whole: dict[str, Any] = {}
    for _, content in parts:
        for key, value in content.items():
            whole[key] = [*whole[key], *value] if isinstance(whole.get(key), list) else value
    return whole
