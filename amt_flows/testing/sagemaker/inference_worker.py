"""Answers requests by a model's own inference script, as SageMaker's inference toolkit calls it.

Run as ``python inference_worker.py SCRIPT MODEL_DIRECTORY``. Requests come on standard input, answers go to
standard output: a line of JSON each, bodies in base64. What the script prints goes to standard error.
Standard library only: the script brings what it needs.

The script's functions are those of https://sagemaker.readthedocs.io/en/stable/frameworks/pytorch/using_pytorch.html
(Serve a PyTorch Model): ``model_fn(model_dir)``, then ``transform_fn``, or ``input_fn``, ``predict_fn`` and
``output_fn``, of which all but ``predict_fn`` have defaults for JSON, CSV and text.
"""

from __future__ import annotations

import base64
import csv
import importlib.util
import inspect
import io
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

JSON, CSV = "application/json", "text/csv"


class Unsupported(Exception):
    """A content type that neither the script nor a default knows."""


def default_input(body: bytes, content_type: str) -> Any:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == JSON:
        return json.loads(body)
    if kind == CSV:
        return [[_number(cell) for cell in row] for row in csv.reader(io.StringIO(body.decode("utf-8")))]
    if kind.startswith("text/"):
        return body.decode("utf-8")
    raise Unsupported(f"no input_fn in the script, and the default ones don't read {content_type!r}")


def _number(cell: str) -> Any:
    try:
        return float(cell)
    except ValueError:
        return cell


def default_output(prediction: Any, accept: str) -> tuple[Any, str]:
    plain = prediction.tolist() if hasattr(prediction, "tolist") else prediction
    if accept.partition(";")[0].strip().lower() == CSV:
        rows = plain if isinstance(plain, list) else [plain]
        text = io.StringIO()
        csv.writer(text).writerows(row if isinstance(row, list) else [row] for row in rows)
        return text.getvalue(), CSV
    return json.dumps(plain), JSON


def _call(function: Any, *arguments: Any) -> Any:
    """With as many arguments as it takes: the toolkit hands on a context to those that want it."""
    try:
        taken = len(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        taken = len(arguments)
    return function(*arguments[:taken])


def load(script: Path) -> Any:
    sys.path.insert(0, str(script.parent))
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[script.stem] = module
    spec.loader.exec_module(module)
    return module


class Model:
    """The script, with its model loaded."""

    def __init__(self, script: Path, directory: Path) -> None:
        self._script = load(script)
        self._model = _call(self._script.model_fn, str(directory), None)

    def answer(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """Body and content type."""
        if hasattr(self._script, "transform_fn"):
            given = body if content_type == "application/octet-stream" else body.decode("utf-8", "replace")
            return _response(
                _call(self._script.transform_fn, self._model, given, content_type, accept), accept
            )
        read = getattr(self._script, "input_fn", None)
        data = default_input(body, content_type) if read is None else _call(read, body, content_type, None)
        prediction = _call(self._script.predict_fn, data, self._model, None)
        write = getattr(self._script, "output_fn", default_output)
        return _response(_call(write, prediction, accept, None), accept)


def _response(told: Any, accept: str) -> tuple[bytes, str]:
    kind = JSON if accept in ("", "*/*") else accept
    if isinstance(told, tuple):
        told, kind = told[0], str(told[1])
    if not isinstance(told, (bytes, bytearray)):
        told = (told if isinstance(told, str) else json.dumps(told)).encode()
    return bytes(told), kind


def main(script: str, directory: str) -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the script prints is not for whoever reads the answers
    model: Model | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if model is None:
                model = Model(Path(script), Path(directory))
            body = base64.b64decode(request["body"])
            told, kind = model.answer(body, request["content_type"], request["accept"])
            answer = {"body": base64.b64encode(told).decode(), "content_type": kind}
        except BaseException as error:  # whatever the script raises is its answer
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
            if isinstance(error, Unsupported):
                answer["status"] = 415  # type: ignore[assignment]
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
