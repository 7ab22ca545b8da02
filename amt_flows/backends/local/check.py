"""What would keep a spec's training jobs from running on this machine, found without running anything."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import pkgutil
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Final

from amt_flows.backends.function_job.loading import NotOursError, digest_in, stored_at, trusted_content
from amt_flows.backends.local.machine import this_machine
from amt_flows.backends.local.paths import is_channel_name
from amt_flows.backends.local.request import (
    PYTHONS,
    is_this_python,
    local_input,
    this_python,
    working_directory,
)
from amt_flows.errors import Problem
from amt_flows.metrics.expressions import lint
from amt_flows.names import nearest
from amt_flows.spec import TrainingJobTemplate, TuningSpec
from amt_flows.spec.metric_definitions import definitions
from amt_flows.spec.objective_rules import objective_field

AT = "training_job"


def problems_of(spec: TuningSpec, root: Path) -> Sequence[Problem]:
    """Everything that is wrong; what a job alone can find out (a bad import, say) is not among it."""
    template = spec.training_job
    return [
        *_root_problems(root),
        *_directory_problems(template),
        *_program_problems(template, root),
        *_warm_problems(template),
        *_input_problems(template),
        *_environment_problems(template),
        *_metric_problems(spec),
        *_resource_problems(template),
        *_output_problems(template),
    ]


def shared_problems_of(spec: TuningSpec, root: Path) -> Sequence[Problem]:
    """What is wrong wherever else the jobs run, as long as they run below a directory that is shared."""
    template = spec.training_job
    return [*_root_problems(root), *_something_to_run(template), *_metric_problems(spec)]


def missing(template: TrainingJobTemplate, root: Path) -> str | None:
    """What a training job would run and is not there, or not what it was, in a few words; None of one that
    finds it. A script is seen where it is a word of the command, and nothing is read but a kept function."""
    if template.function is not None:
        file = stored_at(root, template.function)
        try:
            if file is not None:
                _trust(file, str(digest_in(template.function)), _when_written(file))
        except NotOursError as error:
            return f"the function's {error}"
        except OSError as error:
            return f"the function's {file} can't be read: {error.strerror}"
        return None
    directory = working_directory(template.working_directory)
    if not directory.is_dir():
        return f"the directory {directory}, in which it starts, is gone"
    script = _script_in(template.command)
    if script is None or not script.endswith(".py") or (directory / script).is_file():
        return None
    return f"the script {directory / script} is gone"


@lru_cache(maxsize=16)
def _trust(file: Path, digest: str, written: tuple[int, ...]) -> None:
    """Once for each state of the file: what a closure holds may be large, and each launch asks. Raises
    NotOursError, which is not remembered."""
    trusted_content(file, digest)


def _when_written(file: Path) -> tuple[int, ...]:
    """What is another after any change to a file, its owner or its mode. Raises OSError."""
    facts = file.lstat()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def _output_problems(template: TrainingJobTemplate) -> Iterator[Problem]:
    if template.output_path is not None and importlib.util.find_spec("boto3") is None:
        message = "uploading models needs boto3, which is not installed; pip install 'amt-flows[sagemaker]'"
        yield Problem(f"{AT}.output_path", template.output_path, message)


def _something_to_run(template: TrainingJobTemplate) -> Iterator[Problem]:
    if not template.command and template.function is None:
        message = "training jobs there need one, e.g. `python train.py`, or a function `module:function`"
        yield Problem(f"{AT}.command", None, message)


def _root_problems(root: Path) -> Iterator[Problem]:
    """Tries in the nearest directory that exists, since checking must not make any."""
    nearest = next(p for p in (root, *root.parents) if p.exists())
    try:
        with tempfile.TemporaryDirectory(dir=nearest, prefix=".amt-flows-check-") as directory:
            file = Path(directory) / "file"
            file.touch()
            try:
                os.link(file, Path(directory) / "link")
                os.mkfifo(Path(directory) / "fifo")
            except OSError as error:
                message = f"its file system lacks hard links or FIFOs ({error.strerror}); use a local disk"
                yield Problem("backend.root", str(root), message)
    except OSError as error:
        message = f"can't be written to ({error.strerror}); give another one in AMT_FLOWS_HOME or as the root"
        yield Problem("backend.root", str(root), message)


def _directory_problems(template: TrainingJobTemplate) -> Iterator[Problem]:
    given = template.working_directory
    if given is not None and not Path(given).is_dir():
        yield Problem(
            f"{AT}.working_directory", given, "is no directory; give the one that the command starts in"
        )


def _program_problems(template: TrainingJobTemplate, root: Path) -> Iterator[Problem]:
    if template.command and template.function is not None:
        yield Problem(f"{AT}.function", template.function, "give a command or a function, not both")
    elif template.command:
        yield from _command_problems(template)
    elif template.function is not None and (file := stored_at(root, template.function)) is not None:
        yield from _by_value_problems(template.function, file)
    elif template.function is not None:
        yield from _function_problems(template.function, working_directory(template.working_directory))
    else:
        message = "local training jobs need one, e.g. `python train.py`, or a function `module:function`"
        if template.sagemaker:
            message += "; beside a request body: --set training_job.command='python train.py'"
        yield Problem(f"{AT}.command", None, message)


def _command_problems(template: TrainingJobTemplate) -> Iterator[Problem]:
    first, *rest = template.command
    directory = working_directory(template.working_directory)
    if _is_a_line(first, directory):
        line = json.dumps(" ".join(template.command))
        words = json.dumps([*first.split(), *rest])
        yield Problem(f"{AT}.command", first, f"is one word with spaces in it; write {words}, or {line}")
        return
    if "/" in first:
        path = directory / first
        if not path.is_file():
            yield Problem(f"{AT}.command", first, f"there is no such program; it is looked for as {path}")
        elif not os.access(path, os.X_OK):
            message = f"is not executable; run chmod +x {path}, or put its interpreter in front of it"
            yield Problem(f"{AT}.command", first, message)
    elif first not in PYTHONS and shutil.which(first, path=template.environment.get("PATH")) is None:
        yield Problem(f"{AT}.command", first, f"is not on the PATH{_instead(first, directory)}")
    yield from _script_problems(template.command, directory)


def _warm_problems(template: TrainingJobTemplate) -> Iterator[Problem]:
    if not template.warm or len(template.command) < 2:
        return
    program, script, *_ = template.command
    if not is_this_python(program):
        message = (
            f"modules can be imported first by this interpreter only ({this_python()}), and the command has "
            f"{program}; write python, or leave this out"
        )
        yield Problem(f"{AT}.warm", list(template.warm), message)
        return
    place = (working_directory(template.working_directory) / script).resolve().parent
    for i, name in enumerate(template.warm):
        if find_module(name, place) is None:
            message = f"there is no such module in {place} or among the installed packages"
            yield Problem(f"{AT}.warm[{i}]", name, f"{message}{_or(nearest_module(name, place))}")


def _instead(program: str, directory: Path) -> str:
    """What to write for a program that isn't on the PATH."""
    if not (directory / program).is_file():
        return "; install it, or give its whole path"
    written = f"python {program}" if program.endswith(".py") else f"./{program}"
    return f", but in the directory where the command starts; write {written}"


SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish"})
"""What follows their ``-c`` is a program of its own."""


def _script_in(command: Sequence[str]) -> str | None:
    """The Python script that a command runs, as far as it can be told from the arguments of that: of Python
    the first word that is no option, of other programs (``torchrun``, ``env``) the first one like a script.
    """
    program, words = "".join(command[:1]), command[1:]
    if Path(program).name in SHELLS:
        return None
    for before, word in zip(["", *words], words, strict=False):
        if word in ("-c", "-m"):
            return None
        if word.startswith("-") or before in ("-W", "-X"):
            continue
        if Path(program).name.startswith("python") or (".py" in word and "=" not in word.split(".py")[0]):
            return word
    return None


def _script_problems(command: Sequence[str], directory: Path) -> Iterator[Problem]:
    script = _script_in(command)
    if script is None or ".py" not in script:
        return
    if _is_a_line(script, directory):
        words = ", ".join(json.dumps(word) for word in script.split())
        yield Problem(f"{AT}.command", script, f"is one word with spaces in it; write {words}")
    elif script.endswith(".py") and not (directory / script).is_file():
        message = f"there is no such script; it is looked for as {directory / script}"
        yield Problem(f"{AT}.command", script, f"{message}{_or(_nearest_script(directory, script))}")


def _or(meant: str | None) -> str:
    """What was probably meant by a name that is none."""
    return f"; write `{meant}`" if meant else ""


def _nearest_script(directory: Path, script: str) -> str | None:
    beside = (directory / script).parent
    names = {path.stem: path.name for path in beside.glob("*.py")} if beside.is_dir() else {}
    meant = nearest(Path(script).stem, names)
    return meant and str(Path(script).with_name(names[meant]))


def _is_a_line(word: str, directory: Path) -> bool:
    """Whether a word of a command was meant as several: a program, or a script, and its arguments."""
    start, *more = word.split()[:2] or [word]
    if not more or (directory / word).exists():
        return False
    program = start in PYTHONS or shutil.which(start) is not None or "/" in start
    return program or (directory / start).is_file()


def _function_problems(target: str, directory: Path) -> Iterator[Problem]:
    field = f"{AT}.function"
    module, colon, path = target.partition(":")
    names = [*module.split("."), *path.split(".")]
    if not colon or not all(name.isidentifier() for name in names):
        yield Problem(field, target, "write `package.module:function`")
        return
    spec = find_module(module, directory)
    if spec is None:
        meant = nearest_module(module, directory)
        message = f"there is no module {module!r} in {directory} or among the installed packages"
        yield Problem(field, target, f"{message}{_or(meant and f'{meant}:{path}')}")
    elif _surely_lacks(spec, path.split(".")[0]):
        first, *rest = path.split(".")
        meant = nearest(first, _defined_in(spec))
        instead = meant and f"{module}:{'.'.join([meant, *rest])}"
        yield Problem(field, target, f"{spec.origin} defines no {first!r}{_or(instead)}")


def _by_value_problems(target: str, file: Path) -> Iterator[Problem]:
    try:
        trusted_content(file, str(digest_in(target)))
    except NotOursError as error:
        message = (
            f"the function is kept by value, and {error}; give the function itself once more, from "
            "Python and with the same home"
        )
        yield Problem(f"{AT}.function", target, message)


def find_module(module: str, directory: Path) -> ModuleSpec | None:
    """Where a module is that a job in ``directory`` would import. Runs no code of it, nor of its packages, as
    ``importlib.util.find_spec`` would."""
    importlib.invalidate_caches()
    places: Sequence[str] | None = None
    spec: ModuleSpec | None = None
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        name = ".".join(parts[:depth])
        spec = _find(name, places, directory if depth == 1 else None)
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or [])
    return spec


def nearest_module(module: str, directory: Path) -> str | None:
    """The module that is there, and was probably meant by one that is not. Runs no code."""
    known: list[str] = []
    for part in module.split("."):
        places = [str(directory), *sys.path]
        if known:
            package = find_module(".".join(known), directory)
            places = list(package.submodule_search_locations or ()) if package else []
        there = {one.name for one in pkgutil.iter_modules(places)}
        if not known:
            there |= sys.stdlib_module_names
        meant = part if part in there else nearest(part, (name for name in there if name[0] != "_"))
        if meant is None:
            return None
        known.append(meant)
    return ".".join(known)


def _find(name: str, places: Sequence[str] | None, directory: Path | None) -> ModuleSpec | None:
    if directory is not None:
        spec = PathFinder.find_spec(name, [str(directory)])
        # A directory alone is a package only if nothing else has the name.
        if spec is not None and spec.loader is not None:
            return spec
        return _find(name, None, None) or spec
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        found: ModuleSpec | None = find(name, places) if find else None
        if found is not None:
            return found
    return None


def _surely_lacks(spec: ModuleSpec, name: str) -> bool:
    """Whether the source of a module can't define a name, as far as reading it tells."""
    if not spec.has_location or spec.origin is None or not spec.origin.endswith(".py"):
        return False
    try:
        tree = ast.parse(Path(spec.origin).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name in (name, "__getattr__"):
                return False
        elif isinstance(node, ast.ImportFrom | ast.Import):
            if any((alias.asname or alias.name.split(".")[0]) in (name, "*") for alias in node.names):
                return False
        elif isinstance(node, ast.Name) and node.id in (name, "globals", "setattr", "exec"):
            return False
    return True


def _defined_in(spec: ModuleSpec) -> list[str]:
    """The functions and classes on the top level of a module's source."""
    try:
        tree = ast.parse(Path(str(spec.origin)).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return [node.name for node in tree.body if isinstance(node, kinds)]


def _input_problems(template: TrainingJobTemplate) -> Iterator[Problem]:
    for name, place in template.inputs.items():
        field = f"{AT}.inputs.{name}"
        path = local_input(place)
        if not is_channel_name(name):
            yield Problem(field, name, "a channel's name has 1 to 64 letters, digits, and . _ -")
        if path is None:
            yield Problem(field, place, "can't be read by local jobs; copy the data here and give its path")
        elif not path.exists():
            yield Problem(field, place, f"there is no such file or directory; it is looked for as {path}")


def _environment_problems(template: TrainingJobTemplate) -> Iterator[Problem]:
    for name in template.environment:
        if not name or "=" in name or "\0" in name:
            yield Problem(f"{AT}.environment", name, "can't be a variable's name; leave out the `=`")
    for name in template.secret_environment:
        if name not in os.environ:
            message = "is not set here; set it where the tuning job is run, and training jobs inherit it"
            yield Problem(f"{AT}.secret_environment", name, message)


def _resource_problems(template: TrainingJobTemplate) -> Iterator[Problem]:
    need = template.resources
    if need.is_asked:
        for field, asked, there in this_machine().lacks(need):
            yield Problem(f"{AT}.resources.{field}", asked, f"no training job would ever have room: {there}")


def _metric_problems(spec: TuningSpec) -> Iterator[Problem]:
    template = spec.training_job
    for i, definition in enumerate(template.metric_definitions):
        for problem in lint(definition.regex):
            yield Problem(f"{AT}.metric_definitions[{i}].regex", definition.regex, problem)
    for name in (spec.objective.metric_name, *spec.other_metrics):
        try:
            definitions(template, name)
        except ValueError as error:
            message = f"{error}; or define it in {AT}.metric_definitions"
            yield Problem(objective_field(spec, name), name, message)
