"""Asking a person: answered, rejected, not answered; in a script that waits and in a deployment that is
suspended. On a real Prefect server."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, task
from prefect.automations import Automation
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.exceptions import MissingContextError

from amt_flows.flows.promotion import approval
from amt_flows.flows.promotion.approval import Answer, Verdict, wait_for_approval
from flows.flow_runs import (
    answerable,
    deployed_run,
    in_a_thread,
    newest_paused,
    read,
    respond,
    started,
    state_of,
)
from flows.local_jobs import eventually

EXECUTED: list[str] = []


@task(cache_policy=NO_CACHE, persist_result=False)
def counted(name: str) -> None:
    EXECUTED.append(name)


@flow(name="asks", persist_result=False)
def asks(timeout: float | None = 120.0) -> Answer:
    counted("above")
    answer = wait_for_approval("Is **this** good?", timeout_seconds=timeout, poll_seconds=1)
    counted("below")
    return answer


@flow(name="asks twice", persist_result=False)
def asks_twice() -> list[Answer]:
    return [wait_for_approval(key, key=key, timeout_seconds=300, poll_seconds=1) for key in ("one", "two")]


@flow(name="outer", persist_result=False)
def asks_in_a_subflow() -> Answer:
    return asks()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    EXECUTED.clear()


# -- a script --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"decision": "Approve", "decided_by": "anna"}, Answer(Verdict.APPROVED, "", "anna")),
        ({"decision": "Reject", "comment": "too slow"}, Answer(Verdict.REJECTED, "too slow")),
        ({}, Answer(Verdict.REJECTED, "resumed without a decision")),
    ],
    ids=["approved", "rejected", "resumed without the form"],
)
def test_a_script_waits_for_the_answer(given: dict[str, str], expected: Answer) -> None:
    with in_a_thread(asks) as answers:
        run = answerable("asks")
        with get_client(sync_client=True) as client:
            keys = run.state.state_details.run_input_keyset if run.state else None
            assert keys is not None
            shown = client.read_flow_run_input(run.id, keys["description"])
            form = client.read_flow_run_input(run.id, keys["schema"])
        assert "Is **this** good?" in str(shown)
        for word in ("Approve", "Reject", "Decided by", "Comment"):
            assert word in str(form)
        assert not respond(run, decision="Perhaps"), "a wrong answer was taken"
        assert respond(run, **given)
    assert answers == [expected]
    assert EXECUTED == ["above", "below"]


def test_nobody_answers_a_script() -> None:
    state = asks(timeout=2.0, return_state=True)
    assert state.result() == Answer(Verdict.TIMED_OUT)
    assert state.is_completed()
    assert EXECUTED == ["above", "below"]


def test_a_flow_may_ask_more_than_once_and_in_a_subflow() -> None:
    with in_a_thread(asks_twice) as answers:
        for decision in ("Approve", "Reject"):
            run = answerable("asks twice")
            assert respond(run, decision=decision)
            assert eventually(lambda: newest_paused("asks twice") is None or len(answers) == 1)
    assert [answer.verdict for answer in answers[0]] == [Verdict.APPROVED, Verdict.REJECTED]
    with in_a_thread(asks_in_a_subflow) as answers:
        run = answerable("asks")
        assert respond(run, decision="Approve")
    assert answers == [Answer(Verdict.APPROVED)]


def test_outside_of_a_flow_nobody_is_asked() -> None:
    with pytest.raises(MissingContextError):
        wait_for_approval("?")


# -- a deployment ----------------------------------------------------------------------------------------


def deadlines(run_id: UUID) -> list[str]:
    with get_client(sync_client=True) as client:
        return [a.name for a in client.read_automations_by_name(f"amt-approval-{run_id}-approval")]


@pytest.mark.parametrize(
    ("decision", "verdict"), [("Approve", Verdict.APPROVED), ("Reject", Verdict.REJECTED)]
)
def test_a_deployment_is_suspended_and_goes_on_from_its_top(decision: str, verdict: Verdict) -> None:
    run_id = deployed_run(asks)
    assert started(asks, run_id).name == "Suspended"
    assert EXECUTED == ["above"]
    assert deadlines(run_id) == [f"amt-approval-{run_id}-approval"]
    assert respond(read(run_id), decision=decision, comment="because")
    assert state_of(run_id) == "Resuming"
    end = started(asks, run_id)
    assert end.is_completed()
    assert end.result() == Answer(verdict, "because")
    assert EXECUTED == ["above", "above", "below"]
    assert deadlines(run_id) == []


@pytest.mark.deadline
def test_nobody_answers_a_deployment() -> None:
    """The server itself resumes it, by the automation that was made for it."""
    run_id = deployed_run(asks, timeout=10)
    assert started(asks, run_id).name == "Suspended"
    assert eventually(lambda: state_of(run_id) == "Resuming", timeout=60)
    end = started(asks, run_id)
    assert end.is_completed()
    assert end.result() == Answer(Verdict.TIMED_OUT)
    assert deadlines(run_id) == []


def test_an_answer_after_the_deadline_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the automation could not be made."""
    monkeypatch.setattr(approval, "SHORTEST_DEADLINE_SECONDS", 1)

    def broken(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("no automations here")

    monkeypatch.setattr(Automation, "create", broken)
    run_id = deployed_run(asks, timeout=1)
    assert started(asks, run_id).name == "Suspended"
    time.sleep(1.5)
    assert respond(read(run_id), decision="Approve", decided_by="late")
    assert started(asks, run_id).result() == Answer(Verdict.TIMED_OUT, "", "late")


def test_without_a_time_out_there_is_no_deadline() -> None:
    run_id = deployed_run(asks, timeout=None)
    assert started(asks, run_id).name == "Suspended"
    assert deadlines(run_id) == []
    assert respond(read(run_id), decision="Approve")
    assert started(asks, run_id).result() == Answer(Verdict.APPROVED)
    # A retry after that asks nobody again.
    assert EXECUTED == ["above", "above", "below"]
