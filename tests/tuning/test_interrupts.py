"""Signals while a tuning job runs: the first asks, the second ends the wait, a third interrupts nothing."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any

import pytest

from amt_flows.errors import TuningInterrupted
from amt_flows.tuning.interrupts import InterruptedAgain, graceful_interrupts

pytestmark = pytest.mark.usefixtures("run_from_a_terminal")


@pytest.fixture(autouse=True)
def requests_may_follow_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amt_flows.tuning.interrupts.ONE_REQUEST_SECONDS", 0.0)


class Asked:
    """What a running tuning job is asked."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def request_stop(self, reason: str) -> None:
        self.reasons.append(reason)


def press(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_asks_and_what_was_before_is_put_back(number: signal.Signals) -> None:
    asked: Any = Asked()
    before = signal.getsignal(number)
    with graceful_interrupts(asked):
        press(number)
    assert asked.reasons == [f"stopped by {number.name}"]
    assert signal.getsignal(number) is before


def test_the_second_one_ends_the_wait_and_a_third_interrupts_nothing() -> None:
    asked: Any = Asked()
    done = []

    def driven() -> None:
        with graceful_interrupts(asked):
            press(signal.SIGINT)
            try:
                press(signal.SIGINT)
            finally:
                press(signal.SIGINT)
                done.append("killed")

    with pytest.raises(TuningInterrupted):
        driven()
    assert done == ["killed"]


def test_what_is_told_twice_at_once_is_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """``timeout`` tells the process and its group."""
    monkeypatch.setattr("amt_flows.tuning.interrupts.ONE_REQUEST_SECONDS", 60.0)
    asked: Any = Asked()
    with graceful_interrupts(asked):
        press(signal.SIGTERM)
        press(signal.SIGTERM)
    assert asked.reasons == ["stopped by SIGTERM"]


def test_no_library_takes_the_second_one_for_trouble_that_passes() -> None:
    asked: Any = Asked()
    heard = []

    def driven() -> None:
        with graceful_interrupts(asked):
            press(signal.SIGTERM)
            try:
                press(signal.SIGINT)
            except Exception as error:
                heard.append(error)

    with pytest.raises(TuningInterrupted, match="were killed"):
        driven()
    assert heard == []


def test_whoever_holds_one_up_is_interrupted_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amt_flows.tuning.interrupts.UNWINDING_SECONDS", 0.0)
    asked: Any = Asked()

    def driven() -> None:
        with graceful_interrupts(asked):
            press(signal.SIGINT)
            with suppress(InterruptedAgain):
                press(signal.SIGINT)
            press(signal.SIGINT)

    with pytest.raises(TuningInterrupted, match="may still run"):
        driven()


def test_a_closed_terminal_that_is_told_twice_stays_a_graceful_stop() -> None:
    asked: Any = Asked()
    with graceful_interrupts(asked):
        press(signal.SIGHUP)
        press(signal.SIGHUP)
    assert asked.reasons == ["stopped by SIGHUP"]


def test_under_nohup_a_closed_terminal_is_nothing() -> None:
    asked: Any = Asked()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with graceful_interrupts(asked):
            press(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert asked.reasons == []
