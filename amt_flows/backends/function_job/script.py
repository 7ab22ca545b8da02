"""A Python script as ``python script.py`` runs it, in a process that has imported already what it imports."""

from __future__ import annotations

import builtins
import gc
import importlib
import io
import os
import sys
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from types import ModuleType

from amt_flows.backends.function_job.outcome import from_the_user_on

EXIT_NO_SCRIPT = 2


def import_all(modules: Sequence[str]) -> None:
    """Raises whatever importing one of them does."""
    for name in modules:
        importlib.import_module(name)


def search_path_of(script: str) -> str:
    """The directory in which such a script looks for modules first: its own, wherever a link to it lies."""
    return os.path.dirname(os.path.realpath(script))  # noqa: PTH120


def run(command: Sequence[str]) -> int:
    """Run the script of a command ``python script.py ...``. The exit status; raises SystemExit,
    KeyboardInterrupt as it does."""
    sys.orig_argv[:] = command
    sys.argv[:] = command[1:]
    # Not by runpy, which takes the module away at the script's end: threads and exit functions still need it.
    main, file = ModuleType("__main__"), os.path.abspath(command[1])  # noqa: PTH100
    of_scripts: dict[str, object] = {"__annotations__": {}} if sys.version_info < (3, 14) else {}
    main.__dict__.update(
        of_scripts,
        __loader__=SourceFileLoader("__main__", file),
        __builtins__=builtins,
        __file__=file,
        __cached__=None,
    )
    sys.modules["__main__"] = main
    try:
        with io.open_code(file) as opened:
            source = opened.read()
    except OSError as error:
        print(
            f"{command[0]}: can't open file {file!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr
        )
        return EXIT_NO_SCRIPT
    try:
        exec(compile(source, file, "exec", dont_inherit=True), main.__dict__)  # noqa: S102
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        error.__traceback__ = from_the_user_on(error, frozenset({__file__}))
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def let_go() -> None:
    """At the end of a process that isn't taken apart: what the script left open is written, and what it made
    has its ``__del__``."""
    main = sys.modules.get("__main__")
    if main is not None:
        main.__dict__.clear()
    gc.collect()
