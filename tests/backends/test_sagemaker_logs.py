"""Reading logs: pages, streams that follow each other, and when it is worth a call."""

from __future__ import annotations

import pytest

from amt_flows.backends.sagemaker.logs import JobLog, Line, LogSource, in_32_bits
from amt_flows.spec import MetricDefinition

DEFINITIONS = (MetricDefinition(name="loss", regex="loss=(.+)"),)


class FakeSource(LogSource):
    """Streams of lines, given out ``size`` lines a page; a token is a number of lines."""

    def __init__(self, size: int = 2) -> None:
        self.content: dict[str, list[Line]] = {}
        self.calls = 0
        self.size = size

    def say(self, stream: str, *values: float, at: float = 0.0) -> None:
        self.content.setdefault(stream, []).extend((at, f"loss={value}") for value in values)

    def streams(self, job: str) -> list[str]:
        self.calls += 1
        return list(self.content)

    def page(self, stream: str, token: str | None) -> tuple[list[Line], str | None]:
        self.calls += 1
        start = int(token or 0)
        lines = self.content[stream][start : start + self.size]
        return lines, str(start + len(lines))


def read(log: JobLog, source: LogSource, *, to_end: bool = True) -> list[tuple[int, float]]:
    log.read(source, DEFINITIONS, to_end=to_end)
    return [(point.epoch, point.value) for point in log.take_fresh()]


def test_a_log_is_read_to_its_end_and_then_on_from_there() -> None:
    source, log = FakeSource(), JobLog("job")
    source.say("a", 5, 4, 3)
    assert read(log, source) == [(1, 5), (2, 4), (3, 3)]
    source.say("a", 2)
    assert read(log, source) == [(4, 2)]


def test_a_running_job_costs_one_call_once_its_stream_is_known() -> None:
    source, log = FakeSource(size=100), JobLog("job")
    source.say("a", 5, 4)
    assert read(log, source, to_end=False) == [(1, 5), (2, 4)]
    assert source.calls == 2
    source.say("a", 3)
    assert read(log, source, to_end=False) == [(3, 3)]
    assert source.calls == 3


def test_a_stream_that_another_follows_is_read_to_its_end_first() -> None:
    source, log = FakeSource(), JobLog("job")
    source.say("a", 5)
    assert read(log, source, to_end=False) == [(1, 5)]
    assert read(log, source, to_end=False) == [], "it seems to be at its end"
    source.say("a", 4, 3, 2)
    source.say("b", 1)
    log.starts = 2
    assert read(log, source, to_end=False) == [(2, 4), (3, 3), (4, 2), (5, 1)]


def test_a_call_that_fails_loses_nothing_that_was_read() -> None:
    class Failing(FakeSource):
        fails = True

        def page(self, stream: str, token: str | None) -> tuple[list[Line], str | None]:
            if self.fails and token == "2":
                raise TimeoutError
            return super().page(stream, token)

    source, log = Failing(), JobLog("job")
    source.say("a", 5, 4, 3)
    with pytest.raises(TimeoutError):
        read(log, source)
    assert [point.value for point in log.take_fresh()] == [5, 4]
    source.fails = False
    assert read(log, source) == [(3, 3)]


def test_it_rests_until_the_next_epoch_is_near() -> None:
    source, log = FakeSource(size=100), JobLog("job")
    assert log.is_due(0.0)
    source.say("a", 5, at=1000.0)
    source.say("a", 4, at=1060.0)
    read(log, source)
    log.rest(1065.0)
    assert not log.is_due(1100.0)
    assert log.is_due(1115.0)


@pytest.mark.parametrize("now", [1_000_000.0, 10.0])
def test_a_clock_that_is_wrong_costs_calls_or_an_epoch_but_no_more(now: float) -> None:
    source, log = FakeSource(size=100), JobLog("job")
    source.say("a", 5, at=1000.0)
    source.say("a", 4, at=1060.0)
    read(log, source)
    log.rest(now)
    assert log.is_due(now + 60.0)


def test_long_epochs_are_looked_for_every_ten_minutes() -> None:
    source, log = FakeSource(size=100), JobLog("job")
    source.say("a", 5, at=0.001)
    source.say("a", 4, at=36_000.0)
    read(log, source)
    log.rest(36_000.0)
    assert log.is_due(36_600.0)


def test_the_services_numbers_are_told_in_as_few_digits_as_they_have() -> None:
    assert in_32_bits(0.8999999761581421) == in_32_bits(0.9) == "0.9"
    assert in_32_bits(1e300) == "inf"


def test_a_value_is_recognised_in_the_services_precision() -> None:
    log = JobLog("job")
    log.add("loss", 0.1234567890123)
    assert log.has("loss", 0.12345679104328156)
    assert not log.has("loss", 0.1234)
    assert not log.has("accuracy", 0.1234567890123)


@pytest.mark.parametrize("pace", [1.0, 60.0, 3600.0])
def test_at_every_pace_of_the_jobs_clock_a_reader_is_hardly_behind_and_hardly_asks_in_vain(
    pace: float,
) -> None:
    """An epoch takes a minute by the job's clock; somebody looks twenty times in that time."""
    source, log, epochs = FakeSource(size=100), JobLog("job"), 100
    behind = []
    for look in range(20, 20 * epochs):
        now = 1000.0 + 3 * look / pace
        printed = look // 20
        if printed > len(source.content.get("a", ())):
            source.say("a", float(printed), at=1000.0 + 60.0 * printed)
        if log.is_due(now):
            read(log, source, to_end=False)
            log.rest(now)
        behind.append(printed - log._counts["loss"])
    assert max(behind[100:]) <= 1
    assert source.calls < 5 * epochs


def test_a_start_that_repeats_an_epoch_by_its_name_goes_on_with_that_one() -> None:
    source, log = FakeSource(size=100), JobLog("job")
    source.content["a"] = [(0.0, f"epoch={epoch} loss={9 - epoch}") for epoch in (1, 2, 3, 4)]
    assert [epoch for epoch, _ in read(log, source)] == [1, 2, 3, 4]
    # Its checkpoint was that of the second epoch.
    source.content["b"] = [(0.0, f"epoch={epoch} loss={9 - epoch}") for epoch in (3, 4, 5)]
    log.starts = 2
    assert read(log, source) == [(3, 6), (4, 5), (5, 4)]
