"""The Prefect server that is set up, if one is, and what it says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

import httpx
from prefect.settings import get_current_settings


@dataclass(frozen=True)
class Server:
    """``url`` is without a password; ``version`` is None when it doesn't answer as it should, and ``trouble``
    is what it does instead."""

    url: str
    version: str | None
    trouble: str = ""


def configured_server(patience_seconds: float) -> Server | None:
    """Ask the server of ``PREFECT_API_URL`` for its version; None when none is set up."""
    settings = get_current_settings().api
    if not settings.url:
        return None
    shown = re.sub(r"//[^/@]*@", "//", settings.url)
    key = settings.key.get_secret_value() if settings.key else ""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.get(f"{settings.url}/admin/version", timeout=patience_seconds, headers=headers)
        if answer.status_code != httpx.codes.OK:
            return Server(shown, None, f"answers {answer.status_code}")
        return Server(shown, str(answer.json()))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Server(shown, None, f"doesn't answer: {type(error).__name__}")
    except ValueError:
        return Server(shown, None, "answers what is no JSON")
