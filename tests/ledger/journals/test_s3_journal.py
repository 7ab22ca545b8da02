from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from amt_flows.errors import Fenced, JournalError
from amt_flows.events import Attached, Event, Observed, WrittenByNewer, event_from_json, event_to_json
from amt_flows.ledger.journals.s3 import S3Journal
from amt_flows.ports import Journal
from amt_flows.testing.journal_conformance import FOLDED, JournalConformance

BUCKET = "journals"
URI = f"s3://{BUCKET}/tunings/demo"
ONE = [Attached(1.0, "me")]
ANOTHER = [Attached(1.0, "rival")]


@lru_cache(maxsize=1)
def s3() -> Any:
    return boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
    )


class Client:
    """boto3's client of moto's S3, in which a write is one step, as in S3: moto looks and writes in two.
    ``before`` and ``after`` are called around a write, and may raise what takes the place of its answer."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self.gets: list[str] = []

    def put_object(self, **asked: Any) -> Any:
        with self.lock:
            self.before()
            answer = s3().put_object(**asked)
            self.after()
            return answer

    def get_object(self, **asked: Any) -> Any:
        self.gets.append(str(asked["Key"]))
        return s3().get_object(**asked)

    def list_objects_v2(self, **asked: Any) -> Any:
        return s3().list_objects_v2(**{"MaxKeys": 3, **asked})


@pytest.fixture(autouse=True)
def _bucket() -> Iterator[None]:
    with mock_aws():
        s3().create_bucket(Bucket=BUCKET)
        yield


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def journal(client: Client) -> S3Journal:
    return S3Journal(URI, client, sleep=lambda seconds: None)


class TestS3Journal(JournalConformance):
    lock = threading.Lock()

    def make(self, place: Path) -> Journal:
        client = Client()
        client.lock = self.lock
        return S3Journal(f"s3://{BUCKET}/{place.as_posix().strip('/')}", client)

    def make_folding(self, place: Path) -> Journal:
        client = Client()
        client.lock = self.lock
        uri = f"s3://{BUCKET}/{place.as_posix().strip('/')}"
        return S3Journal(uri, client, segment_entries=FOLDED)


def refuse(code: str, status: int = 400, *, times: int = 1) -> Callable[[], None]:
    """Refuse the next so many writes."""
    left = [times]

    def step() -> None:
        if left[0] > 0:
            left[0] -= 1
            answer = {
                "Error": {"Code": code, "Message": "no"},
                "ResponseMetadata": {"HTTPStatusCode": status},
            }
            raise ClientError(answer, "PutObject")

    return step


def lose(*, times: int = 1) -> Callable[[], None]:
    """Lose the answers of the next so many writes."""
    left = [times]

    def step() -> None:
        if left[0] > 0:
            left[0] -= 1
            raise ReadTimeoutError(endpoint_url="https://s3")

    return step


def test_keys_are_padded_so_that_their_order_is_that_of_the_entries(journal: S3Journal) -> None:
    for index in range(12):
        journal.append(index, ONE)
    keys = [entry["Key"] for entry in s3().list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert keys == [f"tunings/demo/{index:08d}.json" for index in range(12)]
    assert len(journal.read()) == 12, "over several pages"
    assert len(journal.read(10)) == 2


def test_only_what_is_asked_for_is_fetched(journal: S3Journal, client: Client) -> None:
    for index in range(5):
        journal.append(index, ONE)
    client.gets.clear()
    journal.read(3)
    assert client.gets == ["tunings/demo/00000003.json", "tunings/demo/00000004.json"]


def test_a_write_whose_answer_was_lost_is_known_for_our_own(journal: S3Journal, client: Client) -> None:
    client.after = lose()
    journal.append(0, ONE)
    assert [list(entry) for entry in journal.read()] == [ONE]
    journal.append(1, ONE)


def test_a_write_that_boto3_repeated_is_known_for_our_own(journal: S3Journal, client: Client) -> None:
    client.after = refuse("PreconditionFailed", 412)
    journal.append(0, ONE)
    assert len(journal.read()) == 1


def test_a_rival_who_wrote_the_same_events_is_a_rival_all_the_same(client: Client) -> None:
    first, rival = S3Journal(URI, client), S3Journal(URI, client)
    first.append(0, ONE)
    with pytest.raises(Fenced):
        rival.append(0, ONE)


def test_a_write_that_never_arrived_is_written_again(journal: S3Journal, client: Client) -> None:
    client.before = lose(times=3)
    journal.append(0, ONE)
    assert len(journal.read()) == 1


def test_a_rival_who_wrote_while_our_answer_was_lost_wins(journal: S3Journal, client: Client) -> None:
    def rival_comes_first() -> None:
        client.before = lambda: None
        s3().put_object(Bucket=BUCKET, Key="tunings/demo/00000000.json", Body=b'{"events": []}')
        raise ReadTimeoutError(endpoint_url="https://s3")

    client.before = rival_comes_first
    with pytest.raises(Fenced):
        journal.append(0, ONE)


def test_a_conflict_with_a_write_that_goes_on_is_tried_again(journal: S3Journal, client: Client) -> None:
    client.before = refuse("ConditionalRequestConflict", 409)
    journal.append(0, ONE)
    assert [list(entry) for entry in journal.read()] == [ONE]


def test_what_can_not_be_written_says_so_with_a_remedy(journal: S3Journal, client: Client) -> None:
    client.before = lose(times=100)
    with pytest.raises(JournalError, match="can't be written") as caught:
        journal.append(0, ONE)
    assert "goes on from here" in caught.value.remedy


def test_credentials_that_are_renewed_within_minutes_cost_nothing(client: Client) -> None:
    slept: list[float] = []
    journal = S3Journal(URI, client, sleep=slept.append)
    journal.append(0, ONE)
    for code in ("ExpiredToken", "InvalidAccessKeyId"):
        slept.clear()
        client.before = refuse(code, 400, times=20)
        journal.append(len(journal.read()), ONE)
        assert 240 < sum(slept) < 900


def test_credentials_that_never_worked_are_wrong(client: Client) -> None:
    journal = S3Journal(URI, client, sleep=lambda seconds: pytest.fail("it waits"))
    client.before = refuse("InvalidAccessKeyId", 403)
    with pytest.raises(JournalError, match="InvalidAccessKeyId"):
        journal.append(0, ONE)


def test_a_wrong_request_is_not_tried_again(client: Client) -> None:
    journal = S3Journal(URI, client, sleep=lambda seconds: pytest.fail("it waits"))
    client.before = refuse("InvalidRequest", 400)
    with pytest.raises(JournalError, match="InvalidRequest"):
        journal.append(0, ONE)


def test_our_own_write_that_can_not_be_read_at_once_is_not_taken_for_a_rivals(
    journal: S3Journal, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.after = refuse("PreconditionFailed", 412)
    plain, failures = Client.get_object, iter([ReadTimeoutError(endpoint_url="https://s3")] * 3)

    def busy(self: Client, **asked: Any) -> Any:
        for error in failures:
            raise error
        return plain(self, **asked)

    monkeypatch.setattr(Client, "get_object", busy)
    journal.append(0, ONE)
    assert [list(entry) for entry in journal.read()] == [ONE]


def test_a_read_outlasts_trouble_that_passes(
    journal: S3Journal, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(4):
        journal.append(index, ONE)
    plain, failures = Client.get_object, iter([ReadTimeoutError(endpoint_url="https://s3")] * 6)

    def busy(self: Client, **asked: Any) -> Any:
        for error in failures:
            raise error
        return plain(self, **asked)

    monkeypatch.setattr(Client, "get_object", busy)
    assert len(journal.read()) == 4


def test_a_missing_permission_is_not_tried_again(client: Client) -> None:
    slept: list[float] = []
    journal = S3Journal(URI, client, sleep=slept.append)
    client.before = refuse("AccessDenied", 403, times=9)
    with pytest.raises(JournalError, match="AccessDenied") as caught:
        journal.append(0, ONE)
    assert slept == []
    assert "s3:PutObject" in caught.value.remedy


def test_a_bug_is_no_trouble_of_s3(journal: S3Journal, client: Client) -> None:
    def bug() -> None:
        raise ZeroDivisionError

    client.before = bug
    with pytest.raises(ZeroDivisionError):
        journal.append(0, ONE)


def test_a_missing_bucket_is_named(client: Client) -> None:
    with pytest.raises(JournalError, match="NoSuchBucket") as caught:
        S3Journal("s3://nowhere/demo", client).read()
    assert "name or region" in caught.value.because


def test_a_gap_is_an_error(journal: S3Journal) -> None:
    for index in range(3):
        journal.append(index, ONE)
    s3().delete_object(Bucket=BUCKET, Key="tunings/demo/00000001.json")
    with pytest.raises(JournalError, match=r"Entry 1 .* is missing, but 2 is there"):
        journal.read()


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"events": {}}', b'{"events": [{"v": 1}]}'])
def test_a_damaged_entry_is_an_error(journal: S3Journal, body: bytes) -> None:
    journal.append(0, ONE)
    s3().put_object(Bucket=BUCKET, Key="tunings/demo/00000001.json", Body=body)
    with pytest.raises(JournalError, match=r"00000001\.json is damaged"):
        journal.read()


def test_other_objects_in_the_folder_are_left_alone(journal: S3Journal) -> None:
    journal.append(0, ONE)
    for key in ("notes.txt", "x.json", "12", "sub/00000001.json"):
        s3().put_object(Bucket=BUCKET, Key=f"tunings/demo/{key}", Body=b"mine")
    assert len(journal.read()) == 1


def test_another_journal_whose_name_begins_alike_is_another(client: Client) -> None:
    S3Journal(URI, client).append(0, ONE)
    assert list(S3Journal(URI[:-1], client).read()) == []


def test_stopping_what_has_no_journal_is_an_error(journal: S3Journal) -> None:
    with pytest.raises(JournalError, match="no journal"):
        journal.ask_to_stop("enough")


def test_the_note_is_looked_for_now_and_then_and_not_at_every_question(client: Client) -> None:
    now = [0.0]
    journal = S3Journal(URI, client, stop_note_seconds=10, monotonic=lambda: now[0])
    journal.append(0, ONE)
    assert journal.asked_to_stop() is None
    S3Journal(URI, client).ask_to_stop("enough")
    before = len(client.gets)
    now[0] = 9.0
    assert journal.asked_to_stop() is None
    assert len(client.gets) == before
    now[0] = 10.0
    assert journal.asked_to_stop() == "enough"


def test_trouble_with_the_note_stops_nothing(journal: S3Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(self: Client, **asked: Any) -> Any:
        raise ReadTimeoutError(endpoint_url="https://s3")

    monkeypatch.setattr(Client, "get_object", down)
    assert journal.asked_to_stop() is None


@pytest.mark.parametrize("uri", ["demo", "s3://bucket", "s3://bucket/", "file:///x", "s3:///x"])
def test_a_place_that_is_none_is_refused(uri: str) -> None:
    with pytest.raises(JournalError, match="s3://<bucket>/<folder>"):
        S3Journal(uri)


def test_the_location_can_be_given_again(client: Client) -> None:
    assert S3Journal(f"{URI}/", client).location == URI


def written(count: int) -> list[list[Event]]:
    return [[Attached(float(number), "me")] for number in range(count)]


def folding(client: Client) -> S3Journal:
    return S3Journal(URI, client, sleep=lambda seconds: None, segment_entries=FOLDED)


def test_a_long_entry_is_compressed_and_newer_than_versions_that_know_no_such(journal: S3Journal) -> None:
    long = [Observed(1.0, {f"demo-{number:03d}": ((1, number / 7), (2, math.inf))}) for number in range(99)]
    journal.append(0, long)
    assert [list(entry) for entry in journal.read()] == [long]
    body = s3().get_object(Bucket=BUCKET, Key="tunings/demo/00000000.json")["Body"].read()
    assert len(body) < len(json.dumps([event_to_json(event) for event in long])) / 3
    (instead,) = json.loads(body)["events"]
    with pytest.raises(WrittenByNewer, match="'packed'"):
        event_from_json(instead)


def test_a_long_record_is_opened_by_a_request_for_each_segment(client: Client) -> None:
    journal, entries = folding(client), written(10 * FOLDED + 1)
    for index, events in enumerate(entries):
        journal.append(index, events)
    client.gets.clear()
    assert [list(entry) for entry in folding(client).read()] == entries
    assert len(client.gets) == 10 + 1
    names = [entry["Key"] for entry in s3().list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert sum(name.endswith(".json") for name in names) == len(entries), "nothing is ever deleted"


def test_trouble_at_any_write_of_a_segment_costs_no_entry(client: Client) -> None:
    journal, entries = folding(client), written(6 * FOLDED)
    put = client.put_object

    def refusing(**asked: Any) -> Any:
        if "/sealed/" in asked["Key"] and len(client.gets) < 2:
            client.gets.append(asked["Key"])
            raise ReadTimeoutError(endpoint_url="https://s3")
        return put(**asked)

    client.put_object = refusing  # type: ignore[method-assign]
    for index, events in enumerate(entries):
        journal.append(index, events)
    assert len(client.gets) == 2
    assert [list(entry) for entry in folding(client).read()] == entries
    keys = s3().list_objects_v2(Bucket=BUCKET, Prefix="tunings/demo/sealed/")["Contents"]
    assert len(keys) > 2, "it was tried again"


def test_a_segment_that_somebody_has_changed_counts_as_none(client: Client) -> None:
    journal, entries = folding(client), written(3 * FOLDED)
    for index, events in enumerate(entries):
        journal.append(index, events)
    for key in ("00000004", "00000000"):
        s3().put_object(Bucket=BUCKET, Key=f"tunings/demo/sealed/{key}", Body=b"{}")
        assert [list(entry) for entry in folding(client).read()] == entries
        assert [list(entry) for entry in journal.read(2)] == entries[2:]


def test_an_entry_is_plain_json(journal: S3Journal) -> None:
    journal.append(0, ANOTHER)
    body = s3().get_object(Bucket=BUCKET, Key="tunings/demo/00000000.json")["Body"].read()
    assert json.loads(body)["events"][0]["controller"] == "rival"


def test_an_entry_that_is_deleted_meanwhile_is_noticed_by_whoever_knew_it(client: Client) -> None:
    writer, reader = S3Journal(URI, client), S3Journal(URI, client)
    for index in range(3):
        writer.append(index, ONE)
    assert len(reader.read()) == 3
    s3().delete_object(Bucket=BUCKET, Key="tunings/demo/00000001.json")
    for look in (writer.asked_to_stop, reader.asked_to_stop, reader.read):
        with pytest.raises(JournalError, match=r"Entry 1 .* is missing") as raised:
            look()
        assert "amt-flows recover" in str(raised.value)


def test_the_last_entry_that_is_deleted_is_missed_by_whoever_reads_on(client: Client) -> None:
    reader = S3Journal(URI, client)
    S3Journal(URI, client).append(0, ONE)
    assert len(reader.read()) == 1
    s3().delete_object(Bucket=BUCKET, Key="tunings/demo/00000000.json")
    with pytest.raises(JournalError, match=r"Entry 0 .* is missing"):
        reader.read(1)


def test_an_entry_of_a_newer_version_says_so(journal: S3Journal, client: Client) -> None:
    journal.append(0, ONE)
    client.put_object(
        Bucket=BUCKET, Key="tunings/demo/00000001.json", Body=b'{"events":[{"v":99,"kind":"opened"}]}'
    )
    with pytest.raises(JournalError, match="written by a newer version of amt-flows"):
        journal.read()
