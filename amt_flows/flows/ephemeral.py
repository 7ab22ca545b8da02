"""The temporary server that Prefect starts when no server is configured."""

from __future__ import annotations

import os
import signal

PATIENCE_SECONDS = 120
_OF_A_TERMINAL = {signal.SIGINT, signal.SIGHUP}


def patient_ephemeral_server() -> None:
    """Give Prefect's temporary server two minutes to start, and no telemetry to send, unless the user has
    decided otherwise.

    Prefect's own 20 seconds are too few for the first start on a small machine: a database is made then.
    Settings are read when Prefect is imported, so this works only before that. ``amt_flows.flows`` does
    it first thing; a script that imports Prefect earlier calls it at its top.
    """
    if not os.environ.get("PREFECT_API_URL"):
        os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", str(PATIENCE_SECONDS))
        os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")


def start_server_beyond_ctrl_c() -> None:
    """Start Prefect's temporary server, if one is needed, so that neither Ctrl-C nor a terminal that is
    closed reaches it.

    For commands that run a flow from a terminal, which sends the signal to every process that belongs to
    the command; with the server dead, the flow could not say any more how it ended. A process is born with
    the signals blocked that its parent blocks, and Prefect ends its server by another one.
    """
    from prefect.client.orchestration import get_client

    signal.pthread_sigmask(signal.SIG_BLOCK, _OF_A_TERMINAL)
    try:
        with get_client(sync_client=True):
            pass
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _OF_A_TERMINAL)
