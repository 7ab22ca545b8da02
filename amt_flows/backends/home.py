"""Where tuning jobs are kept: a directory of this machine, or a folder in S3."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import unquote, urlsplit

from amt_flows.errors import AmtFlowsError, JournalError

Home: TypeAlias = "str | Path | None"
"""``None`` stands for ``$AMT_FLOWS_HOME``, or ``~/.amt-flows``."""

DEFAULT = "~/.amt-flows"
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
"""How an address begins. A directory of such a name would be one that nobody asked for; a Windows drive has
one letter. ``s3:/`` is what a ``Path`` makes of ``s3://``."""


def home_text(home: Home = None) -> str:
    """The home as a user would write it; of a file's address, as records are told by, its path. Raises
    JournalError for any other address than S3's."""
    text = str(home or os.environ.get("AMT_FLOWS_HOME") or DEFAULT)
    if text[:5].lower() == "s3://":
        return f"s3{text[2:]}"
    path = _path_in(text)
    if path is None:
        raise JournalError(
            f"Tuning jobs can't be kept at {text}.",
            because="of addresses only s3://bucket/folder is one where records are kept",
            remedy="give a directory, or s3://bucket/folder, by --home or $AMT_FLOWS_HOME",
        )
    return path


def _path_in(text: str) -> str | None:
    """A path as it is, and that of a file's address; None of any other address."""
    address = _ADDRESS.match(text)
    if address is None:
        return text
    parts = urlsplit(text) if address[1].lower() == "file" else None
    return unquote(parts.path) if parts is not None and parts.netloc in ("", "localhost") else None


def is_in_s3(home: Home = None) -> bool:
    """Whether it is an address like ``s3://bucket/folder``."""
    return home_text(home).startswith("s3://")


def home_directory(home: Home = None) -> Path:
    """The directory of this machine that training jobs run in. With a home in S3, where only the records of
    tuning jobs are, it is the usual one."""
    return expanded(DEFAULT if is_in_s3(home) else home_text(home))


def expanded(path: str | Path) -> Path:
    """A path of this machine with ``~`` replaced. Raises AmtFlowsError for the address of something else, and
    where ``~`` stands for no directory: a container may run as a user that has none."""
    plain = _path_in(str(path))
    if plain is None:
        raise AmtFlowsError(f"{path} is no path of this machine.", remedy="give a directory or file of it")
    try:
        return Path(plain).expanduser()
    except RuntimeError:
        user = Path(plain).parts[0]
        raise AmtFlowsError(
            f"{path} is no path of this machine.",
            because="this user has no home directory" if user == "~" else f"there is no user {user[1:]}",
            remedy="set HOME, or write a whole path; for the tuning jobs by --home or $AMT_FLOWS_HOME",
        ) from None
