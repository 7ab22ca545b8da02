"""Which command on this machine stands for a training image."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

PYTHONS = ("python", "python3")
OBJECTIVE_METRIC = "_tuning_objective_metric"
"""A hyperparameter that AMT gives every training job: the objective's name."""


@dataclass(frozen=True)
class Command:
    """A program to run for a training job, in SageMaker's container layout below a directory of its own.

    ``python`` and ``python3`` mean the interpreter that runs this. Arguments that begin with ``/opt/ml/``
    are moved into the job's directory. Times are in seconds of the world's clock.
    """

    argv: Sequence[str]
    hyperparameters_as_arguments: bool = True
    """Append ``--name value`` for each hyperparameter, as SageMaker's training toolkit does, and the local
    backend."""
    working_directory: str | Path | None = None
    """By default the directory of this process, or in script mode that of the unpacked sources."""
    environment: Mapping[str, str] = field(default_factory=dict)
    starting_seconds: float = 0.0
    interruption_seconds: float = 0.0
    """From a spot interruption to the next start."""

    def __post_init__(self) -> None:
        if isinstance(self.argv, str) or not self.argv:
            raise ValueError(
                f"a command is a list of words, such as ['python', 'train.py'], not {self.argv!r}"
            )


Commands = Mapping[str, Command | Sequence[str]]


class NoCommand(Exception):
    """Nothing on this machine stands for the image of a training job."""


def find_command(request: Mapping[str, Any], commands: Commands, image: str | None = None) -> Command:
    """The command of a request; ``image`` is that of the registered algorithm which it names.

    First its TrainingImage or AlgorithmName as ``commands`` has it (the exact name, else the first pattern
    that matches, as file names are matched), then its ContainerEntrypoint, then its ``sagemaker_program``
    (script mode). Raises NoCommand.
    """
    algorithm = request.get("AlgorithmSpecification") or {}
    name = str(algorithm.get("TrainingImage") or algorithm.get("AlgorithmName") or "")
    arguments = [str(word) for word in algorithm.get("ContainerArguments") or ()]
    given = _given(commands, name) or (_given(commands, image) if image else None)
    if isinstance(given, Command):
        return given if not arguments else _with_arguments(given, arguments)
    if given is not None:
        return Command([*given, *arguments])
    if algorithm.get("ContainerEntrypoint"):
        # The request says all that is run, as it is of a container.
        words = [*map(str, algorithm["ContainerEntrypoint"]), *arguments]
        return Command(words, hyperparameters_as_arguments=False)
    hyperparameters = request.get("HyperParameters") or {}
    if "sagemaker_program" in hyperparameters:
        program = str(decoded(hyperparameters["sagemaker_program"]))
        return Command(["python", program, *arguments])
    raise NoCommand(
        f"no command on this machine stands for {name!r}: give commands={{{name!r}: ['python', 'train.py']}}"
    )


def _given(commands: Commands, name: str) -> Command | Sequence[str] | None:
    return commands.get(name) or next((c for p, c in commands.items() if fnmatchcase(name, p)), None)


def _with_arguments(command: Command, arguments: Sequence[str]) -> Command:
    return Command(**{**vars(command), "argv": [*command.argv, *arguments]})


def command_line(command: Command, hyperparameters: Mapping[str, str], base: Path) -> list[str]:
    """The words to run, for a job whose container is ``base``."""
    first, *rest = [_inside(word, base) for word in command.argv]
    extra = user_arguments(hyperparameters) if command.hyperparameters_as_arguments else []
    return [sys.executable if first in PYTHONS else first, *rest, *extra]


def _inside(word: str, base: Path) -> str:
    return str(base / word[len("/opt/ml/") :]) if word.startswith("/opt/ml/") else word


def user_arguments(hyperparameters: Mapping[str, str]) -> list[str]:
    """``--name value`` for every hyperparameter of the user's."""
    words: list[str] = []
    for name, value in of_the_user(hyperparameters).items():
        words += [f"--{name}", plain_text(value)]
    return words


def of_the_user(hyperparameters: Mapping[str, str]) -> dict[str, str]:
    """Those that the training toolkit hands on: neither its own nor AMT's."""
    return {
        name: value
        for name, value in hyperparameters.items()
        if not name.startswith("sagemaker_") and name != OBJECTIVE_METRIC
    }


def decoded(value: str) -> Any:
    """A hyperparameter as the toolkit reads it: JSON, or else the text itself. The SageMaker SDK writes
    strings with quotation marks around them."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def plain_text(value: str) -> str:
    """A hyperparameter without the quotation marks of JSON."""
    plain = decoded(value)
    return plain if isinstance(plain, str) else value
