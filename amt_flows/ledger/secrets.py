"""Secrets out of texts that are kept: failure reasons, log tails, messages.

A training job may print what it was given, and the end of its log goes into the journal, the artifacts and
the reports. So the values of secret variables of this process are taken out first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

ALWAYS: Final = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "PREFECT_API_KEY",
    "PREFECT_API_AUTH_STRING",
    "PREFECT_API_DATABASE_CONNECTION_URL",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
)
"""Of Prefect, AWS and MLflow, whether or not anybody marked them."""

SHORTEST: Final = 4
"""A value of fewer characters would take ordinary words out of texts, and is no secret."""

HIDDEN: Final = "********"


def hidden(text: str, names: Iterable[str] = ()) -> str:
    """``text`` without the values that these environment variables, and those of ``ALWAYS``, have in this
    process. The longest go first: one may be a part of another."""
    values = {os.environ.get(name, "") for name in (*ALWAYS, *names)}
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= SHORTEST:
            text = text.replace(value, HIDDEN)
    return text
