"""The directory of this machine that keeps tuning jobs: their journals and their training jobs."""

from __future__ import annotations

import os
from pathlib import Path


def home_directory(home: str | Path | None = None) -> Path:
    """Where tuning jobs are kept: ``home``, else ``$AMT_FLOWS_HOME``, else ``~/.amt-flows``."""
    return Path(home or os.environ.get("AMT_FLOWS_HOME") or Path.home() / ".amt-flows").expanduser()
