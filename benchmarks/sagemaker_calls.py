"""How many calls to AWS a tuning job makes: per training job, and per poll of so many live jobs.

    python benchmarks/sagemaker_calls.py
    python benchmarks/sagemaker_calls.py --live 10 100 --epochs 20
    python benchmarks/sagemaker_calls.py --live 1000 --per-second 5
    python benchmarks/sagemaker_calls.py --live 10000 --epochs 60
    python benchmarks/sagemaker_calls.py --live 100 --through-http      # the same figures, in more time

The calls are those that the backend makes to the simulated SageMaker in scripted time; nothing is sent
anywhere. Every job trains for ``--epochs`` epochs of a minute, then all of them end. The columns:

- *launch*: calls per job until all of them run;
- *quiet poll*: calls of one poll while no job changes its status, which is most polls; of them the listing
  of changes, which is one however many jobs live, and the reading of logs, which is one per training job up
  to the backend's ``log_calls_per_poll``;
- *end*: calls per job from its last epoch to the report of its end;
- *per job*: all calls by the number of jobs, with the polls of its whole life at the default interval;
- *take-over*: calls per job that a new controller makes to know all jobs again, values included;
- *longest poll*: in seconds, when each call takes ``--seconds-per-call``; the shortest interval between two
  polls is two thirds of the usual one;
- *refused*: calls refused as too many, with ``--per-second``: so many are let through, of all operations
  together, after a burst of four seconds' worth.

AWS publishes neither how long a call takes nor a rate for SageMaker's control plane: a tenth of a second, and
any rate, are assumptions.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.config import Config
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from amt_flows.backends.sagemaker import SageMakerBackend
from amt_flows.errors import CapacityUnavailable
from amt_flows.ports import JobRequest, JobState
from amt_flows.spec import TrainingJobTemplate
from amt_flows.testing.sagemaker import SimulatedSageMaker
from amt_flows.testing.sagemaker.scripts import JobScript
from amt_flows.testing.sagemaker.throttling import TokenBucket
from benchmarks.direct_calls import direct_calls

REGION = "eu-west-1"
TUNING_JOB = "benchmark"
LOGS = ("DescribeLogStreams", "GetLogEvents")
POLL_SECONDS = 20.0
QUIET_POLLS = 5
TEMPLATE = TrainingJobTemplate(
    sagemaker={
        "RoleArn": "arn:aws:iam::123456789012:role/trainer",
        "AlgorithmSpecification": {"TrainingImage": "mine:1", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    }
)


@dataclass(frozen=True)
class Row:
    """What one size cost. Calls."""

    live: int
    launch: float
    quiet_list: float
    quiet_logs: float
    end: float
    per_job: float
    take_over: float
    longest_poll: float
    refused: int

    @property
    def quiet(self) -> float:
        return self.quiet_list + self.quiet_logs


def session() -> Any:
    import boto3

    return boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name=REGION)


def backend_of(world: SimulatedSageMaker) -> SageMakerBackend:
    return SageMakerBackend(
        session(),
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
        poll_seconds=POLL_SECONDS,
        clock=world.clock,
        sleep=world.sleep,
        seed=0,
    )


def request(trial: int) -> JobRequest:
    return JobRequest(
        name=f"{TUNING_JOB}-{trial:03d}-{trial:08x}",
        tuning_job=TUNING_JOB,
        trial=trial,
        attempt=1,
        hyperparameters={"rate": str(trial)},
        fingerprint="f" * 64,
        template=TEMPLATE,
        objective_metric="accuracy",
    )


@dataclass
class Poller:
    """Waits for each poll that is due, and makes it."""

    world: SimulatedSageMaker
    backend: SageMakerBackend
    names: Sequence[str]
    longest: float = 0.0

    def __call__(self) -> list[JobState]:
        self.backend.wait(10 * POLL_SECONDS)
        began = self.world.clock.now()
        states = [report.state for report in self.backend.poll(TUNING_JOB, self.names)]
        self.longest = max(self.longest, self.world.clock.now() - began)
        return states


def launch(world: SimulatedSageMaker, backend: SageMakerBackend, trial: int) -> None:
    while True:
        try:
            backend.launch(request(trial))
        except CapacityUnavailable:
            world.sleep(5.0)
        else:
            return


def spent(world: SimulatedSageMaker, before: Mapping[str, int]) -> Counter[str]:
    return Counter(world.calls) - Counter(before)


def measure(
    live: int, epochs: int, seconds_per_call: float, per_second: float | None, *, through_http: bool = False
) -> Row:
    # They start slowly, so that the last is launched before the first trains.
    each = 0.3 + 2 * max(seconds_per_call, 0.0 if per_second is None else 1 / per_second)
    script = JobScript([0.5] * epochs, seconds_per_epoch=60.0, starting_seconds=60.0 + each * live)
    limit = {} if per_second is None else {"*": TokenBucket(per_second, max(1, int(4 * per_second)))}
    with (
        SimulatedSageMaker(script, tick_seconds=seconds_per_call, throttles=limit) as world,
        nullcontext() if through_http else direct_calls(world, REGION),
    ):
        backend = backend_of(world)
        for trial in range(1, live + 1):
            launch(world, backend, trial)
        names = [request(trial).name for trial in range(1, live + 1)]
        poll_once = Poller(world, backend, names)
        states = poll_once()
        while any(state is not JobState.RUNNING for state in states):
            if any(state.terminal for state in states):
                raise SystemExit(f"The first of {live} jobs end before the last begins: give more --epochs.")
            states = poll_once()
        launched = spent(world, {}).total()
        # The changes of the start fall out of what is listed again and again after five minutes.
        quiet_from = world.clock.now() + 330
        while world.clock.now() < quiet_from:
            poll_once()
        before = Counter(world.calls)
        for _ in range(QUIET_POLLS):
            poll_once()
        quiet = spent(world, before)
        taken = take_over(world, names)
        while world.clock.now() < min(job.created_at for job in world.jobs) + 60 * epochs:
            poll_once()
        before = Counter(world.calls)
        world.run()
        while not all(state.terminal for state in poll_once()):
            pass
        end = spent(world, before).total()
        total = world.calls.total() - taken
    logs = sum(quiet[name] for name in LOGS)
    return Row(
        live,
        launched / live,
        (quiet.total() - logs) / QUIET_POLLS,
        logs / QUIET_POLLS,
        end / live,
        total / live,
        taken / live,
        poll_once.longest,
        sum(world.refused.values()),
    )


def take_over(world: SimulatedSageMaker, names: Sequence[str]) -> int:
    """What a successor calls until it knows every job's values."""
    before = Counter(world.calls)
    successor = backend_of(world)
    successor.find(TUNING_JOB)
    known: set[str] = set()
    while known != set(names):
        known |= {report.name for report in successor.poll(TUNING_JOB, names) if report.points}
        successor.wait(10 * POLL_SECONDS)
    return spent(world, before).total()


def show(rows: Sequence[Row], epochs: int) -> None:
    table = Table(title=f"Calls to AWS; {epochs} epochs of a minute, a poll every {POLL_SECONDS:.0f} s")
    for column in (
        "live",
        "launch",
        "quiet poll",
        "listing",
        "logs",
        "end",
        "per job",
        "take-over",
        "longest poll",
        "refused",
    ):
        table.add_column(column, justify="right")
    for row in rows:
        numbers = (row.launch, row.quiet, row.quiet_list, row.quiet_logs, row.end, row.per_job, row.take_over)
        figures = (*(f"{number:.1f}" for number in numbers), f"{row.longest_poll:.1f} s", str(row.refused))
        table.add_row(str(row.live), *figures)
    Console(width=140).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the calls to AWS.")
    parser.add_argument("--live", type=int, nargs="+", default=[10, 100, 1000], help="numbers of live jobs")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seconds-per-call", type=float, default=0.1)
    parser.add_argument("--per-second", type=float, help="calls that are let through; the others are refused")
    parser.add_argument("--through-http", action="store_true", help="make each call as boto3 does")
    logging.getLogger("amt_flows").setLevel(logging.ERROR)  # refused calls are what is measured
    words = parser.parse_args()
    rate = words.per_second
    rows = [
        measure(live, words.epochs, words.seconds_per_call, rate, through_http=words.through_http)
        for live in words.live
    ]
    show(rows, words.epochs)


if __name__ == "__main__":
    main()
