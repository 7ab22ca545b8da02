"""Reaching AWS: boto3 is loaded late, endpoints and regions are those of boto3, and listings are few."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from amt_flows.backends.sagemaker import SageMakerBackend
from amt_flows.backends.sagemaker.changes import FULL_EVERY, OVERLAP_SECONDS, Changes
from amt_flows.backends.sagemaker.clients import MAX_ATTEMPTS, Clients
from amt_flows.backends.sagemaker.service import Service
from amt_flows.errors import JournalError
from amt_flows.ledger.journals.s3 import S3Journal
from amt_flows.ports import JobState
from amt_flows.testing.sagemaker import Credentials, SimulatedSageMaker
from amt_flows.testing.sagemaker.scripts import JobScript
from backends.sagemaker_world import TUNING_JOB, request, session, spec


def test_importing_the_backend_loads_no_boto3() -> None:
    code = (
        "import sys, amt_flows.backends.sagemaker, amt_flows.ledger.journals.s3;"
        "print([m for m in ('boto3', 'botocore', 'moto') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_without_boto3_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    (problem,) = SageMakerBackend().check(spec())
    assert "pip install 'amt-flows[sagemaker]'" in problem.message
    with pytest.raises(JournalError, match="needs boto3") as caught:
        S3Journal("s3://bucket/demo").append(0, [])
    assert "pip install" in caught.value.remedy


def test_the_region_and_the_retries_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-2")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert SageMakerBackend().check(spec()) == []
    clients = Clients(None, None, None, None)
    assert clients.sagemaker.meta.region_name == "us-east-2"
    retries = clients.sagemaker.meta.config.retries
    assert (retries["mode"], retries["total_max_attempts"]) == ("adaptive", MAX_ATTEMPTS)
    assert Clients(None, "eu-west-3", None, None).logs.meta.region_name == "eu-west-3"


@pytest.mark.parametrize(
    ("region", "domain"),
    [
        ("eu-west-1", "https://eu-west-1.console.aws.amazon.com/"),
        ("cn-north-1", "https://cn-north-1.console.amazonaws.cn/"),
        ("us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com/"),
        ("xx-nowhere-1", "https://xx-nowhere-1.console.aws.amazon.com/"),
    ],
)
def test_the_log_is_a_page_of_the_console(region: str, domain: str) -> None:
    uri = Clients(session(), region, None, None).log_uri("/aws/sagemaker/TrainingJobs", "demo-001")
    assert uri.startswith(domain)
    assert uri.endswith("$252Faws$252Fsagemaker$252FTrainingJobs$3FlogStreamNameFilter$3Ddemo-001$252F")


def test_another_endpoint_can_be_given() -> None:
    world = SimulatedSageMaker(JobScript([0.5, 0.75]))
    with world.serve(credentials=Credentials("test", "test")) as url:
        backend = SageMakerBackend(session(), endpoint_url=url, clock=world.clock, sleep=world.sleep, seed=0)
        backend.launch(request())
        values = []
        report = backend.poll(TUNING_JOB, [request().name])[0]
        while not report.state.terminal:
            backend.wait(60)
            report = backend.poll(TUNING_JOB, [request().name])[0]
            values += [point.value for point in report.points]
        assert (report.state, values) == (JobState.COMPLETED, [0.5, 0.75])


class Listing(Service):
    """Remembers what it was asked, and tells of jobs that were modified at these times."""

    def __init__(self) -> None:
        self.asked: list[tuple[float | None, float | None]] = []
        self.modified: list[float] = []

    def summaries(
        self, prefix: str, *, modified_after: datetime | None = None, created_after: datetime | None = None
    ) -> Iterator[Mapping[str, Any]]:
        after, created = (None if t is None else t.timestamp() for t in (modified_after, created_after))
        self.asked.append((after, created))
        for time in self.modified:
            at = datetime.fromtimestamp(0, tz=timezone.utc) + timedelta(seconds=time)
            yield {"TrainingJobName": "demo-001", "LastModifiedTime": at, "CreationTime": at}


MORE_THAN_A_PAGE = [5_000.0] * 101


def test_where_a_page_holds_all_jobs_each_listing_is_of_all() -> None:
    service = Listing()
    changes = Changes(service, "demo-")
    service.modified = MORE_THAN_A_PAGE[1:]
    for i in range(4):
        assert changes.next_is_full
        list(changes.since_last(100.0 + 20 * i, [4_000.0]))
    assert [modified for modified, _ in service.asked] == [None] * 4
    service.modified = MORE_THAN_A_PAGE
    list(changes.since_last(200.0, [4_000.0]))
    assert not changes.next_is_full


def test_only_what_has_changed_is_listed_and_everything_now_and_then() -> None:
    service = Listing()
    changes = Changes(service, "demo-")
    service.modified = MORE_THAN_A_PAGE
    list(changes.since_last(100.0, [None]))
    service.modified = []
    for i in range(1, FULL_EVERY + 2):
        list(changes.since_last(100.0 + 20 * i, [4_000.0, 4_500.0]))
    after = [modified for modified, _ in service.asked]
    assert after[0] is None
    # The service's time goes on as ours does, also while nothing changes.
    expected = [5_000.0 + 20 * i - OVERLAP_SECONDS for i in range(FULL_EVERY)]
    assert after[1 : FULL_EVERY + 1] == pytest.approx(expected)
    assert service.asked[FULL_EVERY + 1] == (None, 4_000.0 - OVERLAP_SECONDS)


def test_a_listing_that_broke_off_does_not_move_the_time_on() -> None:
    service = Listing()
    changes = Changes(service, "demo-")
    service.modified = MORE_THAN_A_PAGE
    list(changes.since_last(100.0, []))
    service.modified = [9_000.0, 9_001.0]
    next(changes.since_last(120.0, []))  # and no further
    list(changes.since_last(140.0, []))
    assert service.asked[2] == service.asked[1]


def test_our_clock_going_backwards_asks_for_more_and_not_for_less() -> None:
    service = Listing()
    changes = Changes(service, "demo-")
    service.modified = MORE_THAN_A_PAGE
    list(changes.since_last(100.0, []))
    service.modified = []
    list(changes.since_last(50.0, []))
    list(changes.since_last(60.0, []))
    assert [modified for modified, _ in service.asked[1:]] == [5_000.0 - OVERLAP_SECONDS] * 2
