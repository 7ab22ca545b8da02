"""The kinds of chaos, and running them until their number, or their time, is up."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from amt_flows.testing.chaos.report import Failure, Part
from amt_flows.testing.chaos.simulation import Tell, Told, run_schedule
from amt_flows.testing.chaos.surroundings import Surroundings, missing, surroundings

SCENES_AT_ONCE = 3

Run = Callable[[str, Tell], Told]
"""Plays what a run is called, which is its seed, or a scene and its seed."""


@dataclass(frozen=True)
class Kind:
    """``runs`` is what one is called after the other, from a first seed on; ``usual`` how many make a check
    that is worth it; ``missing`` says why it can't be played here. ``opened`` has all around it, which lasts
    until the last run has been played. One that is no ``default`` is played when it is asked for."""

    name: str
    title: str
    usual: int
    runs: Callable[[int], Iterator[str]]
    opened: Callable[[], AbstractContextManager[Run]]
    at_once: int = 1
    missing: str = ""
    default: bool = True


def kinds() -> dict[str, Kind]:
    """By their names on the command line."""
    simulated: Run = lambda run, tell: run_schedule(int(run), tell)  # noqa: E731
    every = (
        Kind("simulated", "simulated", 500, _seeds, lambda: nullcontext(simulated)),
        Kind("engines", "Ray and work pools", 60, _seeds, lambda: nullcontext(_play_engine)),
        Kind(
            "sagemaker",
            "SageMaker and S3",
            10,
            _seeds,
            lambda: nullcontext(_play_cloud),
            missing=missing(as_flow=False, in_s3=True),
        ),
        _real("real", "real processes"),
        _real("flow", "as Prefect flows", as_flow=True),
        _real("s3", "records in S3", in_s3=True),
        _real("flow-s3", "flows, records in S3", as_flow=True, in_s3=True),
    )
    return {kind.name: kind for kind in every}


def _real(name: str, title: str, *, as_flow: bool = False, in_s3: bool = False) -> Kind:
    plain = not as_flow and not in_s3

    @contextmanager
    def opened() -> Iterator[Run]:
        with surroundings(as_flow=as_flow, in_s3=in_s3) as around:
            yield lambda run, tell: _play_scene(run, tell, around)

    def runs(first: int) -> Iterator[str]:
        return (f"{scene}:{seed}" for seed in itertools.count(first) for scene in _scenes(telling=not plain))

    return Kind(
        name,
        title,
        len(_scenes(telling=not plain)),
        runs,
        opened,
        SCENES_AT_ONCE,
        _no_processes() or missing(as_flow=as_flow, in_s3=in_s3),
        default=plain,
    )


def run_kind(kind: Kind, *, first: int, number: int | None, seconds: float | None, tell: Tell) -> Part:
    """Play so many runs, or for so long, from a first seed on."""
    part, began = Part(kind.name, kind.title), time.monotonic()
    runs: Iterable[str] = itertools.islice(kind.runs(first), number)
    if seconds is not None:
        runs = itertools.takewhile(lambda _: time.monotonic() - began < seconds, runs)
    with kind.opened() as play:
        for run, told in _played(play, iter(runs), kind.at_once):
            _add(part, run, told)
            for failure in part.failures[-len(told.violations) :] if told.violations else ():
                tell(str(failure))
    part.seconds = time.monotonic() - began
    return part


def _played(play: Run, runs: Iterator[str], at_once: int) -> Iterator[tuple[str, Told]]:
    if at_once == 1:
        yield from ((run, play(run, _nobody)) for run in runs)
        return
    with ThreadPoolExecutor(at_once) as pool:
        while some := list(itertools.islice(runs, at_once)):
            yield from zip(some, pool.map(lambda run: play(run, _nobody), some), strict=True)


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


def _scenes(*, telling: bool) -> list[str]:
    if _no_processes():
        return []
    from amt_flows.testing.chaos.kills import SCENES, TELLING, cannot_play

    return [scene for scene in (TELLING if telling else SCENES) if not cannot_play(scene)]


def _play_scene(run: str, tell: Tell, around: Surroundings) -> Told:
    from amt_flows.testing.chaos.kills import SCENES, play_scene

    scene, _, seed = run.partition(":")
    if scene not in SCENES:
        raise ValueError(f"there is no scene {scene!r}; there are {', '.join(SCENES)}")
    return play_scene(scene, int(seed or 0), tell, around)


def _play_engine(run: str, tell: Tell) -> Told:
    from amt_flows.testing.chaos.engines import run_engine_schedule

    return run_engine_schedule(int(run), tell)


def _play_cloud(run: str, tell: Tell) -> Told:
    from amt_flows.testing.chaos.cloud import run_cloud_schedule

    return run_cloud_schedule(int(run), tell)


def _no_processes() -> str:
    return (
        "" if Path("/proc/self/environ").exists() else "it reads the table of processes in /proc, as on Linux"
    )


def hush() -> None:
    """Keep the package's warnings, of which there are thousands here, off the terminal."""
    logging.getLogger("amt_flows").addHandler(logging.NullHandler())
