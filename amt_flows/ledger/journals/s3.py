"""A journal in S3: one object per entry, numbered without gaps, so that any machine can go on with a tuning.

An entry is written with ``If-None-Match: *``, which S3 refuses (412) when the key exists, so that of two
writers that want one number exactly one gets it
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). The refusal may also meet
ourselves: a first try arrived, its answer was lost, and boto3 tried again. Every entry has a mark of its
write, so a refused writer reads what is there and knows its own.

Entries that lie behind the end are sealed into segments (:mod:`amt_flows.ledger.journals.segments`) below
``sealed/``, so that a long record is opened by a few hundred requests. The entries stay: so nobody needs the
right to delete, and no number is ever free again. Long entries are compressed, since all of them are kept.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from amt_flows.errors import Fenced, JournalError
from amt_flows.events import Event
from amt_flows.ledger.journals.entries import (
    entry_index,
    entry_name,
    entry_text,
    events_of,
    missing_entry,
)
from amt_flows.ledger.journals.segments import (
    SEGMENT_ENTRIES,
    Entries,
    NotWhole,
    Segment,
    first_of,
    segment_of,
)

logger = logging.getLogger("amt_flows")

STOP_NOTE: Final = "stop"
SEGMENTS: Final = "sealed"
READERS: Final = 10
"""Entries are read so many at a time, which is as many connections as a boto3 client keeps. With 20 ms for
each answer, 1,000 entries take 20 s one by one and 2 s so."""
PATIENCE_SECONDS: Final = 900.0
"""For how long a write is tried again while the trouble may pass. Giving up ends the controller, which stops
its training jobs: hours of training must not be lost because credentials were renewed a little late."""
READ_PATIENCE_SECONDS: Final = 30.0
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0

_TAKEN: Final = ("PreconditionFailed", "412")
_MISSING: Final = ("NoSuchKey", "404", "NotFound")
_RAISED_BY_BOTO3: Final = ("boto3", "botocore", "urllib3")
_FINAL: Final = ("AccessDenied", "NoSuchBucket", "InvalidBucketName", "PermanentRedirect", "KMS")
_CREDENTIALS: Final = (
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
"""Those that have worked may be being replaced; those that never did are wrong."""
_PASSING: Final = (
    "ConditionalRequestConflict",
    "Expired",
    "InternalError",
    "OperationAborted",
    "PreconditionFailed",
    "Request",
    "ServiceUnavailable",
    "SlowDown",
    "Throttl",
)
"""How the names of refusals begin that pass, whatever their status: that of expired credentials is 400, as of
wrong requests."""


class S3Journal:
    """``uri`` is ``s3://bucket/folder``; ``client`` a boto3 S3 client, by default one of the environment.

    Another machine's note to stop is looked for every ``stop_note_seconds``, however often one asks, and
    after each entry: whoever leaves one stops the running jobs too, and none may be launched in place of a
    job whose end was just recorded. So many ``readers`` fetch entries at a time. ``segment_entries``, which
    whoever reads or writes the record must know, ``monotonic`` and ``sleep`` are for tests.
    """

    def __init__(
        self,
        uri: str,
        client: Any = None,
        *,
        stop_note_seconds: float = 10.0,
        readers: int = READERS,
        segment_entries: int = SEGMENT_ENTRIES,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(uri)
        if parts.scheme != "s3" or not parts.netloc or not parts.path.strip("/"):
            raise JournalError(
                f"{uri!r} is no place for a journal in S3.", remedy="write s3://<bucket>/<folder>"
            )
        self._bucket, self._folder = parts.netloc, parts.path.strip("/")
        self._given_client = client
        self._stop_note_seconds = stop_note_seconds
        self._readers, self._size = readers, segment_entries
        self._worked = False  # S3 has answered us
        self._monotonic, self._sleep = monotonic, sleep
        self._known = 0  # so many entries have been seen here
        self._sealed = 0  # so many of them are in segments
        self._not_before = 0  # so many entries: the last try to seal failed
        self._tail: dict[int, bytes] = {}  # of those behind them, as far as they went through our hands
        self._stop_note: str | None = None
        self._stop_note_read_at: float | None = None

    @property
    def location(self) -> str:
        return f"s3://{self._bucket}/{self._folder}"

    @property
    def _client(self) -> Any:
        if self._given_client is None:
            self._given_client = client_of_environment()
        return self._given_client

    def _key(self, index: int) -> str:
        return f"{self._folder}/{entry_name(index)}"

    # -- reading ---------------------------------------------------------------------------------

    def read(self, start: int = 0) -> Sequence[Sequence[Event]]:
        found, segments = Entries(), self._segments_from(start)
        for first, segment in segments.items():
            skipped = max(start - first, 0)
            found.add_segment(segment, skipped, partial(_events, location=self.location, key=segment.place))
        after = start + len(found)
        # From the one before on: it must be there.
        before = after if segments else max(after - 1, 0)
        indices = self._indices(before)
        for expected, index in enumerate(indices, before):
            if index != expected:
                raise self._missing(expected, f"{index} is there")
        if before < after and not indices:
            raise self._missing(before, "it was there")
        self._known = max(self._known, before + len(indices))
        self._sealed = max(self._sealed, after if segments else 0)
        keys = [self._key(index) for index in indices if index >= after]
        for index, data in enumerate(self._get_all(keys).values(), after):
            found.add(_events(data, self.location, self._key(index)))
            self._tail[index] = data
        return found

    def first(self) -> Sequence[Event]:
        """One request. Raises JournalError."""
        key = self._key(0)
        data = self._try_to_get(key)
        if isinstance(data, Exception):
            if _code(data) in _MISSING:
                return ()
            data = self._get_all([key])[key]
        return _events(data, self.location, key)

    def _segments_from(self, start: int) -> dict[int, Segment]:
        """By their first entries, those from the one of entry ``start`` on, as far as none is missing or
        not whole; none if all that are known are before it."""
        if start > 0 and start >= self._sealed:
            return {}
        first = first_of(start, self._size)
        names = set(self._listed(f"{self._folder}/{SEGMENTS}/", f"{first - 1:08d}" if first else ""))
        keys = list[str]()
        while f"{first + len(keys) * self._size:08d}" in names:
            keys.append(self._segment_key(first + len(keys) * self._size))
        found: dict[int, Segment] = {}
        for key, data in self._get_all(keys).items():
            try:
                found[first] = Segment.read(data, first, self._size, f"{self.location}: {key}")
            except NotWhole:
                break  # its entries are there still
            first += self._size
        return found

    def _segment_key(self, first: int) -> str:
        return f"{self._folder}/{SEGMENTS}/{first:08d}"

    def _missing(self, index: int, but: str) -> JournalError:
        because = "an object was deleted, or a life-cycle rule of the bucket removed it"
        return missing_entry(index, self.location, but=but, because=because)

    def _get_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        """In the order of ``keys``."""
        texts: dict[str, bytes] = {}
        pauses = _pauses(READ_PATIENCE_SECONDS)
        while left := [key for key in keys if key not in texts]:
            if self._readers > 1 and len(left) > 1:
                with ThreadPoolExecutor(self._readers) as pool:
                    answers = list(pool.map(self._try_to_get, left))
            else:
                answers = [self._try_to_get(key) for key in left]
            texts |= {k: text for k, text in zip(left, answers, strict=True) if isinstance(text, bytes)}
            errors = [error for error in answers if isinstance(error, Exception)]
            worst = next((error for error in errors if _is_final(error)), errors[0] if errors else None)
            if worst is not None and not self._wait_out(worst, pauses):
                raise self._unreadable(worst) from worst
        return {key: texts[key] for key in keys}

    def _try_to_get(self, key: str) -> bytes | Exception:
        try:
            return self._get(key)
        except Exception as error:
            _must_be_of_aws(error)
            return error

    def _indices(self, start: int) -> list[int]:
        """The numbers of the entries from ``start`` on, ascending. S3 lists what was written, at once."""
        names = self._listed(f"{self._folder}/", entry_name(start - 1) if start else "")
        return sorted(index for index in map(entry_index, names) if index >= start)

    def _listed(self, prefix: str, after: str = "") -> list[str]:
        """As :meth:`_names`, and trouble that passes is waited out. Raises JournalError."""
        pauses = _pauses(READ_PATIENCE_SECONDS)
        while True:
            try:
                return self._names(prefix, after)
            except Exception as error:
                _must_be_of_aws(error)
                if not self._wait_out(error, pauses):
                    raise self._unreadable(error) from error

    def _names(self, prefix: str, after: str = "") -> list[str]:
        """What stands right below a prefix, behind the name ``after``, without the prefix."""
        asked = {"Bucket": self._bucket, "Prefix": prefix, "Delimiter": "/"}
        if after:
            asked["StartAfter"] = prefix + after
        found: list[str] = []
        while True:
            page = self._client.list_objects_v2(**asked)
            self._worked = True
            found += [str(entry["Key"]).removeprefix(asked["Prefix"]) for entry in page.get("Contents", ())]
            if not page.get("NextContinuationToken"):
                return found
            asked = {**asked, "ContinuationToken": page["NextContinuationToken"]}

    def _get(self, key: str) -> bytes:
        body: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return body

    def _wait_out(self, error: Exception, pauses: Iterator[float]) -> bool:
        """Sleep a little before the next try; False when there shall be none."""
        code = _code(error)
        pause = next(pauses, None)
        if pause is None or _is_final(error) or (code in _CREDENTIALS and not self._worked):
            return False
        if pause >= LONGEST_PAUSE_SECONDS:
            logger.warning("The journal %s can't be reached: %s. It is tried again.", self.location, error)
        self._sleep(pause)
        return True

    def _unreadable(self, error: Exception) -> JournalError:
        return JournalError(
            f"The journal {self.location} can't be read: {error}",
            because=_likely(error),
            remedy="allow s3:ListBucket and s3:GetObject there, and see that the bucket exists",
        )

    # -- writing ---------------------------------------------------------------------------------

    def append(self, index: int, events: Sequence[Event]) -> None:
        """Returns when S3 has the entry. Raises JournalError when, after a quarter of an hour, nobody can
        tell whether it has: reading the journal again does, which is what another run begins with."""
        text = entry_text(events, {"write": secrets.token_hex(8)}, packed=True)
        pauses = _pauses(PATIENCE_SECONDS)
        self._stop_note_read_at = None
        while True:
            try:
                self._put(self._key(index), text, IfNoneMatch="*")
                break
            except Exception as error:
                _must_be_of_aws(error)
                if self._is_written(index, text, error, pauses):
                    break
                # A conflict with a write that goes on, a lost answer, trouble that passes: ask again.
                if not self._wait_out(error, pauses):
                    raise self._unwritable(error) from error
        self._known = max(self._known, index + 1)
        self._tail[index] = text.encode("utf-8")
        self._seal_one()

    def _seal_one(self) -> None:
        """Write the next segment, if it is full. Trouble waits: everything is in the entries."""
        first, end = self._sealed, self._sealed + self._size
        if self._known < max(end, self._not_before):
            return
        try:
            lacking = {self._key(index): index for index in range(first, end) if index not in self._tail}
            self._tail |= {lacking[key]: data for key, data in self._get_all(list(lacking)).items()}
            segment = segment_of(first, [self._tail[index] for index in range(first, end)])
            self._put(self._segment_key(first), segment, content_type="application/octet-stream")
        except Exception as error:
            if not isinstance(error, JournalError):
                _must_be_of_aws(error)
            logger.warning("Entries of the journal %s were not sealed: %s", self.location, error)
            self._not_before = self._known + self._size
            return
        self._sealed = end
        self._tail = {index: data for index, data in self._tail.items() if index >= end}

    def _put(
        self, key: str, content: str | bytes, content_type: str = "application/json", **conditions: str
    ) -> None:
        self._client.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=content.encode("utf-8") if isinstance(content, str) else content,
            ContentType=content_type,
            **conditions,
        )
        self._worked = True

    def _is_written(self, index: int, text: str, error: Exception, pauses: Iterator[float]) -> bool:
        """Whether an entry that was not confirmed is there all the same. Raises Fenced for another's."""
        if _is_final(error):
            return False
        while True:
            try:
                body = self._get(self._key(index))
                break
            except Exception as unread:
                _must_be_of_aws(unread)
                if _code(error) not in _TAKEN or _code(unread) in _MISSING:
                    return False
                # There is one. Only its text tells whether it is ours: whoever takes his own for a rival's
                # leaves training jobs that nobody else looks after.
                if not self._wait_out(unread, pauses):
                    raise self._unwritable(unread) from unread
        if body == text.encode("utf-8"):
            return True
        raise self._fenced(index) from error

    def _fenced(self, index: int) -> Fenced:
        return Fenced(f"Entry {index} of the journal {self.location} was written by another controller.")

    def _unwritable(self, error: Exception) -> JournalError:
        return JournalError(
            f"The journal {self.location} can't be written: {error}",
            because=_likely(error),
            remedy="allow s3:PutObject there, then run the same tuning job again: it goes on from here",
        )

    # -- the note to stop ------------------------------------------------------------------------

    def ask_to_stop(self, reason: str) -> None:
        if not self._listed(self._key(0)):
            raise JournalError(f"There is no journal at {self.location}.")
        try:
            self._put(f"{self._folder}/{STOP_NOTE}", reason or "asked to stop")
        except Exception as error:
            _must_be_of_aws(error)
            raise self._unwritable(error) from error
        self._stop_note_read_at = None

    def take_back_stop(self) -> None:
        """An empty note is none: so nobody needs the right to delete."""
        if self._look() is None:
            return
        try:
            self._put(f"{self._folder}/{STOP_NOTE}", "")
        except Exception as error:
            _must_be_of_aws(error)
            raise self._unwritable(error) from error
        self._stop_note = self._stop_note_read_at = None

    def asked_to_stop(self, *, anew: bool = False) -> str | None:
        """What is known of the note; a failure to look for it stops nothing, and is tried again. The same
        look shows whether the entries are all there still: raises JournalError when one is gone."""
        now = self._monotonic()
        if (
            anew
            or self._stop_note_read_at is None
            or now - self._stop_note_read_at >= self._stop_note_seconds
        ):
            self._stop_note_read_at = now
            self._stop_note = self._look()
        return self._stop_note

    def _look(self) -> str | None:
        try:
            names = set(self._names(f"{self._folder}/", entry_name(self._sealed - 1) if self._sealed else ""))
        except Exception as error:
            _must_be_of_aws(error)
            return self._stop_note
        unsealed = range(self._sealed, self._known)
        gone = next((index for index in unsealed if entry_name(index) not in names), None)
        if gone is not None:
            raise self._missing(gone, "it was there")
        return self._read_stop_note() if STOP_NOTE in names else None

    def _read_stop_note(self) -> str | None:
        try:
            return self._get(f"{self._folder}/{STOP_NOTE}").decode("utf-8", "replace") or None
        except Exception as error:
            _must_be_of_aws(error)
            return None if _code(error) in _MISSING else self._stop_note


def folders(uri: str, client: Any = None) -> list[str]:
    """The names of the folders right below ``s3://bucket`` or ``s3://bucket/folder``, sorted. Raises
    JournalError."""
    parts = urlsplit(uri)
    above = f"{parts.path.strip('/')}/".lstrip("/")
    asked = {"Bucket": parts.netloc, "Prefix": above, "Delimiter": "/"}
    client = client or client_of_environment()
    found: list[str] = []
    while True:
        try:
            page = client.list_objects_v2(**asked)
        except Exception as error:
            _must_be_of_aws(error)
            raise JournalError(
                f"The tuning jobs in {uri} can't be listed: {error}",
                because=_likely(error),
                remedy="allow s3:ListBucket there, and see that the bucket exists",
            ) from error
        found += [str(entry["Prefix"])[len(above) : -1] for entry in page.get("CommonPrefixes", ())]
        if not page.get("NextContinuationToken"):
            return sorted(found)
        asked = {**asked, "ContinuationToken": page["NextContinuationToken"]}


def client_of_environment() -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ModuleNotFoundError as error:
        raise JournalError(
            "A journal in S3 needs boto3, which is not installed.",
            remedy="pip install 'amt-flows[sagemaker]'",
        ) from error
    return boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 5}))


def _events(data: bytes, location: str, key: str) -> tuple[Event, ...]:
    return events_of(
        data,
        place=f"{location}/{key.rpartition('/')[2]}",
        because="the object was changed by another program",
        remedy="restore it from an earlier version, if the bucket keeps versions",
    )


def _must_be_of_aws(error: Exception) -> None:
    """Raise again what is neither boto3's nor of the network below it: a bug is no trouble of S3."""
    if not isinstance(error, OSError) and type(error).__module__.split(".")[0] not in _RAISED_BY_BOTO3:
        raise error


def _pauses(patience_seconds: float) -> Iterator[float]:
    """Longer and longer, and as many as come to ``patience_seconds``."""
    pause, left = FIRST_PAUSE_SECONDS, patience_seconds
    while left > 0:
        yield min(pause, left)
        left -= pause
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _code(error: Exception) -> str:
    response = getattr(error, "response", None)
    return str(response["Error"].get("Code", "")) if isinstance(response, Mapping) and response else ""


def _is_final(error: Exception) -> bool:
    code, response = _code(error), getattr(error, "response", None) or {}
    wrong = response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 400
    return code.startswith(_FINAL) or (wrong and not code.startswith((*_PASSING, *_CREDENTIALS)))


def _likely(error: Exception) -> str:
    code = _code(error)
    if code in ("AccessDenied", "403"):
        return "the credentials lack a permission on the bucket or on its key"
    if code in ("NoSuchBucket", "PermanentRedirect", "InvalidBucketName"):
        return "the bucket's name or region is wrong"
    return "S3 could not be reached, or was busy"
