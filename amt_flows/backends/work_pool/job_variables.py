"""From what a training job needs to the job variables of its work pool, by the pool's own template.

A pool's type decides what its template has; only Docker's has one of its own for memory, and none has one for
GPUs. Whoever adds variables of these names to a template has them filled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from amt_flows.spec import Resources

Written: TypeAlias = Callable[[float], Any]


def _whole(amount: float) -> int:
    return -(-int(amount * 1000) // 1000)


NAMES: Final[Mapping[str, Mapping[str, Written]]] = {
    "cpus": {
        "cpu_request": lambda cpus: f"{int(cpus * 1000)}m",
        "cpu_limit": lambda cpus: f"{int(cpus * 1000)}m",
        "cpus": float,
        "cpu": lambda cpus: int(cpus * 1024),  # ECS counts in 1,024ths
        "num_cpus": float,
    },
    "memory_gb": {
        "memory_request": lambda gb: f"{int(gb * 1000)}M",
        "memory_limit": lambda gb: f"{int(gb * 1000)}M",
        "mem_limit": lambda gb: f"{int(gb * 1_000_000_000)}b",
        "memory": lambda gb: int(gb * 1_000_000_000 / 1024 / 1024),  # ECS: MiB
        "memory_gb": float,
    },
    "gpus": {"gpu_limit": _whole, "gpus": _whole, "gpu": _whole, "gpu_count": _whole, "num_gpus": _whole},
}


def pool_variables(pool: Mapping[str, Any]) -> frozenset[str]:
    """The job variables that a pool's base job template has."""
    variables = (pool.get("base_job_template") or {}).get("variables") or {}
    return frozenset(variables.get("properties") or ())


def unknown(pool: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    return sorted(set(given) - pool_variables(pool))


def from_resources(
    pool: Mapping[str, Any], need: Resources, given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    """The job variables that say what a training job needs, and what of it no variable of the template says,
    with the names that would. What is ``given`` says something itself, and what that is nobody else knows."""
    there = pool_variables(pool)
    told: dict[str, Any] = {}
    untold: dict[str, tuple[str, ...]] = {}
    for field, amount in need.amounts().items():
        names = NAMES.get(field, {field: float})
        found = {name: write(amount) for name, write in names.items() if name in there and name not in given}
        told |= found
        if not found and amount and not given:
            untold[field] = tuple(names)
    return told, untold
