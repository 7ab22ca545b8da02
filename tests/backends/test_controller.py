"""Who drives a tuning job: what the name says that the record keeps, and when that is certain."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.backends.local.controller import Controller, process_here, this_controller
from amt_flows.backends.local_worker.processes import process_state

RUN = UUID("00000000-0000-0000-0000-000000000001")


@given(st.none() | st.uuids())
def test_what_is_written_is_read(flow_run_id: UUID | None) -> None:
    controller = Controller(this_controller(flow_run_id))
    assert controller.flow_run_id == flow_run_id
    assert controller.lives_here
    assert not controller.is_gone


@pytest.mark.parametrize("suffix", ["", f", flow run {RUN}"])
def test_a_process_that_has_ended_is_gone(suffix: str) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    controller = Controller(process_here(ended.pid) + suffix)
    assert controller.is_gone
    assert not controller.lives_here


def test_a_process_that_nobody_has_asked_how_it_ended_has_ended_too() -> None:
    """As controllers in a container, where no init does."""
    ended = subprocess.Popen(["true"])
    give_up_at = time.monotonic() + 90
    while (state := process_state(ended.pid)) is not None and state[0] != "Z":
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
    try:
        assert Controller(process_here(ended.pid)).is_gone
    finally:
        ended.wait()


def test_of_another_users_process_it_is_known_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    # Its number, with /proc hidden from other users, says nothing.
    other = Controller(process_here(2**22 + 1))
    assert other.lives_here
    assert not other.is_gone


@pytest.mark.parametrize(
    "name",
    [
        "process 1 on another-machine",
        f"process 1 on another-machine, flow run {RUN}",
        "somebody",
        "",
        process_here(10**30),
        f"{process_here(1)}, flow run of another time",
    ],
)
def test_what_can_not_be_known_from_here_is_neither(name: str) -> None:
    assert not Controller(name).is_gone
    assert not Controller(name).lives_here


def test_the_flow_run_is_known_of_another_machines_too() -> None:
    assert Controller(f"process 7 on far away, flow run {RUN}").flow_run_id == RUN
    assert Controller("process 7 on far away").flow_run_id is None
