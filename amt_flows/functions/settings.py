"""What a call of ``tune`` says beside the function and its space: short names, or AMT's, for a spec's
fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict

from amt_flows.errors import Problem
from amt_flows.names import meant, nearest, plain
from amt_flows.spec import (
    CompletionCriteria,
    EarlyStopping,
    ResourceLimits,
    Tracking,
    TrainingJobTemplate,
    TuningSpec,
    WarmStart,
)
from amt_flows.spec.synonyms import WELL_KNOWN

if TYPE_CHECKING:
    from pathlib import Path

    from amt_flows.backends.places import Place

SURELY: Final = 0.85

Strategy: TypeAlias = Literal["Bayesian", "Random", "Grid", "QuasiRandom"]


class SpecSettings(TypedDict, total=False):
    """The settings that make a spec. One of ``maximize`` and ``minimize`` is needed: the metric's name."""

    maximize: str
    minimize: str
    jobs: int
    """How many training jobs in all. AMT's name: max_number_of_training_jobs."""
    parallel: int
    """How many at once. AMT's name: max_parallel_training_jobs."""
    seconds: int
    """Until when, by the clock. AMT's name: max_runtime_seconds."""
    target: float
    """Done when the metric reaches it. AMT's name: target_objective_metric_value."""
    early_stopping: bool | Literal["Auto", "Off"] | EarlyStopping
    seed: int
    parents: Sequence[str] | str
    """Earlier tuning jobs whose results are taken as hints."""
    warm_start: WarmStart | Mapping[str, Any] | Sequence[str] | str
    """The same, or what is to be said of them."""
    learn_from: Sequence[str] | str
    """``"auto"``: start from what the tuning jobs of this home found that searched this space. Or their
    names."""
    name: str
    strategy: Strategy
    known_starts: bool
    """False: start without what is known of well-known algorithms and of the script's defaults."""
    tracking: Tracking | Mapping[str, str] | str
    """Where it is shown while it runs: the tracking URI of an MLflow server."""
    max_number_of_training_jobs: int
    max_parallel_training_jobs: int
    max_runtime_seconds: int
    target_objective_metric_value: float


class TuneSettings(SpecSettings, total=False):
    """Those that say where it runs, besides."""

    backend: Place | str
    home: str | Path
    progress: bool


_PATHS: Final = {
    "jobs": "limits.max_number_of_training_jobs",
    "parallel": "limits.max_parallel_training_jobs",
    "seconds": "limits.max_runtime_seconds",
    "target": "completion.target_objective_metric_value",
    "seed": "seed",
    "learn_from": "learn_from",
    "name": "name",
    "strategy": "strategy",
    "tracking": "tracking",
    "known_starts": "known_starts",
}
_OTHERS: Final = ("maximize", "minimize", "early_stopping", "warm_start", "parents")
_LONG: Final = {
    **{plain(path.rpartition(".")[2]): short for short, path in _PATHS.items()},
    "maxruntimeinseconds": "seconds",
}
"""AMT's names, in any style."""
_SHORT_OF: Final = {
    **{path: short for short, path in _PATHS.items()},
    "early_stopping.type": "early_stopping",
    "early_stopping": "early_stopping",
    "warm_start": "warm_start",
    "objective.metric_name": "maximize` or `minimize",
    "objective.type": "maximize` or `minimize",
    "objective": "maximize` or `minimize",
}


_OF_THE_PLACE: Final = {
    **dict.fromkeys(("storage", "storagepath", "storagedir", "localdir", "directory", "projectdir"), "home"),
    **dict.fromkeys(("verbose", "showprogressbar", "progressbar", "progressreporter", "disp"), "progress"),
    **dict.fromkeys(("executor", "runner"), "backend"),
}
"""What those that say where it runs are called elsewhere."""


def spec_fields(
    settings: Mapping[str, Any], more: Sequence[str] = ()
) -> tuple[dict[str, Any], list[Problem]]:
    """The fields of a spec, and what is wrong with the names. ``more`` are names that are known besides. None
    stands for what is not said."""
    fields: dict[str, Any] = {}
    problems: list[Problem] = []
    said: dict[str, Any] = {}
    for name, value in settings.items():
        short = name if name in _PATHS or name in _OTHERS else _LONG.get(plain(name))
        if name in more:
            message = "says where it runs, which is no part of a spec; give it to `amt_flows.tune`"
            problems.append(Problem(name, value, message))
        elif short is None:
            problems.append(Problem(name, value, f"is no setting of tune; {_instead(name, more)}"))
        elif short in said:
            problems.append(Problem(name, value, f"is said twice; leave `{short}` or this out"))
        elif value is not None:
            said[short] = value
    for short, path in _PATHS.items():
        if short in said:
            part, _, leaf = path.rpartition(".")
            (fields.setdefault(part, {}) if part else fields)[leaf] = said[short]
    problems += _objective(said, fields)
    problems += _warm_start(said, fields)
    if "early_stopping" in said:
        fields["early_stopping"] = _early_stopping(said["early_stopping"])
    return fields, problems


def _instead(name: str, more: Sequence[str]) -> str:
    path = WELL_KNOWN.get(plain(name), "")
    if path in _SHORT_OF:
        return f"write `{_SHORT_OF[path]}`"
    if _OF_THE_PLACE.get(plain(name)) in more:
        return f"write `{_OF_THE_PLACE[plain(name)]}`"
    names = (*_PATHS, *_OTHERS, *more)
    close = nearest(name, (*names, *_long_names()))
    if close is not None:
        return f"write `{close}`"
    fields = {plain(field.rpartition(".")[2]): field for field in _spec_fields()}
    path = path or fields.get(plain(name), "") or fields.get(nearest(name, fields, cutoff=SURELY) or "", "")
    if path in _SHORT_OF:
        return f"write `{_SHORT_OF[path]}`"
    if path:
        return f"write it into a TuningSpec, as `{path}`"
    others = {key: _SHORT_OF[path] for key, path in WELL_KNOWN.items() if path in _SHORT_OF}
    alike = nearest(name, others)
    if alike is not None:
        return f"write `{others[alike]}`"
    return f"{meant(name, names)}; everything else goes into a TuningSpec"


def _spec_fields() -> Iterator[str]:
    yield from TuningSpec.model_fields
    for part, model in (
        ("limits", ResourceLimits),
        ("completion", CompletionCriteria),
        ("early_stopping", EarlyStopping),
        ("training_job", TrainingJobTemplate),
    ):
        yield from (f"{part}.{field}" for field in model.model_fields)


def _long_names() -> list[str]:
    return [path.rpartition(".")[2] for path in _PATHS.values() if "." in path]


def _objective(said: Mapping[str, Any], fields: dict[str, Any]) -> list[Problem]:
    given = [name for name in ("maximize", "minimize") if name in said]
    if len(given) != 1:
        message = 'say one of the two, with the metric\'s name: maximize="accuracy" or minimize="loss"'
        return [Problem("maximize, minimize", None, message)]
    fields["objective"] = {"metric_name": said[given[0]], "type": given[0].capitalize()}
    return []


def _warm_start(said: Mapping[str, Any], fields: dict[str, Any]) -> list[Problem]:
    given = [name for name in ("warm_start", "parents") if name in said]
    if len(given) == 2:
        return [Problem("parents", said["parents"], "stands beside warm_start; say one of the two")]
    if given:
        value = said[given[0]]
        if isinstance(value, str):
            value = [value]
        fields["warm_start"] = (
            value
            if isinstance(value, WarmStart | Mapping)
            else {"type": "TransferLearning", "parents": list(value)}
        )
    return []


def _early_stopping(value: object) -> object:
    if isinstance(value, EarlyStopping | Mapping):
        return value
    return {"type": ("Auto" if value else "Off") if isinstance(value, bool) else value}


def in_words_of_the_call(problem: Problem, ranges: Mapping[str, Sequence[Mapping[str, Any]]]) -> Problem:
    """A problem of the spec's field, told of the setting or the range that it came from."""
    field = _SHORT_OF.get(problem.field, problem.field).replace("`", "")
    match = re.match(r"(continuous|integer|categorical)\[(\d+)\]", field)
    if match:
        name = ranges[match[1]][int(match[2])]["name"]
        field = f"space[{name!r}]{field[match.end() :]}"
    return Problem(field, problem.value, problem.message)
