"""Whether training jobs of two tuning jobs at once ever see the same GPU, on a machine with GPUs.

    python benchmarks/gpus.py                # under a minute; NVIDIA's driver, no library beside it
    python benchmarks/gpus.py --pretend 4    # the same without a GPU: what jobs are told, not what they see

Each training job asks the driver itself which GPUs it sees, by their UUIDs, and when it held them. Exit
status 0: no two overlapped, and all GPUs were used.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amt_flows.backends.local.machine import this_machine

SEES = """
import ctypes, json, os, sys, time
def seen():
    if os.environ.get("PRETEND"):
        return os.environ["CUDA_VISIBLE_DEVICES"].split(",")
    cuda = ctypes.CDLL("libcuda.so.1")
    if cuda.cuInit(0):
        sys.exit("the driver can't be started")
    count = ctypes.c_int()
    cuda.cuDeviceGetCount(ctypes.byref(count))
    uuids = []
    for number in range(count.value):
        device, uuid = ctypes.c_int(), (ctypes.c_ubyte * 16)()
        cuda.cuDeviceGet(ctypes.byref(device), number)
        cuda.cuDeviceGetUuid(uuid, device)
        uuids.append(bytes(uuid).hex())
    return uuids
began, gpus = time.time(), seen()
time.sleep(2)
with open(os.environ["SAGEMAKER_BASE_DIR"] + "/seen.json", "w") as file:
    json.dump({"gpus": gpus, "from": began, "to": time.time()}, file)
print(f"gpus={len(gpus)}")
"""


def spec(name: str, gpus: int, jobs: int) -> dict[str, Any]:
    return {
        "name": name,
        "objective": {"metric_name": "gpus"},
        "continuous": [{"name": "x", "min_value": 0, "max_value": 1}],
        "strategy": "Random",
        "limits": {"max_number_of_training_jobs": 6, "max_parallel_training_jobs": jobs},
        "training_job": {
            "command": ["python", "-c", SEES],
            "hyperparameters_as_arguments": False,
            "metric_definitions": [{"name": "gpus", "regex": "gpus=([-+0-9.einfa]+)"}],
            "resources": {"gpus": gpus},
        },
    }


def overlaps(seen: Sequence[dict[str, Any]]) -> list[str]:
    """The GPUs that two training jobs saw at the same time."""
    return [
        gpu
        for i, one in enumerate(seen)
        for other in seen[:i]
        if one["from"] < other["to"] and other["from"] < one["to"]
        for gpu in set(one["gpus"]) & set(other["gpus"])
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pretend", type=int, metavar="N", help="so many GPUs that there aren't")
    pretend = parser.parse_args().pretend
    if pretend:
        os.environ.update(PRETEND="yes", CUDA_VISIBLE_DEVICES=",".join(map(str, range(pretend))))
    there = len(this_machine().gpus)
    if there < 2:
        print(f"This machine has {there} GPUs; it takes two to share them out. Or: --pretend 4")
        return 2
    with tempfile.TemporaryDirectory() as place:
        runs = []
        for name, gpus in (("one", 1), ("two", 2)):
            file = Path(place) / f"{name}.json"
            file.write_text(json.dumps(spec(name, gpus, there)))
            command = [sys.executable, "-m", "amt_flows", "run", str(file), "--home", f"{place}/{name}"]
            runs.append(subprocess.Popen([*command, "--quiet"], stdout=subprocess.DEVNULL))
        failed = sum(run.wait() != 0 for run in runs)
        seen = [json.loads(file.read_text()) for file in Path(place).glob("*/*/jobs/*/seen.json")]
    used = {gpu for one in seen for gpu in one["gpus"]}
    wrong = overlaps(seen)
    print(
        f"{len(seen)} training jobs of 2 tuning jobs on {there} GPUs: {len(used)} used, {len(wrong)} shared."
    )
    return int(bool(failed or wrong or len(used) < there or len(seen) < 12))


if __name__ == "__main__":
    sys.exit(main())
