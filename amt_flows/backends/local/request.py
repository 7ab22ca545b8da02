"""From a job request to a directory that a worker can run: SageMaker's container layout on this machine."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from amt_flows.backends.container import HOST, Container, variables
from amt_flows.backends.function_job.loading import stored_at
from amt_flows.backends.local.paths import JobPaths, is_channel_name
from amt_flows.errors import LaunchRejected
from amt_flows.ledger.names import parse_training_job_name
from amt_flows.metrics.expressions import required_text
from amt_flows.ports import JobRequest
from amt_flows.reporting import metric_regex
from amt_flows.spec import MetricDefinition
from amt_flows.spec.metric_definitions import definitions

VERSION = 1
FUNCTION_RUNNER = Path(__file__).with_name("function.py")
SCRIPT_RUNNER = Path(__file__).with_name("script.py")
PYTHONS = ("python", "python3")
VALUES_FILE = "amt-flows-values.json"
"""What a function gets, in the types that the spec has."""


def this_python() -> str:
    """The interpreter that runs us, and so the environment that our packages are in."""
    return sys.executable or "python3"


def is_this_python(program: str) -> bool:
    """Whether a command's first word means the interpreter that runs us, under any of its names: an
    environment's ``python`` and ``python3`` are links to one file, which other environments share."""
    if program in PYTHONS:
        return True
    theirs, ours = (Path(os.path.abspath(one)) for one in (program, this_python()))  # noqa: PTH100
    return theirs == ours or (
        theirs.parent == ours.parent and theirs.exists() and ours.exists() and theirs.samefile(ours)
    )


def warm_modules(paths: JobPaths) -> list[bytes]:
    """The modules to import before a job's script; none for most."""
    try:
        return paths.warm.read_bytes().split(b"\0")
    except OSError:
        return []


def user_arguments(hyperparameters: Mapping[str, str], flags: Sequence[str] = ()) -> list[str]:
    """``--name value`` for each, as SageMaker's script mode has it, but ``--name`` or nothing for a flag."""
    words = {on: (on, off) for on, _, off in (flag.partition("/") for flag in flags)}
    arguments: list[str] = []
    for name, value in hyperparameters.items():
        if name not in words:
            arguments += [f"--{name}", value]
            continue
        word = words[name][value.lower() != "true"]
        arguments += [f"--{word}"] if word else []
    return arguments


def command_line(
    request: JobRequest,
    home: Path,
    *,
    python: str | None = None,
    function_runner: Path = FUNCTION_RUNNER,
) -> list[str]:
    """The program and its arguments. A function by value is kept in ``home``. ``python`` and ``python3`` mean
    the interpreter that runs us: a bare name would find another one when a virtual environment is not
    activated. For another machine they mean ``python`` there, and ``function_runner`` is where it has it."""
    template = request.template
    if template.function is not None:
        kept = stored_at(home, template.function)
        file = [] if kept is None else [str(kept)]
        runs = python or this_python()
        return [runs, str(function_runner), template.function, request.objective_metric, *file]
    first, *rest = template.command
    arguments: list[str] = []
    if template.hyperparameters_as_arguments:
        arguments = user_arguments(request.hyperparameters, template.flags)
    if python is None and is_this_python(first):
        first = this_python()
    return [first, *rest, *arguments]


def working_directory(directory: str | None) -> Path:
    return Path(directory or ".").absolute()


def local_input(place: str) -> Path | None:
    """The path that an input channel names; None when it is not on this machine."""
    if "://" not in place:
        return Path(place).absolute()
    parts = urlsplit(place)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return None
    return Path(unquote(parts.path))


def environment(request: JobRequest, paths: JobPaths) -> dict[str, str]:
    """The variables that the job gets beside the inherited ones. The template's own come last and win."""
    template, values = request.template, request.hyperparameters
    return {
        **variables(
            paths.container,
            request.name,
            values,
            values,
            user_arguments(values, template.flags),
            template.inputs,
            gpus=_count_gpus(),
        ),
        **template.environment,
    }


def _count_gpus() -> int:
    """How many NVIDIA GPUs the job may see. Scripts read ``SM_NUM_GPUS`` without asking whether it is set."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip() not in ("", "-1")])
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def config_files(request: JobRequest) -> dict[str, Any]:
    """The content of the files in ``input/config``."""
    channel = {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }
    typed = {} if request.template.function is None else {VALUES_FILE: dict(request.values)}
    return {
        **typed,
        "hyperparameters.json": dict(request.hyperparameters),
        "inputdataconfig.json": dict.fromkeys(request.template.inputs, channel),
        "resourceconfig.json": {"current_host": HOST, "hosts": [HOST], "network_interface_name": "lo"},
    }


def worker_request(request: JobRequest) -> dict[str, Any]:
    """The content of request.json: what the worker needs beside the command, and what ``find`` and a second
    ``launch`` do. Raises LaunchRejected for metrics that can't be read."""
    return {
        "v": VERSION,
        "name": request.name,
        "tuning_job": request.tuning_job,
        "trial": request.trial,
        "attempt": request.attempt,
        "fingerprint": request.fingerprint,
        "seed": request.seed,
        "hyperparameters": dict(request.hyperparameters),
        "tags": dict(request.tags),
        "metrics": _definitions(request),
        "secret_environment": list(request.template.secret_environment),
        "max_runtime_seconds": request.template.max_runtime_seconds,
        "stop_grace_seconds": request.template.stop_grace_seconds,
        "memory_gb": request.template.resources.memory_gb,
        "output_path": request.template.output_path,
    }


def worker_command(
    request: JobRequest,
    paths: JobPaths,
    *,
    python: str | None = None,
    function_runner: Path = FUNCTION_RUNNER,
) -> bytes:
    """The content of the file ``command``, which :mod:`amt_flows.backends.local_worker.start` reads.

    Raises LaunchRejected for what can't be run.
    """
    if not request.template.command and request.template.function is None:
        raise LaunchRejected(
            f"Training job {request.name} has neither a command nor a function.",
            remedy="set training_job.command, e.g. to `python train.py`",
        )
    argv = command_line(request, paths.home, python=python, function_runner=function_runner)
    variables = [f"{name}={value}" for name, value in environment(request, paths).items()]
    if any(not name or "=" in name for name in request.template.environment):
        raise LaunchRejected("A variable's name in training_job.environment is empty or has a `=` in it.")
    place = str(working_directory(request.template.working_directory))
    texts = [place, str(len(argv)), *argv, *variables]
    for text in texts:
        if "\0" in text:
            raise LaunchRejected(f"No program can be given a text with a NUL character in it: {text!r}.")
    return b"".join(_encoded(text) + b"\0" for text in texts)


def _encoded(text: str) -> bytes:
    try:
        return os.fsencode(text)
    except UnicodeEncodeError:  # in a locale that has no such character, as C
        return text.encode("utf-8", "surrogateescape")


def _definitions(request: JobRequest) -> list[dict[str, str | bool]]:
    try:
        defined = definitions(request.template, request.objective_metric, request.other_metrics)
        for definition in defined:
            if re.compile(definition.regex).groups == 0:
                raise ValueError(f"the regex of {definition.name!r} has no group")
    except (ValueError, re.error) as error:
        raise LaunchRejected(
            f"The metrics of training job {request.name} can't be read: {error}.",
            remedy="correct training_job.metric_definitions",
        ) from None
    return [
        {
            "name": d.name,
            "regex": d.regex,
            "literal": required_text(d.regex),
            "own": _is_own(d),
        }
        for d in defined
    ]


def _is_own(definition: MetricDefinition) -> bool:
    """Whether it is the one of what ``report`` prints."""
    try:
        return definition.regex == metric_regex(definition.name)
    except ValueError:
        return False


def build(
    request: JobRequest,
    paths: JobPaths,
    scratch: Path,
    *,
    python: str | None = None,
    function_runner: Path = FUNCTION_RUNNER,
) -> None:
    """Fill ``scratch``, which is to become the job's directory. Raises LaunchRejected, OSError."""
    content = worker_request(request)
    command = worker_command(request, paths, python=python, function_runner=function_runner)
    inputs = {name: _input(request, name, place) for name, place in request.template.inputs.items()}
    container = Container(scratch)
    container.make()
    _checkpoints(request, paths, container)
    container.write_config(config_files(request))
    for name, place in inputs.items():
        container.channel(name).symlink_to(place)
    (scratch / "command").write_bytes(command)
    if request.template.warm:
        (scratch / paths.warm.name).write_bytes(b"\0".join(map(_encoded, request.template.warm)))
    (scratch / "request.json").write_text(json.dumps(content), encoding="utf-8")


def _checkpoints(request: JobRequest, paths: JobPaths, container: Container) -> None:
    """Those of the attempt before, where there is one: a trial that is tried again goes on from them, if its
    script does."""
    parts = parse_training_job_name(request.name)
    earlier = () if parts is None else range(request.attempt - 1, 0, -1)
    for attempt in earlier:
        assert parts is not None
        name = str(replace(parts, attempt=attempt)).lower()
        if (paths.directory.parent / name / container.checkpoints.name).is_dir():
            container.checkpoints.symlink_to(Path("..") / name / container.checkpoints.name)
            return
    container.checkpoints.mkdir()


def _input(request: JobRequest, name: str, place: str) -> Path:
    path = local_input(place)
    if path is None or not is_channel_name(name):
        raise LaunchRejected(
            f"Input channel {name!r} of training job {request.name} can't be given from {place!r}.",
            because="local jobs read files and directories of this machine only",
            remedy="copy the data here and give its path",
        )
    return path
