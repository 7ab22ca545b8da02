"""Runs a Python function as a training job: ``python function.py TARGET OBJECTIVE [FILE]``.

Started by path, so that it works from any directory and needs no amt-flows on the job's search path. TARGET
is ``module:function``, or a function by value, which is kept in FILE. The function gets the hyperparameters
as keyword arguments, as it is annotated, else as the spec has them: a text stays one, whatever it looks like.
What it returns or yields is reported, a plain number as the objective's next value; what is none is named.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

INTEGER = re.compile(r"[-+]?[0-9]+")
REAL = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


VALUES_FILE = "amt-flows-values.json"


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


def search_working_directory_first() -> None:
    """What ``python -m`` would do: the script's own directory goes, the working directory comes. What of
    amt-flows is needed here is imported between."""
    own = Path(__file__).resolve().parent
    if sys.path and Path(sys.path[0]).resolve() == own:
        del sys.path[0]
    sys.path.insert(0, str(own.parents[2]))
    import amt_flows.backends.function_job.arguments
    import amt_flows.backends.function_job.loading
    import amt_flows.backends.function_job.outcome
    import amt_flows.reporting

    if SERVING:
        import amt_flows.backends.function_job.fork_server  # noqa: F401

    sys.path[0] = str(Path.cwd())


def main(target: str, objective: str, file: Path | None = None) -> int:
    """Call the function. The exit status; of an exception its reason and the user's frames are the job's
    failure."""
    search_working_directory_first()
    from amt_flows.backends.function_job import loading

    return call(lambda: loading.load(target, file), target, objective)


def serve(control: int, controller: int, target: str, objective: str, file: Path | None = None) -> NoReturn:
    """Load the function, and call it in a copy of this process for each job that is asked for."""
    # A program that the import starts must not have it.
    os.set_inheritable(control, False)
    search_working_directory_first()
    import socket

    from amt_flows.backends.function_job import fork_server, loading

    fork_server.serve(
        socket.socket(fileno=control),
        controller,
        load=lambda: loading.load(target, file),
        train=lambda function, _: call(lambda: function, target, objective),
    )


def call(load: Callable[[], Callable[..., Any]], target: str, objective: str) -> int:
    """Call what is loaded, and report what comes of it. The exit status."""
    from amt_flows import reporting
    from amt_flows.backends.function_job import arguments, loading, outcome

    own = frozenset({__file__, arguments.__file__, loading.__file__, outcome.__file__})
    try:
        function = load()
        output = open(os.dup(1), "w", encoding="utf-8")  # noqa: PTH123, SIM115
        report = outcome.reporting_to(output, reporting.report)
        values = arguments.typed_arguments(function, given_values(reporting.hyperparameters()))
        outcome.tell(function(**values), objective, loading.called(target), report)
    except Exception as error:
        error.__traceback__ = outcome.from_the_user_on(error, own)
        sys.excepthook(type(error), error, error.__traceback__)
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):  # noqa: PTH123
            reporting.fail(outcome.reason(error))
        return 1
    return 0


SERVING = sys.argv[1:2] == ["--serve"]

if __name__ == "__main__":
    if SERVING:
        # A function sees the arguments of a job.
        _, controls, controllers = (sys.argv.pop(1) for _ in range(3))
        del sys.argv[-1]  # room, for what copies are to be shown as
    job = sys.argv[1], sys.argv[2], Path(sys.argv[3]) if sys.argv[3:] else None
    sys.exit(serve(int(controls), int(controllers), *job) if SERVING else main(*job))
