"""From what a training job needs to the job variables of its work pool, by the pool's own template.

A pool's type decides what its template has, and what is meant by it. Whoever adds variables of these names to
a template has them filled.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from amt_flows.spec import Resources

Written: TypeAlias = Callable[[float], Any]
Names: TypeAlias = Mapping[str, Written]


def _whole(amount: float) -> int:
    return math.ceil(amount)


def _milli(cpus: float) -> str:
    return f"{math.ceil(cpus * 1000)}m"


def _megabytes(gb: float) -> str:
    return f"{math.ceil(gb * 1000)}M"


NAMES: Final[Mapping[str, Names]] = {
    "cpus": {"cpu_request": _milli, "cpu_limit": _milli, "cpus": float, "num_cpus": float},
    "memory_gb": {
        "memory_request": _megabytes,
        "memory_limit": _megabytes,
        "mem_limit": lambda gb: f"{int(gb * 1_000_000_000)}b",
        "memory_gb": float,
    },
    "gpus": {"gpu_limit": _whole, "gpus": _whole, "gpu_count": _whole, "num_gpus": _whole},
}
# ``cpu`` and ``memory`` are in several types' templates, and in each they are something else.
OF_TYPES: Final[Mapping[str, Mapping[str, Names]]] = {
    "ecs": {  # 1,024ths of a CPU, and MiB
        "cpus": {"cpu": lambda cpus: math.ceil(cpus * 1024)},
        "memory_gb": {"memory": lambda gb: math.ceil(gb * 1_000_000_000 / 1024 / 1024)},
    },
    "azure-container-instance": {"cpus": {"cpu": float}, "memory_gb": {"memory": float}},
    "cloud-run": {"cpus": {"cpu": _milli}, "memory_gb": {"memory": _megabytes}},
    "cloud-run-v2": {"cpus": {"cpu": _milli}, "memory_gb": {"memory": _megabytes}},
    "vertex-ai": {"gpus": {"accelerator_count": _whole}},
}
SAY_NOTHING: Final = frozenset({"image", "name", "env", "labels", "command", "namespace"})
"""Of resources, whatever is in them: an image ``train:gpu`` gives nobody a GPU."""
# A variable that somebody gives may say what no name above does: by its own name, or by what is in it.
WHOLE: Final = "machine|instance|flavor|sku|manifest|task_definition"
SAYS: Final[Mapping[str, str]] = {
    "cpus": f"cpu|core|{WHOLE}",
    "memory_gb": f"mem|{WHOLE}",
    "gpus": f"gpu|nvidia|device|accelerator|{WHOLE}",
}


def pool_variables(pool: Mapping[str, Any]) -> frozenset[str]:
    """The job variables that a pool's base job template has."""
    variables = (pool.get("base_job_template") or {}).get("variables") or {}
    return frozenset(variables.get("properties") or ())


def unknown(pool: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    return sorted(set(given) - pool_variables(pool))


def names_of(pool: Mapping[str, Any], field: str) -> Names:
    """The variables by which a pool of its type may be told of one resource, and how each is written."""
    kind = str(pool.get("type") or "").partition(":")[0]  # `ecs:push` has the template of `ecs`
    return {**NAMES.get(field, {field: float}), **OF_TYPES.get(kind, {}).get(field, {})}


def from_resources(
    pool: Mapping[str, Any], need: Resources, given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    """The job variables that say what a training job needs, and what of it no variable says, be it of the
    template or ``given``, with the names that would. What is given is never changed."""
    there = pool_variables(pool)
    told: dict[str, Any] = {}
    untold: dict[str, tuple[str, ...]] = {}
    for field, amount in need.amounts().items():
        names = names_of(pool, field)
        told |= {name: write(amount) for name, write in names.items() if name in there and name not in given}
        said = any(name in there for name in names) or _is_said(field, given)
        if amount and not said:
            untold[field] = tuple(names)
    return told, untold


def _is_said(field: str, given: Mapping[str, Any]) -> bool:
    pattern = SAYS.get(field, re.escape(field.lower()))
    said = {name: value for name, value in given.items() if name not in SAY_NOTHING}
    return re.search(pattern, json.dumps(said, default=str).lower()) is not None
