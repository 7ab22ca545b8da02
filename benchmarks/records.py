"""What the record of a tuning job takes, and how long it takes to open one.

    python benchmarks/records.py [--jobs 1000 10000] [--only disk,s3,commands]

A tuning job with Auto early stopping, 100 parallel jobs and 20 epochs is driven on a virtual clock, and its
record is written to a home in a scratch directory as always, but without waiting for the disk. Then:

- *record*: bytes a training job, in how many files;
- *disk*: seconds to read and fold it, and the memory of the process that does only that;
- *S3*: the same entries in a simulated S3 that takes ``--latency`` seconds for each answer: seconds and
  requests to open it, and objects and bytes a training job;
- *commands*: seconds of ``amt-flows status``, ``jobs`` and ``report``, each in a process of its own and with
  its imports, and of ``amt-flows --version``, which has nothing but these.

On a busy machine, compare the seconds of CPU.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from amt_flows.backends.places import open_journal
from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.ledger.journals.s3 import S3Journal
from amt_flows.ledger.ledger import Ledger
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from benchmarks.growth import CASES, scripts_of

EPOCHS: Final = 20
NAME: Final = "growth"
COMMANDS: Final = (["--version"], ["status", NAME], ["jobs", NAME], ["report", NAME, "-o", os.devnull])
ALONE: Final = """
import sys, time
from amt_flows.ledger.record import load_ledger
from amt_flows.backends.places import open_journal
began, cpu = time.perf_counter(), time.process_time()
ledger = load_ledger(open_journal(sys.argv[2], sys.argv[1]), sys.argv[2])
highest = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(time.perf_counter() - began, time.process_time() - cpu, int(highest) / 1024)
"""


class DistantS3:
    """Objects in memory, with pages of 1,000 keys as S3 has, and a wait before each answer."""

    def __init__(self) -> None:
        self.latency, self.requests = 0.0, 0
        self.objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def _answer(self) -> None:
        with self._lock:
            self.requests += 1
        time.sleep(self.latency)

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803
        self._answer()
        self.objects[Key] = Body
        return {}

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        self._answer()
        return {"Body": io.BytesIO(self.objects[Key])}

    def list_objects_v2(self, **asked: Any) -> dict[str, Any]:
        self._answer()
        prefix, after = asked["Prefix"], asked.get("ContinuationToken", asked.get("StartAfter", ""))
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        if "Delimiter" in asked:
            keys = [key for key in keys if asked["Delimiter"] not in key[len(prefix) :]]
        page = keys[:1000]
        more = {"NextContinuationToken": page[-1]} if len(keys) > 1000 else {}
        return {"Contents": [{"Key": key} for key in page], **more}


def written(home: Path, jobs: int) -> None:
    """A tuning job of so many jobs, in ``home``."""
    spec = CASES["auto"](jobs)
    backend = SimulatedBackend(VirtualClock(), scripts_of(EPOCHS))
    with mock.patch("os.fsync"):
        drive(Tuning.open(spec, backend, open_journal(NAME, home), clock=backend.clock))


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def on_disk(home: Path, jobs: int) -> None:
    files = [path.stat() for path in (home / NAME / "journal").iterdir()]
    blocks = 512 * sum(file.st_blocks for file in files)
    print(
        f"  record: {sum(file.st_size for file in files) / jobs:,.0f} bytes a training job "
        f"({blocks / jobs:,.0f} with the file system's blocks), {len(files):,} files"
    )
    told = subprocess.run([sys.executable, "-c", ALONE, home, NAME], capture_output=True, check=True).stdout
    wall, cpu, memory = map(float, told.split())
    print(f"  disk: opened in {wall:.2f} s ({cpu:.2f} s of CPU), {memory:.0f} MiB resident")


def in_s3(home: Path, jobs: int, latency: float) -> None:
    client = DistantS3()
    copy = S3Journal(f"s3://bucket/{NAME}/journal", client)
    for index, events in enumerate(open_journal(NAME, home).read()):
        copy.append(index, events)
    size = sum(map(len, client.objects.values()))
    client.latency, client.requests = latency, 0
    journal = S3Journal(copy.location, client)
    cpu = time.process_time()
    seconds = timed(lambda: Ledger.replay(journal.read()))
    print(
        f"  S3 at {1000 * latency:.0f} ms: opened in {seconds:.2f} s by {client.requests:,} requests "
        f"({time.process_time() - cpu:.2f} s of CPU); "
        f"{len(client.objects):,} objects, {size / jobs:,.0f} bytes a training job"
    )


def commands(home: Path) -> None:
    environment = {**os.environ, "AMT_FLOWS_HOME": str(home)}
    for words in COMMANDS:
        asked = [sys.executable, "-m", "amt_flows", *words]
        before, began = os.times(), time.perf_counter()
        subprocess.run(asked, env=environment, check=True, capture_output=True)
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        print(f"  amt-flows {words[0]}: {time.perf_counter() - began:.2f} s ({cpu:.2f} s of CPU)")


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--only", default="disk,s3,commands")
    parser.add_argument("--latency", type=float, default=0.02, help="seconds")
    asked = parser.parse_args(words)
    for jobs in asked.jobs:
        with tempfile.TemporaryDirectory() as directory:
            home = Path(directory)
            print(f"{jobs:,} jobs of {EPOCHS} epochs: driven in {timed(lambda: written(home, jobs)):.0f} s")  # noqa: B023
            if "disk" in asked.only:
                on_disk(home, jobs)
            if "s3" in asked.only:
                in_s3(home, jobs, asked.latency)
            if "commands" in asked.only:
                commands(home)


if __name__ == "__main__":
    main()
