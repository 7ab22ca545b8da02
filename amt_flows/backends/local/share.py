"""What a training job is told of its share of the machine, by variables of its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final

from amt_flows.backends.local.machine import NVIDIA_VARIABLE
from amt_flows.spec import TrainingJobTemplate

THREADS: Final = (
    "OMP_NUM_THREADS",  # PyTorch and most of what is compiled heeds it
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def share_variables(
    template: TrainingJobTemplate,
    gpus: Sequence[str],
    variable: str,
    *,
    inherited: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """The variables beside those of every training job. ``gpus``: the names of those that it sees; with
    ``variable`` they are named. Thread counts that somebody set stay as they are."""
    need = template.resources
    told: dict[str, str] = {}
    if need.gpus is not None:
        # ROCm heeds NVIDIA's variable too, and frameworks read no other.
        told = {NVIDIA_VARIABLE: ",".join(gpus), variable: ",".join(gpus), "SM_NUM_GPUS": str(len(gpus))}
    if need.cpus is not None:
        threads = str(max(1, int(need.cpus)))
        told["SM_NUM_CPUS"] = threads
        told |= {name: threads for name in THREADS if name not in {*inherited, *template.environment}}
    return told
