"""What a function gives back, as metrics: a number, a mapping of metrics, or a generator of these, one an
epoch. What is async is run to its end."""

from __future__ import annotations

import contextlib
import inspect
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextvars import copy_context
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO, TypeVar

NO_NUMBER = "amt-flows: the function "
LONGEST = 200
LONGEST_REASON = 1024  # SageMaker's limit for a failure reason
Report = Callable[..., None]
T = TypeVar("T")


def reporting_to(stream: TextIO, report: Report) -> Report:
    """``report``, to where the output goes before a function is called, which may close or replace it."""

    def reporting(values: Mapping[str, float], epoch: int | None = None) -> None:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        with contextlib.redirect_stdout(stream):
            report(values, epoch=epoch)

    return reporting


def number(result: object) -> float | None:
    """The number that a function returned, as any scalar of a library may be one; a truth value is none."""
    if not hasattr(type(result), "__float__") or type(result).__name__ in ("bool", "bool_"):
        return None
    try:
        return float(result)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None


def shown(result: object) -> str:
    """A value on one line, not too long, with its type."""
    try:
        text = " ".join(repr(result).split())
    except Exception:
        text = "something"
    return f"{text if len(text) <= LONGEST else text[:LONGEST] + '...'} ({type(result).__name__})"


def tell(result: object, objective: str, name: str, report: Report) -> None:
    """Report what the function ``name`` returned; of an iterator each value as soon as it is there, and what
    a generator returns at its end as one more. What is no metric is named on standard error. Raises what a
    generator or a coroutine does."""
    if inspect.iscoroutine(result):
        result = _run(result)
    if isinstance(result, AsyncIterator):
        _run(_tell_each(result, objective, name, report))
        return
    if not isinstance(result, Iterator):
        _tell_one(result, objective, f"{name} returned", report)
        return
    while True:
        try:
            value = next(result)
        except StopIteration as end:
            _tell_one(end.value, objective, f"{name} returned", report)
            return
        if value is not None:
            _tell_one(value, objective, f"{name} yielded", report)


async def _tell_each(values: AsyncIterator[object], objective: str, name: str, report: Report) -> None:
    async for value in values:
        _tell_one(value, objective, f"{name} yielded", report)


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """By a loop of its own: in a notebook, where one runs already, beside it."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(copy_context().run, asyncio.run, coroutine).result()


def _tell_one(value: object, objective: str, did: str, report: Report) -> None:
    if value is None:
        return
    if isinstance(value, Mapping):
        _tell_mapping(value, objective, did, report)
        return
    one = number(value)
    if one is None:
        _say(f"{did} {shown(value)}, which is no number")
    else:
        report({objective: one}, epoch=None)


def _tell_mapping(given: Mapping[object, object], objective: str, did: str, report: Report) -> None:
    read = {str(name): number(value) for name, value in given.items()}
    metrics = {name: value for name, value in read.items() if value is not None}
    epoch = metrics.pop("epoch", None)
    if metrics:
        report(metrics, epoch=None if epoch is None else int(epoch))
    for name, value in given.items():
        if str(name) != "epoch" and read[str(name)] is None:
            _say(f"{did} {name} = {shown(value)}, which is no number")
    if objective not in read:
        _say(f"{did} {', '.join(sorted(read)) or 'nothing'}, and no {objective}")


def _say(what: str) -> None:
    print(f"{NO_NUMBER}{what}", file=sys.stderr, flush=True)


def from_the_user_on(error: BaseException, own: frozenset[str]) -> TracebackType | None:
    """The traceback without its first frames, those of ``own`` files and of the import system."""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file not in own and not file.startswith("<frozen importlib") and not _is_importlib(file):
            return trace
        trace = trace.tb_next
    return None


def _is_importlib(file: str) -> bool:
    return Path(file).parent.name == "importlib"


def reason(error: BaseException) -> str:
    """The failure's reason: the error in one line, then the frames that lead to it, the last ones if not all
    have room."""
    try:
        text = str(error)
    except Exception:
        text = "it has no text"
    said = f"{type(error).__name__}: {text}".partition("\n")[0]
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    room = LONGEST_REASON - len(said) - 1
    if len(frames.encode()) > room:
        frames = "..." + frames.encode()[-max(0, room - 3) :].decode(errors="ignore") if room > 100 else ""
    return f"{said}\n{frames}" if frames else said
