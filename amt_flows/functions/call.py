"""From a call, ``tune(train, {...}, maximize="accuracy", jobs=20)``, to the spec that says the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from amt_flows.backends.function_job.loading import plain_function
from amt_flows.backends.home import Home, home_directory
from amt_flows.backends.places import AMT, SAGEMAKER, Place, SageMakerTuner
from amt_flows.errors import Problem, SpecError
from amt_flows.functions.capture import Captured, capture
from amt_flows.functions.ranges import SearchSpace, space_fields
from amt_flows.functions.settings import in_words_of_the_call, spec_fields
from amt_flows.names import meant
from amt_flows.spec import TuningSpec

PLACE_SETTINGS = ("backend", "home", "progress")


@dataclass(frozen=True)
class Asked:
    """A call: its spec, and the function, which is kept in a home before training jobs can have it."""

    spec: TuningSpec
    function: Captured


def asked(train: Callable[..., Any], space: SearchSpace, settings: Mapping[str, Any]) -> Asked:
    """What a call asks for. Writes nothing. Raises SpecError with everything that is wrong."""
    fields, problems = spec_fields(settings, PLACE_SETTINGS)
    ranges, wrong = space_fields(space)
    problems += wrong
    captured: Captured | None = None
    try:
        captured = capture(train)
        names = [one["name"] for kind in ranges.values() for one in kind]
        # Of what is no range that is said already.
        names += [str(name) for name in space if str(name) not in names] if isinstance(space, Mapping) else []
        problems += _unfit(plain_function(train), names)
    except SpecError as error:
        problems += error.problems
    if problems or captured is None:
        raise SpecError(problems)
    job: dict[str, Any] = {"function": captured.target, "working_directory": str(Path.cwd())}
    if captured.environment:
        job["environment"] = captured.environment
    try:
        spec = TuningSpec(**fields, **ranges, training_job=job)
    except SpecError as error:
        raise SpecError([in_words_of_the_call(one, ranges) for one in error.problems]) from None
    return Asked(spec, captured)


def spec_of(
    train: Callable[..., Any], space: SearchSpace, home: Home, settings: Mapping[str, Any]
) -> TuningSpec:
    """The spec of a call. A function that goes by value is kept in ``home``. Raises SpecError,
    AmtFlowsError."""
    refuse_as_home(home)
    both = asked(train, space, settings)
    both.function.keep(home_directory(home))
    return both.spec


def refuse_as_home(home: object) -> None:
    """Raises SpecError for what is no directory and no address: its text would be made a directory."""
    if not isinstance(home, str | PathLike | None):
        message = "is no place to keep tuning jobs; write a directory, or s3://bucket/folder"
        raise SpecError([Problem("home", home, message)])


def refuse_to_travel(place: Place | str) -> None:
    """Raises SpecError for a place, or the word for one, that functions can't go to."""
    if isinstance(place, SageMakerTuner):
        address = AMT
    else:
        address = place if isinstance(place, str) else place.address
    if address.partition(":")[0] in (SAGEMAKER, AMT):
        message = (
            "a function can't travel to SageMaker; write it into a script that prints its metric, and a "
            "TuningSpec whose training_job.sagemaker says with which image it is run"
        )
        raise SpecError([Problem("backend", address, message)])


def _unfit(function: Callable[..., Any], names: list[str]) -> Iterator[Problem]:
    """Hyperparameters that the function doesn't take, and parameters that nothing is given for."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # of C
        return
    kinds = inspect.Parameter
    by_name = {
        n: p for n, p in parameters.items() if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    }
    takes_all = any(p.kind is kinds.VAR_KEYWORD for p in parameters.values())
    if (whole := _takes_a_mapping(parameters, names)) and not takes_all:
        message = (
            "takes all hyperparameters at once, and each is given by its name; "
            f"write `lambda **{whole}: train({whole})`, or name them in the function"
        )
        yield Problem("train", None, message)
        return
    for name in names:
        if name not in by_name and not takes_all:
            is_positional = name in parameters and parameters[name].kind is kinds.POSITIONAL_ONLY
            hint = meant(name, by_name) if by_name else "it takes none by name"
            if is_positional:
                hint = "it takes it by position only, and hyperparameters are given by name"
            yield Problem(f"space[{name!r}]", None, f"is no parameter of the function; {hint}")
    for name, parameter in parameters.items():
        needed = parameter.default is kinds.empty and parameter.kind is not kinds.VAR_KEYWORD
        if needed and parameter.kind is not kinds.VAR_POSITIONAL and name not in names:
            message = (
                "the function needs it, and the space has no range for it; add one, or give it a default"
            )
            yield Problem(f"space[{name!r}]", None, message)


def _takes_a_mapping(parameters: Mapping[str, inspect.Parameter], names: list[str]) -> str | None:
    """The one parameter of ``train(config)``, as Ray Tune and Hyperopt have it, if it is like that."""
    needed = [n for n, p in parameters.items() if p.default is inspect.Parameter.empty]
    if len(needed) != 1 or set(parameters) & set(names):
        return None
    only = parameters[needed[0]]
    usual = needed[0] in ("config", "cfg", "params", "hparams", "hyperparameters", "space")
    is_mapping = "dict" in str(only.annotation).lower() or "mapping" in str(only.annotation).lower()
    return needed[0] if usual or is_mapping else None
