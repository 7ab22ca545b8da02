"""What a person gives on the command line: a spec's file, and fields to change in it."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from amt_flows.backends.home import Home
from amt_flows.backends.places import open_journal
from amt_flows.errors import Problem, SpecError
from amt_flows.ledger.record import opening_of
from amt_flows.names import is_tuning_job_name
from amt_flows.spec import TuningSpec
from amt_flows.spec.dotted import put, steps_of
from amt_flows.spec.files import read_document
from amt_flows.spec.parts import anchored_uri

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def is_spec_file(given: str, home: Home = None) -> bool:
    """Whether the path of a spec is meant, rather than the name of a tuning job, which has no dot and no
    slash. A file that happens to be called as a tuning job is (its log, say) is not meant."""
    if not is_tuning_job_name(given):
        return True
    return Path(given).is_file() and opening_of(open_journal(given, home)) is None


def load_spec(path: str, overrides: Sequence[str] = (), name: str | None = None) -> TuningSpec:
    """The spec in a file, with fields changed by ``key=value`` texts. Raises SpecError.

    The fields are changed before anything is checked, so that one may also be given that the file lacks.
    """
    data = read_document(path)
    changes = [change_of(text) for text in overrides]
    own_shape = _own_shape(data)
    if isinstance(data.get("tracking"), str):
        data["tracking"] = {"mlflow": data["tracking"]}  # so that its fields can be changed
    if name is not None:
        changes.append(("name" if own_shape else "HyperParameterTuningJobName", name))
    beside = [] if own_shape else [change for change in changes if _is_ours(change[0])]
    for key, value in changes:
        if (key, value) not in beside:
            _put(data, key, value)
    if own_shape:
        spec = TuningSpec.parse(data)
    else:
        spec = _from_body(data, beside)
    return spec.anchored(Path(path).resolve().parent)


def seeded(seed: int | None) -> list[str]:
    """The change that a ``--seed`` is."""
    return [] if seed is None else [f"seed={seed}"]


def learning(learn_from: str | None) -> list[str]:
    """The change that a ``--learn-from`` is."""
    return [] if learn_from is None else [f"learn_from={json.dumps(learn_from)}"]


def tracked(uri: str | None, experiment: str | None) -> list[str]:
    """The changes that ``--mlflow`` and ``--experiment`` are."""
    # A relative path is from here, where it was written, and not from the spec's directory.
    uri = None if uri is None else anchored_uri(uri, Path.cwd())
    given = {"tracking.mlflow": uri, "tracking.experiment": experiment}
    return [f"{path}={json.dumps(text)}" for path, text in given.items() if text is not None]


def _is_ours(key: str) -> bool:
    """Whether a path begins with a field of our own shape; AMT's members begin with a capital letter."""
    return str(steps_of(key)[0]) in TuningSpec.model_fields if steps_of(key) else False


def _from_body(data: dict[str, Any], beside: Sequence[tuple[str, Any]]) -> TuningSpec:
    """A request body, and settings that are given beside it in our own words."""
    from amt_flows.spec.amt_request import from_amt_request

    def adjust(own: dict[str, Any]) -> None:
        for key, value in beside:
            _put(own, key, value)

    return from_amt_request(data, adjust)


def _own_shape(data: Mapping[str, Any]) -> bool:
    from amt_flows.spec.amt_reading import is_amt_request

    return not is_amt_request(data)


def change_of(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        message = "write it as field=value, e.g. limits.max_number_of_training_jobs=20"
        raise SpecError([Problem("--set", text, message)])
    return key.strip(), value_of(value)


def value_of(text: str) -> Any:
    """``20``, ``1e-3``, ``true``, ``"a"``, ``[1, 2]`` and ``null`` as JSON or TOML has them; anything else is
    the text itself."""
    try:
        value = json.loads(text)
    except RecursionError:
        return text
    except ValueError:
        value = _toml(text)
    # JSON's reader takes the words NaN and Infinity, which no field of a spec can be.
    return text if isinstance(value, float) and not math.isfinite(value) else value


def _toml(text: str) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    found = value.get("value")
    # Not a date, which TOML has too, nor a second line that was smuggled in.
    plain = isinstance(found, bool | int | float | str | list | dict)
    return found if plain and len(value) == 1 else text


def _put(data: dict[str, Any], key: str, value: Any) -> None:
    try:
        put(data, key, value)
    except (IndexError, KeyError, TypeError, AttributeError, ValueError):
        message = "there is nothing at this path to change; lists count from [0]"
        raise SpecError([Problem(f"--set {key}", value, message)]) from None
