"""The Prefect server that is set up, if one is, and what it says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

import httpx
import prefect.settings  # noqa: F401 - once loaded, every place that Prefect has settings from counts

from amt_flows.backends.work_pool.server import prefect_server
from amt_flows.errors import BackendError


@dataclass(frozen=True)
class Server:
    """``url`` is without a password; ``version`` is None when it doesn't answer as it should, and ``trouble``
    is what it does instead."""

    url: str
    version: str | None
    trouble: str = ""


def configured_server(patience_seconds: float) -> Server | None:
    """Ask the server of ``PREFECT_API_URL`` for its version; None when none is set up."""
    try:
        api = prefect_server("amt-flows")
    except BackendError:
        return None
    shown = re.sub(r"//[^/@]*@", "//", api.url)
    try:
        answer = httpx.get(f"{api.url}/admin/version", timeout=patience_seconds, headers=api.headers)
        if answer.status_code != httpx.codes.OK:
            return Server(shown, None, f"answers {answer.status_code}")
        return Server(shown, str(answer.json()))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Server(shown, None, f"doesn't answer: {type(error).__name__}")
    except ValueError:
        return Server(shown, None, "answers what is no JSON")
