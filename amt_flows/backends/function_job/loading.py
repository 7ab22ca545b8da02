"""The function that a training job calls: imported by its path, or read from where it was kept by value.

A function without a path that a job could import is kept in the home as ``.functions/<sha256>``. Such a file
is code: it is loaded only if its owner is who loads it, nobody else may read or write it, and its content has
the hash that the spec names."""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import pickle
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

from amt_flows.names import FUNCTION_BY_VALUE

STORE = ".functions"


class NotOursError(Exception):
    """Why what is kept must not be loaded."""


def digest_in(target: str) -> str | None:
    """The hash of a function by value; None for one that goes by its path."""
    match = FUNCTION_BY_VALUE.fullmatch(target)
    return match[1] if match else None


def called(target: str) -> str:
    """What a function is called by people: its name, or its path within its module."""
    return target.split(":")[1] if ":" in target else target


def stored_at(root: Path, target: str) -> Path | None:
    """The file of a function by value, in the home ``root``."""
    digest = digest_in(target)
    return None if digest is None else root / STORE / digest


def trusted_content(file: Path, digest: str) -> bytes:
    """What stands in a stored function's file. Raises NotOursError, which says why it is not to be loaded."""
    try:
        number = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise NotOursError(f"{file} can't be read: {error.strerror}") from None
    with open(number, "rb") as opened:  # noqa: PTH123
        facts = os.fstat(number)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
            raise NotOursError(f"{file} belongs to somebody else")
        if facts.st_mode & 0o077:
            raise NotOursError(f"{file} can be read or written by others (mode {facts.st_mode & 0o777:o})")
        content = opened.read()
    if hashlib.sha256(content).hexdigest() != digest:
        raise NotOursError(f"{file} is not what was written: its content has another hash")
    return content


def load(target: str, file: Path | None = None) -> Callable[..., Any]:
    """The function. Raises NotOursError, and whatever importing it does."""
    digest = digest_in(target)
    if digest is not None:
        if file is None:
            raise NotOursError(f"{target} is a function by value, and nothing says where it is kept")
        return from_content(trusted_content(file, digest))
    module, _, path = target.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return plain_function(found)


def content_of(paths: list[str], pickled: bytes) -> bytes:
    """What a file holds: where the function's own modules are looked for, then the function."""
    return pickle.dumps(paths, protocol=4) + pickled


def from_content(content: bytes) -> Callable[..., Any]:
    """The function in it. Only for what was found to be ours."""
    stream = io.BytesIO(content)
    paths = pickle.load(stream)  # noqa: S301
    sys.path.extend(path for path in paths if path not in sys.path)
    return plain_function(pickle.load(stream))  # noqa: S301


def plain_function(given: Any) -> Callable[..., Any]:
    """The function in a Prefect task or flow, which carries it as ``fn``; anything else as it is."""
    inner = getattr(given, "fn", None)
    is_wrapped = not isinstance(given, FunctionType | type) and callable(inner)
    found: Any = inner if is_wrapped else given
    return found  # type: ignore[no-any-return]
