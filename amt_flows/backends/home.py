"""Where tuning jobs are kept: a directory of this machine, or a folder in S3."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

Home: TypeAlias = "str | Path | None"
"""``None`` stands for ``$AMT_FLOWS_HOME``, or ``~/.amt-flows``."""

DEFAULT = "~/.amt-flows"


def home_text(home: Home = None) -> str:
    """The home as a user would write it."""
    return str(home or os.environ.get("AMT_FLOWS_HOME") or DEFAULT)


def is_in_s3(home: Home = None) -> bool:
    """Whether it is an address like ``s3://bucket/folder``."""
    return home_text(home).startswith("s3://")


def home_directory(home: Home = None) -> Path:
    """The directory of this machine that training jobs run in. With a home in S3, where only the records of
    tuning jobs are, it is the usual one."""
    return Path(DEFAULT if is_in_s3(home) else home_text(home)).expanduser()
