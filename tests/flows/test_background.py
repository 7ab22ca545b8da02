"""What is asked of the server while a tuning job runs never holds it up."""

from __future__ import annotations

import os
import signal
from concurrent.futures import Future
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.logging import disable_run_logger

from amt_flows.backends.simulated import VirtualClock
from amt_flows.flows.api import Api, Ask, Recurrence, T
from amt_flows.flows.tuning.artifacts import Publisher
from amt_flows.flows.tuning.budget import TaskRunBudget
from amt_flows.flows.tuning.cancel import CancelWatch
from amt_flows.flows.tuning.stages import TaskStages
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.interrupts import graceful_interrupts
from flows.simulated import World
from worlds import spec


class Answers(Api):
    """Answers with given futures, and counts the questions."""

    def __init__(self, *answers: Future[Any]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def soon(self, ask: Ask[T]) -> Future[T]:
        self.asked += 1
        return self.answers.pop(0)


def answered(value: object = None, error: Exception | None = None) -> Future[Any]:
    future: Future[Any] = Future()
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)
    return future


def opened(clock: VirtualClock | None = None) -> Tuning:
    world = World(clock=clock or VirtualClock())
    tuning = Tuning.open(spec(), world.backend, world.journal, clock=world.clock)
    tuning.propose(1)
    tuning.launch(1)
    return tuning


def test_a_server_that_does_not_answer_is_asked_once_and_not_waited_for() -> None:
    clock, tuning = VirtualClock(0.0), opened()
    api = Answers(Future(), Future())
    watch = CancelWatch(api, FlowRun(flow_id=uuid4()), Recurrence(3.0, clock.now))
    publisher = Publisher(api, uuid4(), "demo", Recurrence(10.0, clock.now))
    for _ in range(100):
        watch.look(tuning)
        publisher.tick(tuning)
        clock.advance(60.0)
    assert api.asked == 2
    assert not watch.cancelled


def test_a_server_that_fails_is_asked_less_and_less() -> None:
    clock, tuning = VirtualClock(0.0), opened()
    api = Answers(*(answered(error=OSError("no route to host")) for _ in range(100)))
    watch = CancelWatch(api, FlowRun(flow_id=uuid4()), Recurrence(3.0, clock.now))
    while clock.now() < 3600:
        watch.look(tuning)
        clock.advance(0.5)
    assert 10 < api.asked < 25
    assert not tuning.check_completion()


def test_a_cancel_is_found_within_seconds_and_asked_for_no_more() -> None:
    clock, tuning = VirtualClock(0.0), opened()
    api = Answers(answered(False), answered(False), answered(True))
    watch = CancelWatch(api, FlowRun(flow_id=uuid4()), Recurrence(3.0, clock.now))
    while not watch.cancelled:
        watch.look(tuning)
        clock.advance(0.5)
    assert clock.now() <= 10
    watch.look(tuning)
    watch.look(tuning)
    assert api.asked == 3
    assert [reason.message for reason in tuning.check_completion()] == ["cancelled in Prefect"]


def test_there_is_no_publication_without_news() -> None:
    clock, tuning = VirtualClock(0.0), opened()
    api = Answers(*(answered() for _ in range(1000)))
    publisher = Publisher(api, uuid4(), "demo", Recurrence(10.0, clock.now))
    loading = api.asked
    for _ in range(10):
        publisher.tick(tuning)
        clock.advance(11.0)
    assert api.asked == loading + 1


def test_a_tuning_job_that_is_over_within_seconds_has_published_nothing_before_its_end() -> None:
    clock, tuning = VirtualClock(0.0), opened()
    api = Answers(*(answered() for _ in range(100)))
    publisher = Publisher(api, uuid4(), "demo", Recurrence(10.0, clock.now, first=3.0))
    preparing = api.asked
    while clock.now() < 3.0:
        tuning.propose(1)
        publisher.tick(tuning)
        clock.advance(0.5)
    assert api.asked == preparing
    publisher.tick(tuning)
    assert api.asked == preparing + 1


def test_a_long_tuning_publishes_each_hundredth_of_its_time() -> None:
    clock = VirtualClock(0.0)
    tuning = opened(clock)
    clock.advance(36_000.0)
    api = Answers(*(answered() for _ in range(100)))
    publisher = Publisher(api, uuid4(), "demo", Recurrence(10.0, clock.now))
    for _ in range(100):
        tuning.propose(1)
        publisher.tick(tuning)
        clock.advance(10.0)
    assert 2 <= api.asked <= 4


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (answered(True), "cancelled in Prefect"),
        (answered(False), "stopped by SIGTERM"),
        (answered(error=OSError("no route to host")), "stopped by SIGTERM"),
    ],
    ids=["cancelled", "not cancelled", "no server"],
)
def test_a_signal_that_is_a_cancel_is_called_a_cancel(answer: Future[bool], said: str) -> None:
    world = World()
    tuning = Tuning.open(spec(), world.backend, world.journal, clock=world.clock)
    watch = CancelWatch(Answers(answer), FlowRun(flow_id=uuid4()))
    with graceful_interrupts(tuning, watch.signalled):
        os.kill(os.getpid(), signal.SIGTERM)
        stages = TaskStages(tuning, TaskRunBudget(burst=0), watch.say_who)
        with disable_run_logger():
            (reason,) = stages.check_completion(tuning)
    assert reason.message == said
