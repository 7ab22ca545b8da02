"""Runs a Python function as a training job: ``python function.py MODULE:FUNCTION OBJECTIVE``.

Started by path, so that it works from any directory and needs no amt-flows on the job's search path. The
function gets the hyperparameters as keyword arguments, whole numbers as int and other numbers as float; a
number that it returns is reported as the objective's next value.
"""

from __future__ import annotations

import importlib
import re
import runpy
import sys
from pathlib import Path

INTEGER = re.compile(r"[-+]?[0-9]+")
REAL = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


def argument(text: str) -> int | float | str:
    """A hyperparameter as the function gets it."""
    if INTEGER.fullmatch(text):
        return int(text)
    return float(text) if REAL.fullmatch(text) else text


def search_working_directory_first() -> None:
    """What ``python -m`` would do: the script's own directory goes, the working directory comes."""
    own = Path(__file__).resolve().parent
    if sys.path and Path(sys.path[0]).resolve() == own:
        del sys.path[0]
    sys.path.insert(0, str(Path.cwd()))


def main(target: str, objective: str) -> int:
    """Call the function. The exit status; an exception's one-line summary is the job's failure reason."""
    search_working_directory_first()
    reporting = runpy.run_path(str(Path(__file__).resolve().parents[2] / "reporting.py"))
    module_name, _, path = target.partition(":")
    try:
        function = importlib.import_module(module_name)
        for name in path.split("."):
            function = getattr(function, name)
        given = {name: argument(text) for name, text in reporting["hyperparameters"]().items()}
        result = function(**given)  # type: ignore[operator]
        if hasattr(type(result), "__float__") and not isinstance(result, bool):
            reporting["report"]({objective: result})
    except Exception as error:
        sys.excepthook(*sys.exc_info())
        reporting["fail"](f"{type(error).__name__}: {error}".partition("\n")[0])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
