"""Prefect's temporary server, as commands of a terminal start it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from amt_flows.flows.ephemeral import start_server_beyond_ctrl_c


def blocked() -> set[int]:
    """What a process that is started now is born deaf to."""
    return {int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])}


def test_neither_ctrl_c_nor_a_closed_terminal_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    at_its_start: list[set[int]] = []

    @contextmanager
    def client(**given: object) -> Iterator[None]:
        at_its_start.append(blocked())
        yield

    monkeypatch.setattr("prefect.client.orchestration.get_client", client)
    before = blocked()
    start_server_beyond_ctrl_c()
    assert at_its_start == [before | {signal.SIGINT, signal.SIGHUP}]
    assert blocked() == before
