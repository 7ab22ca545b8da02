"""What this machine has for training jobs: GPUs, CPUs, memory, and what its owner says it has beside.

GPUs are those of ``AMT_FLOWS_GPUS`` (the command line's ``--gpus``), else those that ``CUDA_VISIBLE_DEVICES``
names, else those that a driver lists: NVIDIA's, or AMD's.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Final

from amt_flows.errors import BackendError
from amt_flows.spec import Resources

GPUS: Final = "AMT_FLOWS_GPUS"
CUSTOM: Final = "AMT_FLOWS_RESOURCES"
NVIDIA_VARIABLE: Final = "CUDA_VISIBLE_DEVICES"
AMD_VARIABLE: Final = "HIP_VISIBLE_DEVICES"
GPU: Final = re.compile(r"[0-9]+|(?:GPU|MIG)-[\w/.-]+")
"""A number, or a UUID or its beginning."""
GB: Final = 1_000_000_000
NEARLY: Final = 1e-9
"""Ten tenths of a GPU are a whole one, whatever floating point says."""


@dataclass(frozen=True)
class Machine:
    """Its parts. ``gpus`` are named as ``CUDA_VISIBLE_DEVICES`` takes them; ``memory_gb`` is None where the
    system doesn't tell; ``variable`` is how a process is told which GPUs it sees."""

    gpus: tuple[str, ...] = ()
    cpus: float = 1.0
    memory_gb: float | None = None
    custom: Mapping[str, float] = field(default_factory=dict)
    variable: str = NVIDIA_VARIABLE

    def __str__(self) -> str:
        amounts = [f"{len(self.gpus)} GPU{'s' * (len(self.gpus) != 1)}", f"{self.cpus:g} CPUs"]
        if self.memory_gb is not None:
            amounts.append(f"{self.memory_gb:.3g} GB of memory")
        return ", ".join([*amounts, *(f"{amount:g} {name}" for name, amount in self.custom.items())])

    def most_at_once(self, need: Resources) -> int | None:
        """How many training jobs of this need have room at once; None: as many as you like."""
        most = [_gpu_jobs(len(self.gpus), need.gpus)]
        most.append(_times(self.cpus, need.cpus))
        most.append(None if self.memory_gb is None else _times(self.memory_gb, need.memory_gb))
        most += [_times(self.custom.get(name, 0.0), amount) for name, amount in need.custom.items()]
        bounds = [one for one in most if one is not None]
        return min(bounds, default=None)

    def lacks(self, need: Resources) -> list[tuple[str, float, str]]:
        """What no training job of this need will ever find here: the field, what is asked, and what there
        is."""
        found: list[tuple[str, float, str]] = []
        if need.gpus and _gpu_jobs(len(self.gpus), need.gpus) == 0:
            found.append(("gpus", need.gpus, _gpus_in_words(self.gpus)))
        if need.cpus and need.cpus > self.cpus + NEARLY:
            found.append(("cpus", need.cpus, f"this machine has {self.cpus:g}"))
        if need.memory_gb and self.memory_gb is not None and need.memory_gb > self.memory_gb:
            found.append(("memory_gb", need.memory_gb, f"this machine has {self.memory_gb:.3g} GB"))
        for name, amount in need.custom.items():
            there = self.custom.get(name, 0.0)
            if amount > there + NEARLY:
                what = f"this machine has {there:g}; say how many there are: {CUSTOM}={name}={amount:g}"
                found.append((f"custom.{name}", amount, what))
        return found


def _gpus_in_words(gpus: tuple[str, ...]) -> str:
    if not gpus:
        return f"this machine has none; name them with --gpus, {GPUS} or {NVIDIA_VARIABLE} if it has"
    return f"this machine has {len(gpus)} ({', '.join(gpus)})"


def _gpu_jobs(gpus: int, each: float | None) -> int | None:
    if not each:
        return None
    return gpus * int(1 / each + NEARLY) if each < 1 else gpus // round(each)


def _times(there: float, each: float | None) -> int | None:
    return None if not each else int(there / each + NEARLY)


def this_machine(environment: Mapping[str, str] | None = None) -> Machine:
    """What there is here, by the variables of ``environment`` (without it, this process's).

    Raises BackendError for variables that can't be read.
    """
    given = os.environ if environment is None else environment
    amd = _amd_gpus()
    nvidia = _nvidia_gpus()
    listed = nvidia or amd
    if GPUS in given:
        gpus = _asked_for(given[GPUS], listed)
    else:
        named = given.get(NVIDIA_VARIABLE)
        if named is None and not nvidia and amd:
            named = given.get(AMD_VARIABLE)
        gpus = listed if named is None else _once(named, _seen(named))
    variable = AMD_VARIABLE if amd and not nvidia else NVIDIA_VARIABLE
    return Machine(gpus, _cpus(), _memory_gb(), _custom(given.get(CUSTOM, "")), variable)


def _asked_for(text: str, listed: tuple[str, ...]) -> tuple[str, ...]:
    """Of our own option: a name that CUDA would not know would leave its job without a GPU, and unsaid."""
    word = text.strip().lower()
    if word in ("all", "none"):
        return listed if word == "all" else ()
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    wrong = [name for name in names if not GPU.fullmatch(name)]
    beyond = [name for name in names if listed and name.isdigit() and name not in listed]
    if wrong or beyond:
        there = f"the driver lists {', '.join(listed)}" if beyond else "a GPU has a number, or a UUID"
        raise BackendError(
            f"The list of GPUs {text!r} names {(wrong or beyond)[0]!r}, which is none.",
            because=there,
            remedy="give numbers or UUIDs, as CUDA_VISIBLE_DEVICES does: --gpus 0,1; or all, or none",
        )
    return _once(text, names)


def _seen(text: str) -> Iterator[str]:
    """As CUDA reads it: up to the first that is none, such as ``-1`` or ``NoDevFiles``."""
    return takewhile(GPU.fullmatch, (part.strip() for part in text.split(",")))


def _once(text: str, names: Iterable[str]) -> tuple[str, ...]:
    once = tuple(names)
    if len(set(once)) < len(once):
        raise BackendError(
            f"The list of GPUs {text!r} names one twice.",
            remedy="give each once, e.g. --gpus 0,1; parts of one are asked for in training_job.resources",
        )
    return once


def _nvidia_gpus(devices: Path = Path("/dev")) -> tuple[str, ...]:
    """CUDA counts what it sees, from 0; a container that is given ``/dev/nvidia3`` alone calls it 0."""
    return tuple(map(str, range(len(list(devices.glob("nvidia[0-9]*"))))))


def _amd_gpus(nodes: Path = Path("/sys/class/kfd/kfd/topology/nodes")) -> tuple[str, ...]:
    """AMD's driver lists CPUs among its nodes; what has SIMD units is a GPU."""
    count = 0
    for properties in nodes.glob("*/properties"):
        try:
            words = dict(
                line.split(maxsplit=1) for line in properties.read_text().splitlines() if " " in line
            )
        except OSError:
            continue
        count += int(words.get("simd_count", "0")) > 0
    return tuple(map(str, range(count)))


def _cpus() -> float:
    if hasattr(os, "sched_getaffinity"):
        return float(len(os.sched_getaffinity(0)))
    return float(os.cpu_count() or 1)


def _memory_gb() -> float | None:
    """The machine's, or what a container may use of it."""
    amounts: list[int] = []
    try:
        amounts.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError, AttributeError):
        return None
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(limit).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            amounts.append(int(text))
    return min(amounts) / GB


def _custom(text: str) -> Mapping[str, float]:
    """``licence=2,port=1``."""
    amounts: dict[str, float] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, number = part.partition("=")
        try:
            amount = float(number)
        except ValueError:
            amount = math.nan
        if not name.strip() or not math.isfinite(amount) or amount < 0:
            raise BackendError(
                f"${CUSTOM} is {text!r}, and {part!r} in it can't be read.",
                remedy=f"write names with numbers, e.g. {CUSTOM}=licence=2,port=1",
            )
        amounts[name.strip()] = amount
    return amounts


@cache
def gpu_keys() -> Mapping[str, str]:
    """From the numbers of NVIDIA's GPUs to names that are the same for everybody on this machine; empty where
    the driver can't be asked. One flow may say ``0`` and another the GPU's UUID."""
    if not _nvidia_gpus():
        return {}
    query = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = (line.split(",") for line in answer.splitlines() if line.count(",") == 1)
    return {index.strip(): uuid.strip() for index, uuid in rows}
