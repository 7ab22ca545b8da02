"""What a tracking URI may not be: the bearer of a secret. It stands in records, and is shown to all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from amt_flows.errors import Problem
from amt_flows.spec.parts import TuningFields

FIELD: Final = "tracking.mlflow"
LONGEST_USER: Final = 20
_SIGNED_IN: Final = re.compile(r"(?P<scheme>^[a-zA-Z][a-zA-Z0-9+.\-]*://)(?P<secret>[^/?#]*)@")
# A password is not always written as it should be: one with a slash ends what would be the server's name.
_SIGNED_IN_TO_A_SERVER: Final = re.compile(
    r"(?P<scheme>^[a-zA-Z][a-zA-Z0-9+.\-]*://)(?P<secret>.*:.*|[^/?#]*)@"
)
_SECRET: Final = re.compile(r"passw|pwd|secret|token|api_?key|credential", re.IGNORECASE)
_DATABASES: Final = ("postgresql", "mysql", "mssql")
_WEB: Final = ("http", "https")
_SCHEMES: Final = (
    *_WEB,
    *("file", "sqlite", "databricks", "databricks-uc", "uc", "arn", "azureml"),
    *_DATABASES,
)


def tracking_problems(spec: TuningFields) -> Iterator[Problem]:
    if spec.tracking is not None:
        yield from uri_problems(spec.tracking.mlflow)


def uri_problems(uri: str) -> Iterator[Problem]:
    """What a tracking URI may not be."""
    if not uri.strip() or uri != uri.strip():
        yield Problem(
            FIELD, uri, "write MLflow's tracking URI, e.g. http://mlflow.example:5000, and no spaces"
        )
        return
    scheme = _scheme(uri)
    if bears_a_secret(uri):
        yield Problem(FIELD, without_secrets(uri), _remedy(scheme))
    elif scheme and scheme not in _SCHEMES:
        message = "is no tracking URI of MLflow; write e.g. http://mlflow.example:5000 or sqlite:///mlflow.db"
        yield Problem(FIELD, uri, message)
    elif scheme in _WEB and not _has_host(uri):
        yield Problem(FIELD, uri, "names no server; write e.g. http://mlflow.example:5000")
    elif scheme in _WEB and set(uri) & set("?#"):
        message = "is a page's address; leave out what begins with ? or #: http://mlflow.example:5000"
        yield Problem(FIELD, without_secrets(uri), message)


def bears_a_secret(uri: str) -> bool:
    """Whether a password, or a token, stands in it. A user's name alone is neither, unless it is as long as a
    token is."""
    scheme = _scheme(uri)
    found = _signed_in(scheme).match(uri)
    if found is not None and (":" in found["secret"] or len(found["secret"]) > LONGEST_USER):
        return True
    asked = uri.replace("#", "?").partition("?")[2].replace("?", "&")
    return any(_SECRET.search(name) for name, _ in parse_qsl(asked, keep_blank_values=True))


def without_secrets(uri: str) -> str:
    """It without whoever signs in and without its query: for messages."""
    clean = _signed_in(_scheme(uri)).sub(r"\g<scheme>...@", uri)
    return clean.replace("#", "?").partition("?")[0]


def _scheme(uri: str) -> str:
    """What stands before its colon, in lower case and without a database's driver; empty for a path."""
    return uri.partition(":")[0].partition("+")[0].lower() if ":" in uri else ""


def _signed_in(scheme: str) -> re.Pattern[str]:
    """A file's name may hold an @."""
    return _SIGNED_IN_TO_A_SERVER if scheme in (*_WEB, *_DATABASES) else _SIGNED_IN


def _remedy(scheme: str) -> str:
    if scheme in _DATABASES:
        return (
            "bears a password, which would stand in the record and be given to training jobs; put an MLflow "
            "server before the database, and name that"
        )
    return (
        "bears a password or a token, which would stand in the record; leave it out, and set "
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, where the tuning "
        "job is run"
    )


def _has_host(uri: str) -> bool:
    try:
        return bool(urlsplit(uri).hostname)
    except ValueError:
        return False
