"""Which Prefect server is meant: that of the process, of the environment, or of the active profile. Prefect
itself is not needed to know, and takes seconds to load."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from amt_flows.backends.attended.http import Api
from amt_flows.backends.home import expanded
from amt_flows.errors import BackendError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

URL: Final = "PREFECT_API_URL"
KEY: Final = "PREFECT_API_KEY"
AUTH: Final = "PREFECT_API_AUTH_STRING"


def prefect_server(what: str) -> Api:
    """The server's API. ``what`` needs it, in a word or two. Raises BackendError when there is none."""
    given = _settings()
    url = given.get(URL)
    if not url:
        raise BackendError(
            f"{what} needs a Prefect server, and none is set.",
            because=f"${URL} is empty, and the active profile names none",
            remedy=f"prefect server start, then: export {URL}=http://127.0.0.1:4200/api",
        )
    headers: dict[str, str] = {}
    if given.get(KEY):
        headers["Authorization"] = f"Bearer {given[KEY]}"
    elif given.get(AUTH):
        headers["Authorization"] = f"Basic {base64.b64encode(given[AUTH].encode()).decode()}"
    return Api(url, "The Prefect server", headers)


def _settings() -> Mapping[str, str]:
    """As Prefect ranks them: what a process has set in itself (a test does), the environment, the profile."""
    loaded = sys.modules.get("prefect.settings")
    if loaded is not None:
        api = loaded.get_current_settings().api
        found = {URL: api.url, KEY: _shown(api.key), AUTH: _shown(api.auth_string)}
    else:
        profile = _profile()
        found = {name: os.environ.get(name) or profile.get(name) for name in (URL, KEY, AUTH)}
    return {name: str(value) for name, value in found.items() if value}


def _shown(secret: Any) -> str | None:
    return None if secret is None else str(secret.get_secret_value())


def _profile() -> Mapping[str, str]:
    home = expanded(os.environ.get("PREFECT_HOME") or "~/.prefect")
    path = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    name = os.environ.get("PREFECT_PROFILE") or content.get("active", "")
    profile = content.get("profiles", {}).get(name, {})
    return {key: str(value) for key, value in profile.items()}
