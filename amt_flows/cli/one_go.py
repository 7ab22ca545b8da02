"""What a command that only looks does without: a search for rings of references in all that it has read."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def in_one_go(command: F) -> F:
    """Reads a record, says something, and is over: of a million objects nearly none is dropped meanwhile, and
    looking for some that could be takes a tenth of its time."""

    @functools.wraps(command)
    def run(*given: Any, **named: Any) -> Any:
        was_on = gc.isenabled()
        gc.disable()
        try:
            return command(*given, **named)
        finally:
            if was_on:
                gc.enable()

    return cast(F, run)
