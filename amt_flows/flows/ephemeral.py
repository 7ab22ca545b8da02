"""Patience for the temporary server that Prefect starts when no server is configured."""

from __future__ import annotations

import os

TIMEOUT_VARIABLE = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
PATIENCE_SECONDS = 120


def patient_ephemeral_server() -> None:
    """Give Prefect's temporary server two minutes to start, unless the user has decided otherwise.

    Prefect's own 20 seconds are too few for the first start on a small machine: a database is made then.
    Settings are read when Prefect is imported, so this works only before that. ``amt_flows.flows`` does
    it first thing; a script that imports Prefect earlier calls it at its top.
    """
    if not os.environ.get("PREFECT_API_URL"):
        os.environ.setdefault(TIMEOUT_VARIABLE, str(PATIENCE_SECONDS))
