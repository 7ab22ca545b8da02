"""Runs a Python function as a training job: ``python function.py MODULE:FUNCTION OBJECTIVE``.

Started by path, so that it works from any directory and needs no amt-flows on the job's search path. The
function gets the hyperparameters as keyword arguments, as the spec has them: a text stays one, whatever it
looks like. A number that it returns is reported as the objective's next value; what is none is named.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path

INTEGER = re.compile(r"[-+]?[0-9]+")
REAL = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


VALUES_FILE = "amt-flows-values.json"
NO_NUMBER = "amt-flows: the function "
LONGEST = 200


def argument(text: str) -> int | float | str:
    """A hyperparameter as the function gets it."""
    if INTEGER.fullmatch(text):
        return int(text)
    return float(text) if REAL.fullmatch(text) else text


def given_values(texts: Mapping[str, str]) -> dict[str, object]:
    """The hyperparameters as the spec has them; where only their texts are known, as those look."""
    path = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")) / "input/config" / VALUES_FILE
    if not path.exists():
        return {name: argument(text) for name, text in texts.items()}
    values = json.loads(path.read_text(encoding="utf-8"))
    return {name: values.get(name, argument(text)) for name, text in texts.items()}


def number(result: object) -> float | None:
    """The number that a function returned, as any scalar of a library may be one; a truth value is none."""
    if not hasattr(type(result), "__float__") or type(result).__name__ in ("bool", "bool_"):
        return None
    try:
        return float(result)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None


def shown(result: object) -> str:
    """A value on one line, not too long, with its type."""
    try:
        text = " ".join(repr(result).split())
    except Exception:
        text = "something"
    return f"{text if len(text) <= LONGEST else text[:LONGEST] + '...'} ({type(result).__name__})"


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
        result = function(**given_values(reporting["hyperparameters"]()))  # type: ignore[operator]
        value = number(result)
        if value is not None:
            reporting["report"]({objective: value})
        elif result is not None:
            print(
                f"{NO_NUMBER}{path} returned {shown(result)}, which is no number", file=sys.stderr, flush=True
            )
    except Exception as error:
        sys.excepthook(*sys.exc_info())
        reporting["fail"](f"{type(error).__name__}: {error}".partition("\n")[0])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
