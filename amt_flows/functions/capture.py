"""How a function travels to training jobs: by its path where a job can import it, else by value.

A path is taken only if importing it gives this very function, and nothing else is run by that: of
``__main__`` a script goes by its file if that does no more than define things. Everything else (a notebook's
cell, a closure, a lambda) is pickled by value with cloudpickle, and its hash is part of the spec."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import io
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any

from amt_flows.backends.function_job.loading import (
    content_of,
    plain_function,
    stored_at,
)
from amt_flows.errors import AmtFlowsError, Problem, SpecError
from amt_flows.ledger.journals.new_home import OWNER_ONLY, make_home


@dataclass(frozen=True)
class Captured:
    """A function as a spec has it. ``content`` is what is to be kept of it in the home; None if it goes by
    its path. ``environment`` is what a job needs to import it."""

    target: str
    content: bytes | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def keep(self, home: Path) -> None:
        """Write it into ``home``, for its owner only; what is there already stays. Raises AmtFlowsError."""
        file = stored_at(home, self.target)
        if file is None or self.content is None:
            return
        try:
            make_home(home)
            file.parent.mkdir(mode=OWNER_ONLY, exist_ok=True)
            _write_once(file, self.content)
        except OSError as error:
            raise AmtFlowsError(
                f"The function can't be kept in {file.parent}: {error.strerror}.",
                remedy="give another home, or put the function into a module of its own",
            ) from None


def _write_once(file: Path, content: bytes) -> None:
    """Whole or not at all, also where several do it at once."""
    if file.exists():
        return
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(number, "wb") as opened:  # noqa: PTH123
        opened.write(content)
        opened.flush()
        os.fsync(number)
    part.replace(file)


def capture(given: Callable[..., Any]) -> Captured:
    """How ``given`` travels: a function, or whatever else can be called, also a Prefect task or flow.

    Raises SpecError for what can't be called or can't travel.
    """
    function = plain_function(given)
    if not callable(function):
        raise SpecError([Problem("train", given, "is no function; give one that takes the hyperparameters")])
    return _by_path(function) or _by_value(function)


def _by_path(function: Callable[..., Any]) -> Captured | None:
    module, path = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not module or not path or not all(name.isidentifier() for name in path.split(".")):
        return None
    found: Any = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    if found is None or plain_function(found) is not function:
        return None
    if module == "__main__":
        name = _own_module_name()
        return None if name is None else Captured(f"{name}:{path}")
    return _importable(module, path)


def _importable(module: str, path: str) -> Captured | None:
    """By its path, with the directory in which a job must look for it if it wouldn't do so anyway."""
    origin = getattr(sys.modules[module], "__file__", None)
    if origin is None or not all(name.isidentifier() for name in module.split(".")):
        return None
    top = Path(origin).resolve()
    for _ in module.split("."):
        top = top.parent
    if Path(origin).stem == "__init__":
        top = top.parent
    if top == Path.cwd().resolve() or _is_installed(top):
        return Captured(f"{module}:{path}")
    if not any(Path(entry or ".").resolve() == top for entry in sys.path):
        return None
    return Captured(f"{module}:{path}", environment={"PYTHONPATH": _python_path(top)})


def _is_installed(directory: Path) -> bool:
    return (
        directory.name in ("site-packages", "dist-packages")
        or directory == Path(os.__file__).resolve().parent
    )


def _python_path(directory: Path) -> str:
    inherited = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    return os.pathsep.join(dict.fromkeys([str(directory), *inherited]))


def _own_module_name() -> str | None:
    """The module's name of the script that runs, if a job in this directory would import it and nothing but
    definitions would be run by that."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is None:
        return None
    script = Path(file).resolve()
    name = script.stem
    fits = script.suffix == ".py" and script.parent == Path.cwd().resolve() and name.isidentifier()
    if not fits or name in sys.stdlib_module_names or name in sys.modules or not _only_defines(script):
        return None
    found = importlib.util.find_spec(name)
    return name if found is not None and found.origin and Path(found.origin).resolve() == script else None


def _only_defines(script: Path) -> bool:
    """Whether importing a script runs nothing beyond imports, definitions and assignments of constants."""
    try:
        tree = ast.parse(script.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    return all(_is_definition(node) for node in tree.body)


def _is_definition(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return not any(isinstance(inner, ast.Call | ast.Await | ast.Yield) for inner in ast.walk(node))
    return isinstance(node, ast.If) and not node.orelse and ast.unparse(node.test) == "__name__ == '__main__'"


def _by_value(function: Callable[..., Any]) -> Captured:
    named = getattr(function, "__name__", type(function).__name__)
    try:
        content = content_of(_paths_of_main(), _pickled(function))
    except Exception as error:  # whatever a value that it refers to raises
        message = (
            f"can't be taken along to a training job ({type(error).__name__}: {error}); put it into a module "
            "of its own, and open files, connections and the like in it"
        )
        raise SpecError([Problem("train", named, message)]) from error
    name = re.sub(r"\W", "", named, flags=re.ASCII) or "function"
    name = name if name.isidentifier() else f"_{name}"
    return Captured(f"value:{name}:{hashlib.sha256(content).hexdigest()}", content)


def _paths_of_main() -> list[str]:
    """Where modules beside the script that runs are found."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    return [] if file is None else [str(Path(file).resolve().parent)]


def _pickled(function: Callable[..., Any]) -> bytes:
    """The same bytes for the same function in another process, as far as cloudpickle has it so.

    Classes that go along have identities, which are drawn at random; here they follow from the content, so
    that a process that loads two functions takes no class of one for that of the other."""
    return _pickled_with(function, hashlib.sha256(_pickled_with(function, b"")).digest())


def _pickled_with(function: Callable[..., Any], salt: bytes) -> bytes:
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        classes = 0

        def reducer_override(self, one: Any) -> Any:
            if isinstance(one, CodeType):
                file = _file_of(one)
                make, given = self.dispatch_table[CodeType](one.replace(co_filename=file))
                return make, tuple(file if part == NOWHERE else part for part in given)
            reduced = super().reducer_override(one)
            if isinstance(one, type) and isinstance(reduced, tuple):
                self.classes += 1
                own = hashlib.sha256(salt + str(self.classes).encode()).hexdigest()[:32]
                given = tuple(own if _is_drawn(part) else part for part in reduced[1])
                return (reduced[0], given, *reduced[2:])
            return reduced

    stream = io.BytesIO()
    Pickler(stream).dump(function)
    return stream.getvalue()


def _is_drawn(part: object) -> bool:
    return isinstance(part, str) and re.fullmatch(r"[0-9a-f]{32}", part) is not None


def _file_of(code: CodeType) -> str:
    """For tracebacks. A cell has a file that is named anew in each kernel, and that nobody can open."""
    return code.co_filename if Path(code.co_filename).is_file() else f"<{code.co_name}>"


NOWHERE = "<dynamic-code>"
"""What newer versions of cloudpickle write in place of a file."""
