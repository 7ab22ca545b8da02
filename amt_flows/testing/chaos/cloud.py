"""The same schedules on the simulated SageMaker and S3, with the trouble of a cloud: throttling, a small
quota, answers that lag, interrupted spot instances, expired credentials, writes in conflict or unanswered."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from moto.s3.models import s3_backends

from amt_flows.backends.sagemaker import SageMakerBackend
from amt_flows.backends.sagemaker.states import is_infrastructure, state_of
from amt_flows.events import Event
from amt_flows.ledger.journals.entries import entry_index, events_of
from amt_flows.ledger.journals.s3 import STOP_NOTE, S3Journal
from amt_flows.ledger.names import parse_training_job_name
from amt_flows.ports import Backend, JobState, Journal
from amt_flows.spec import TuningSpec
from amt_flows.testing.chaos.faults import Fault
from amt_flows.testing.chaos.journals import SEALED_AT_A_TIME
from amt_flows.testing.chaos.plan import METRIC, Plan
from amt_flows.testing.chaos.simulation import Tell, Told, play
from amt_flows.testing.chaos.truth import Sleep, TrueJob
from amt_flows.testing.chaos.world import World
from amt_flows.testing.sagemaker import (
    Chance,
    End,
    JobScript,
    Lags,
    Quotas,
    Refusal,
    SimulatedSageMaker,
    expired_credentials,
)

REGION = "eu-west-1"
ACCOUNT = "123456789012"
BUCKET, FOLDER = "chaos", "tunings/chaos"
KINDS = (
    Fault.KILLED,
    Fault.KILLED,
    Fault.ANSWER_LOST,
    Fault.INTERRUPTED,
    Fault.FROZEN,
    Fault.RIVAL,
    Fault.USER_STOP,
    Fault.CLOCK_AHEAD,
    Fault.CLOCK_BACK,
    Fault.EXPIRED,
    Fault.EXPIRED,
)
REFUSALS = {
    "ThrottlingException": Fault.THROTTLED,
    "ResourceLimitExceeded": Fault.NO_CAPACITY,
    "ConditionalRequestConflict": Fault.CONFLICT,
}
# A fault is one of ours to try again, not one that botocore waits out in real time.
ONE_ATTEMPT = Config(retries={"total_max_attempts": 1, "mode": "standard"})


def run_cloud_schedule(seed: int, tell: Tell = lambda line: None) -> Told:
    """Play a seed's schedule on the simulated SageMaker, with the record in S3."""
    plan = cloud_plan_of(seed)
    faults: Counter[Fault] = Counter()
    quota = max(1, plan.spec.limits.max_parallel_training_jobs // 2)
    sagemaker = SimulatedSageMaker(
        lambda hyperparameters: _script(plan, hyperparameters),
        throttles={"*": Chance(0.3)},
        quotas=Quotas(spot_by_type={"ml.m5.large": quota}),
        lags=Lags(log_seconds=15, describe_polls=1, final_metric_polls=2, search_seconds=20),
        seed=seed,
    )
    with sagemaker:
        s3 = s3_backends[ACCOUNT]["aws"]
        s3.create_bucket(BUCKET, REGION)
        sagemaker.inject("PutObject", _conflict(), rate=0.05)
        truth = CloudJobs(sagemaker)
        client = _LosesAnswers(random.Random(f"S3 {seed}"), faults)

        def journal(sleep: Sleep) -> Journal:
            place = f"s3://{BUCKET}/{FOLDER}"
            return S3Journal(
                place,
                client,
                readers=1,
                segment_entries=SEALED_AT_A_TIME,
                monotonic=sagemaker.clock.now,
                sleep=sleep,
            )

        chance = random.Random(f"faults {seed}")
        told = play(World(plan, chance, truth, _InMoto(s3), faults, tell), journal)
        faults_of_cloud = Counter({Fault.SPOT.value: truth.interruptions()})
        for (_, code), count in sagemaker.refused.items():
            if code in REFUSALS:
                faults_of_cloud[REFUSALS[code].value] += count
    return Told(told.seed, told.faults + faults_of_cloud, told.launched, told.controllers, told.violations)


def cloud_plan_of(seed: int) -> Plan:
    chance = random.Random(f"cloud plan {seed}")
    some = chance.random() < 0.5
    return Plan(
        seed=seed,
        spec=_spec(seed, chance),
        kinds=tuple(kind for kind in KINDS if not some or chance.random() < 0.6) or (Fault.KILLED,),
        faults=chance.choice((3, 6, 12)),
        rate=chance.choice((0.02, 0.05, 0.1)),
        capacity=None,
        on_disk=False,
        machines_break=chance.random() < 0.6,
        seconds_per_epoch=30.0,
    )


def _spec(seed: int, chance: random.Random) -> TuningSpec:
    return TuningSpec(
        name="chaos",
        seed=seed,
        objective={"metric_name": METRIC},
        strategy="Random",
        continuous=[{"name": "x", "min_value": 0.001, "max_value": 1.0}],
        limits={
            "max_parallel_training_jobs": chance.choice((2, 4)),
            "max_number_of_training_jobs": chance.randint(3, 8),
            "max_runtime_seconds": chance.choice((None, None, 1800)),
            "max_cost": chance.choice((None, 3.0)),
        },
        early_stopping={"type": chance.choice(("Off", "Auto")), "min_jobs": 2},
        training_job={
            "price_per_hour": 3.6,
            "max_runtime_seconds": 900,
            "sagemaker": {
                "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/trainer",
                "AlgorithmSpecification": {
                    "TrainingImage": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mine:1",
                    "TrainingInputMode": "File",
                },
                "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
                "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
                "StoppingCondition": {"MaxWaitTimeInSeconds": 1800},
                "EnableManagedSpotTraining": True,
            },
        },
    )


def _script(plan: Plan, hyperparameters: Mapping[str, str]) -> JobScript:
    fate = random.Random(f"{plan.seed} {hyperparameters['x']}")
    kind, length = fate.random(), fate.randint(2, 6)
    end = End.FAIL if kind < 0.1 else End.HANG if kind < 0.15 else End.COMPLETE
    if kind > 0.85 and plan.machines_break:
        end = fate.choice((End.CAPACITY_ERROR, End.INTERNAL_ERROR))
    return JobScript(
        [round(fate.random(), 4) for _ in range(length)],
        seconds_per_epoch=fate.uniform(20, 40),
        starting_seconds=fate.uniform(30, 90),
        end=end,
        stopping_seconds=fate.uniform(0, 100),
        interruptions=(fate.randint(1, length - 1),),
    )


class CloudJobs:
    """Training jobs of the simulated SageMaker."""

    def __init__(self, sagemaker: SimulatedSageMaker) -> None:
        self._sagemaker = sagemaker
        self._renewals: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self._sagemaker.clock.now()

    def advance(self, seconds: float) -> None:
        until = self.now() + seconds
        for at, renew in sorted(self._renewals, key=lambda one: one[0]):
            if at <= until:
                self._sagemaker.advance(max(0.0, at - self.now()))
                renew()
        self._renewals = [one for one in self._renewals if one[0] > until]
        self._sagemaker.advance(max(0.0, until - self.now()))

    def jobs(self) -> Sequence[TrueJob]:
        found = []
        for job in self._sagemaker.jobs:
            parts = parse_training_job_name(job.name)
            values = [emission.value for emission in job.emissions if emission.metric == METRIC]
            state = state_of(job.status, None)
            found.append(
                TrueJob(
                    name=job.name,
                    trial=parts.trial if parts else 0,
                    attempt=parts.attempt if parts else 0,
                    hyperparameters=job.hyperparameters,
                    state=state,
                    seconds=job.running_seconds(self.now()),
                    retryable=state is JobState.FAILED and is_infrastructure(job.failure_reason or ""),
                    value=values[-1] if values else None,
                )
            )
        return found

    def interruptions(self) -> int:
        """How many spot instances were taken away."""
        return sum(step.status == "Interrupted" for job in self._sagemaker.jobs for step in job.transitions)

    def backend(self, sleep: Sleep) -> Backend:
        clients: Any = _Clients()
        return SageMakerBackend(clients, clock=self._sagemaker.clock, sleep=sleep, seed=0)

    def strike(self, fault: Fault, chance: random.Random) -> bool:
        if fault is not Fault.EXPIRED:
            return False
        unknown = Refusal(
            "UnrecognizedClientException", "The security token included in the request is invalid."
        )
        refusal = chance.choice((expired_credentials(), unknown))
        order = self._sagemaker.inject("*", refusal)
        self._renewals.append((self.now() + chance.uniform(30, 600), order.remove))
        return True


class _InMoto:
    """The record as it lies in moto's S3, read past all faults."""

    location = f"s3://{BUCKET}/{FOLDER}"

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def read(self, start: int = 0) -> Sequence[Sequence[Event]]:
        keys = self._s3.buckets[BUCKET].keys
        names = sorted(name for name in keys if entry_index(name.rpartition("/")[2]) >= start)
        texts = [bytes(keys[name].value) for name in names]
        return [events_of(text, place="S3", because="", remedy="") for text in texts]

    def append(self, index: int, events: Sequence[Event]) -> None:
        raise NotImplementedError("the world only reads")

    def ask_to_stop(self, reason: str) -> None:
        self._s3.put_object(BUCKET, f"{FOLDER}/{STOP_NOTE}", reason.encode())

    def asked_to_stop(self, *, anew: bool = False) -> str | None:
        raise NotImplementedError("the world has no wish")

    def take_back_stop(self) -> None:
        raise NotImplementedError("the world has no wish")


class _LosesAnswers:
    """boto3's S3 client; now and then what it wrote is there and its answer never comes."""

    def __init__(self, chance: random.Random, faults: Counter[Fault]) -> None:
        self._chance, self._faults = chance, faults

    def __getattr__(self, name: str) -> Any:
        return getattr(_client("s3"), name)

    def put_object(self, **asked: Any) -> Any:
        answer = _client("s3").put_object(**asked)
        if self._chance.random() < 0.05:
            self._faults[Fault.ANSWER_LOST] += 1
            raise ReadTimeoutError(endpoint_url="https://s3")
        return answer


class _Clients:
    """A session whose clients are made once: each new one reads megabytes of models."""

    region_name = REGION

    def client(self, service: str, **options: Any) -> Any:
        return _client(service)

    def get_partition_for_region(self, region: str) -> str:
        return "aws"


@lru_cache(maxsize=8)
def _client(service: str) -> Any:
    return boto3.client(
        service,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - moto takes any
        config=ONE_ATTEMPT,
    )


def _conflict() -> Refusal:
    text = "The conditional request cannot succeed due to a conflicting operation against this resource."
    return Refusal("ConditionalRequestConflict", text, status=409)
