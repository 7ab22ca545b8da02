"""The kinds of chaos, and running them until their number, or their time, is up."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from amt_flows.testing.chaos.report import Failure, Part
from amt_flows.testing.chaos.simulation import Tell, Told, run_schedule

SCENES_AT_ONCE = 3

Run = Callable[[str, Tell], Told]
"""Plays what a run is called, which is its seed, or a scene and its seed."""


@dataclass(frozen=True)
class Kind:
    """``runs`` is what one is called after the other, from a first seed on; ``usual`` how many make a check
    that is worth it in some twenty seconds; ``missing`` says why it can't be played here."""

    name: str
    title: str
    usual: int
    runs: Callable[[int], Iterator[str]]
    play: Run
    at_once: int = 1
    missing: str = ""


def kinds() -> dict[str, Kind]:
    """By their names on the command line."""
    every = (
        Kind("simulated", "simulated", 500, _seeds, lambda run, tell: run_schedule(int(run), tell)),
        Kind("sagemaker", "SageMaker and S3", 10, _seeds, _play_cloud, missing=_no_simulator()),
        Kind("real", "real processes", len(_scenes()), _acts, _play_scene, SCENES_AT_ONCE, _no_processes()),
    )
    return {kind.name: kind for kind in every}


def run_kind(kind: Kind, *, first: int, number: int | None, seconds: float | None, tell: Tell) -> Part:
    """Play so many runs, or for so long, from a first seed on."""
    part, began = Part(kind.name, kind.title), time.monotonic()
    runs: Iterable[str] = itertools.islice(kind.runs(first), number)
    if seconds is not None:
        runs = itertools.takewhile(lambda _: time.monotonic() - began < seconds, runs)
    for run, told in _played(kind, iter(runs)):
        _add(part, run, told)
        for failure in part.failures[-len(told.violations) :] if told.violations else ():
            tell(str(failure))
    part.seconds = time.monotonic() - began
    return part


def _played(kind: Kind, runs: Iterator[str]) -> Iterator[tuple[str, Told]]:
    if kind.at_once == 1:
        yield from ((run, kind.play(run, _nobody)) for run in runs)
        return
    with ThreadPoolExecutor(kind.at_once) as pool:
        while some := list(itertools.islice(runs, kind.at_once)):
            yield from zip(some, pool.map(lambda run: kind.play(run, _nobody), some), strict=True)


def _add(part: Part, run: str, told: Told) -> None:
    part.runs += 1
    part.controllers += told.controllers
    part.launched += told.launched
    part.faults += told.faults
    part.failures += [Failure(part.kind, run, one.promise, one.seen) for one in told.violations]


def _nobody(line: str) -> None:
    return None


def _seeds(first: int) -> Iterator[str]:
    return map(str, itertools.count(first))


def _acts(first: int) -> Iterator[str]:
    return (f"{scene}:{seed}" for seed in itertools.count(first) for scene in _scenes())


def _scenes() -> list[str]:
    if _no_processes():
        return []
    from amt_flows.testing.chaos.kills import SCENES, cannot_play

    return [scene for scene in SCENES if not cannot_play(scene)]


def _play_scene(run: str, tell: Tell) -> Told:
    from amt_flows.testing.chaos.kills import SCENES, play_scene

    scene, _, seed = run.partition(":")
    if scene not in SCENES:
        raise ValueError(f"there is no scene {scene!r}; there are {', '.join(SCENES)}")
    return play_scene(scene, int(seed or 0), tell)


def _play_cloud(run: str, tell: Tell) -> Told:
    from amt_flows.testing.chaos.cloud import run_cloud_schedule

    return run_cloud_schedule(int(run), tell)


def _no_simulator() -> str:
    try:
        import amt_flows.testing.sagemaker  # noqa: F401
    except ImportError as error:
        return str(error)
    return ""


def _no_processes() -> str:
    return (
        "" if Path("/proc/self/environ").exists() else "it reads the table of processes in /proc, as on Linux"
    )


def hush() -> None:
    """Keep the package's warnings, of which there are thousands here, off the terminal."""
    logging.getLogger("amt_flows").addHandler(logging.NullHandler())
