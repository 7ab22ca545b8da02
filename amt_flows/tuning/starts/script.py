"""What the source of a training script tells: the libraries that it imports, what it calls, and the defaults
of its arguments. It is read, never run, and so are the modules beside it that it imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from amt_flows.spec import TuningSpec
from amt_flows.spec.given_file import read_given
from amt_flows.tuning.starts.arguments import Argument, arguments_of, called, parameters_of

MOST_FILES: Final = 20
MOST_MEGABYTES: Final = 5


@dataclass(frozen=True)
class Script:
    """``imports`` are dotted names: ``from sklearn.svm import SVC`` gives ``sklearn.svm`` and
    ``sklearn.svm.SVC``. ``calls`` are the last names of what is called. ``arguments`` are those of the
    command line, or the parameters of the function that is tuned."""

    path: Path
    imports: frozenset[str]
    calls: frozenset[str]
    arguments: tuple[Argument, ...]


def script_of(spec: TuningSpec) -> Script | None:
    """The script that a spec's training jobs run; None for one that isn't here, or is no Python that this one
    understands."""
    path = _main_file(spec)
    tree = None if path is None else _tree(path)
    if path is None or tree is None:
        return None
    imports: set[str] = set()
    calls: set[str] = set()
    read: set[Path] = set()
    waiting = [(path, tree)]
    while waiting and len(read) < MOST_FILES:
        file, its = waiting.pop(0)
        read.add(file)
        names = set(imports_of(its))
        imports |= names
        calls |= {called(node) for node in ast.walk(its) if isinstance(node, ast.Call)}
        for beside in _beside(names, path.parent):
            if beside not in read and (another := _tree(beside)) is not None:
                waiting.append((beside, another))
    function = spec.training_job.function
    arguments = arguments_of(tree) if function is None else parameters_of(tree, function.partition(":")[2])
    return Script(path, frozenset(imports), frozenset(calls), arguments)


def _main_file(spec: TuningSpec) -> Path | None:
    job = spec.training_job
    directory = Path(job.working_directory or ".")
    if job.function is not None:
        module = job.function.partition(":")[0]
        return _module_file(directory, module) if all(map(str.isidentifier, module.split("."))) else None
    for before, word in zip(("", *job.command), job.command, strict=False):
        found = _module_file(directory, word) if before == "-m" else directory / word
        if (before == "-m" or word.endswith(".py")) and found is not None:
            return found
    return None


def _module_file(directory: Path, module: str) -> Path | None:
    base = directory.joinpath(*module.split("."))
    every = (base.with_suffix(".py"), base / "__main__.py", base / "__init__.py")
    return next((one for one in every if _is_file(one)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _tree(path: Path) -> ast.Module | None:
    try:
        return ast.parse(read_given(path, MOST_MEGABYTES))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def imports_of(tree: ast.Module) -> Iterator[str]:
    """Dotted names, as :class:`Script` has them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (one.name for one in node.names)


def _beside(names: set[str], directory: Path) -> Iterator[Path]:
    """The files of modules that lie beside the script."""
    for name in sorted(names):
        found = _module_file(directory, name)
        if found is not None:
            yield found
