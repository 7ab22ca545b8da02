"""amt-flows on a Ray cluster of this machine, by its jobs API: a Ray job per training job.
``ours_on_ray.py JOBS LENGTH WORKERS STAMPS``, in the environment of Ray Tune."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray

from amt_flows.backends.attended.backend import AttendedBackend
from amt_flows.backends.places import open_journal
from amt_flows.backends.ray.engine import RayEngine
from amt_flows.errors import CapacityUnavailable
from amt_flows.spec import Resources, TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from benchmarks.peers.training import tell

START_SECONDS = 180.0


@contextmanager
def head(workers: int, place: Path) -> Iterator[RayEngine]:
    """A head of so many CPUs, that ends with the block; ``place`` has its files, so that nobody else finds
    it."""
    port, dashboard = _free_port(), _free_port()
    command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block"]
    command += ["--port", str(port), "--dashboard-port", str(dashboard), "--num-cpus", str(workers)]
    command += ["--temp-dir", str(place)]
    token = secrets.token_hex(32)
    environment = {
        **os.environ,
        "RAY_AUTH_TOKEN": token,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    process = subprocess.Popen(
        [*command, "--disable-usage-stats"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    engine = RayEngine(f"http://127.0.0.1:{dashboard}", {"Authorization": f"Bearer {token}"})
    try:
        give_up_at = time.monotonic() + START_SECONDS
        while True:
            try:
                engine.room(Resources())
                break
            except CapacityUnavailable:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.5)
        yield engine
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def main(jobs: int, length: str, workers: int, stamps: str) -> None:
    script = f'b=$(date +%s.%N); sleep {length}; echo "$b $(date +%s.%N)" > "$1/$$.$b"; echo "score=0.$$;"'
    spec = TuningSpec.parse(
        {
            "name": f"peers-{os.getpid()}",
            "objective": {"metric_name": "score", "type": "Minimize"},
            "continuous": [{"name": "x", "min_value": 0, "max_value": 1}],
            "strategy": "Random",
            "limits": {"max_number_of_training_jobs": jobs, "max_parallel_training_jobs": workers},
            "training_job": {
                "command": ["sh", "-c", script, "sh", stamps],
                "hyperparameters_as_arguments": False,
                "metric_definitions": [{"name": "score", "regex": r"score=([-+0-9.e]+);"}],
            },
        }
    )
    home = Path(stamps).parent / "home"
    with head(workers, home.with_name("ray")) as engine:
        journal = open_journal(spec.name or "", str(home))
        drive(Tuning.open(spec, AttendedBackend(engine, home), journal))
    tell(f"on Ray {ray.__version__}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
