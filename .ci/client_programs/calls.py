"""What each client's program tells of its calls: one line for each, for the table."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def call(name: str, function: Callable[[], T]) -> T | None:
    """Make a call and tell whether it worked; what it gave, or None."""
    try:
        found = function()
    except Exception as error:
        traceback.print_exc()
        text = " ".join(f"{type(error).__name__}: {error}".split()).replace("|", "/")
        print(f"\ncall\t{name}\t{text[:160]}", flush=True)
        return None
    print(f"\ncall\t{name}\tworks", flush=True)  # a client may have printed half a line
    return found


def own_fault(name: str, function: Callable[[], object], told: str) -> None:
    """A call that fails in the client itself, whatever is asked: tell so, or that it doesn't any more."""
    try:
        function()
    except Exception as error:
        if told in str(error):
            print(f"\ncall\t{name}\tfails in the client itself: {type(error).__name__}: {error}", flush=True)
            return
        traceback.print_exc()
        print(f"\ncall\t{name}\tfails otherwise: {type(error).__name__}: {error}", flush=True)
        return
    print(f"\ncall\t{name}\tworks", flush=True)


def expect(holds: object, told: object) -> None:
    if not holds:
        raise AssertionError(f"unexpected: {told}")
