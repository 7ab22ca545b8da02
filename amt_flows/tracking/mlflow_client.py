"""MLflow's own client, and what it raises in our words. It brings every way to sign in: its variables of the
environment, Databricks, and what plugins add. It is needed here only, and loaded late: that takes seconds."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from typing import Any, Final

from amt_flows.errors import Problem, TrackerUnavailable, TrackingError
from amt_flows.spec.tracking_rules import FIELD, without_secrets

EXTRA: Final = "pip install 'amt-flows[mlflow]' where the tuning job is run"
FINAL: Final = frozenset(
    {
        "INVALID_PARAMETER_VALUE",
        "RESOURCE_DOES_NOT_EXIST",
        "RESOURCE_ALREADY_EXISTS",
        "INVALID_STATE",
        "BAD_REQUEST",
        "FEATURE_DISABLED",
        "NOT_IMPLEMENTED",
        "RESOURCE_CONFLICT",
    }
)
"""MLflow's codes of what is refused however often it is asked; all others may pass."""
NOT_SIGNED_IN: Final = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
QUIET: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


def is_installed() -> bool:
    return importlib.util.find_spec("mlflow") is not None


def lacking() -> list[Problem]:
    """What keeps this Python from using MLflow."""
    if is_installed():
        return []
    return [Problem(FIELD, None, f"needs MLflow's client, which is not installed; {EXTRA}")]


def open_client(uri: str) -> Any:
    """MLflow's client for a tracking URI, also the registry's. Raises TrackingError without MLflow."""
    if not is_installed():
        raise TrackingError("MLflow's client is not installed.", remedy=EXTRA)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    with in_our_words(uri):
        from mlflow.tracking import MlflowClient

        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def experiment_id(client: Any, name: str) -> str:
    """Of an experiment, which is made if there is none of that name. Raises what the client raises."""
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except Exception:
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
            # Somebody else has made it just now.
    return str(found.experiment_id)


@contextlib.contextmanager
def in_our_words(uri: str) -> Iterator[None]:
    """Raises TrackingError for what MLflow refuses for good, TrackerUnavailable for all else it raises."""
    try:
        yield
    except (TrackingError, AssertionError):
        raise
    except Exception as error:
        code, said = str(getattr(error, "error_code", "")), _first_line(error)
        where = without_secrets(uri)
        if code in FINAL:
            raise TrackingError(f"MLflow at {where} refused: {said}") from None
        if code in NOT_SIGNED_IN or "error code 401" in said or "error code 403" in said:
            raise TrackerUnavailable(
                f"MLflow at {where} wants to know who asks: {said}",
                remedy="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
            ) from None
        raise TrackerUnavailable(
            f"MLflow at {where} can't be used now: {said}",
            because="it is being restarted, or the network is down, or the address is another server's",
            remedy="nothing while it passes; else check `tracking.mlflow`",
        ) from None


def _first_line(error: BaseException) -> str:
    """Of a request that came to no answer: why, which stands beneath what the libraries make of it."""
    text = str(getattr(error, "message", "") or error).strip()
    if "failed with exception" in text:
        while (beneath := error.__cause__ or error.__context__) is not None:
            error = beneath
        text = str(error).strip().rpartition(">: ")[2]
    line = (text or type(error).__name__).splitlines()[0]
    return line if len(line) <= 300 else f"{line[:297]}..."
