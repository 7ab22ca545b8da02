"""How a tuning job comes into AMT's hands, or is found there; and how its record begins.

The intent is recorded before AMT is asked: a tuning job that runs there costs money whether or not anybody
knows of it. AMT's answer, or its refusal, is the next entry. Whoever finds an intent without either asks
again, since the name and the tag make that idempotent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeAlias

from amt_flows.amt.api import TuningApi, not_found
from amt_flows.amt.described_spec import changes_asked
from amt_flows.amt.parent import patiently
from amt_flows.amt.request import HANDED_OFF, amt_request
from amt_flows.backends.places import AMT
from amt_flows.backends.sagemaker.clients import Clients
from amt_flows.backends.sagemaker.service import Answer
from amt_flows.errors import LaunchRejected, NameTaken, TuningJobNotFound
from amt_flows.events import HandedOver, Opened, Withdrawn
from amt_flows.ledger.identity import another_spec, must_be_of
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.record import Record
from amt_flows.spec import TuningSpec

Sleep: TypeAlias = Callable[[float], None]

NEW_PAUSES: Final = (1.0, 3.0, 5.0)
"""Seconds in which a tuning job that was created should be known to all of the service."""


def begin(record: Record, spec: TuningSpec, clients: Clients, sleep: Sleep, controller: str) -> None:
    """Record that a tuning job is to be AMT's, or take up the record that there is, and see that AMT has it.

    Raises SpecError before anything is recorded, with all that AMT can't do; NameTaken; BackendError when AMT
    refuses, after which it is as if nobody had asked; JournalError and Fenced, before AMT is asked.
    """
    ledger = record.ledger
    if ledger.opened:
        must_be_of(ledger, spec)
        record.take_over(controller)
        # One that is to be stopped isn't begun for that.
        if not ledger.awaits_amt or ledger.concluding or record.journal.asked_to_stop() is not None:
            return
    else:
        amt_request(spec)
        record.append([intent(spec, record.now(), clients.region, controller=controller)])
    try:
        answer = hand_over(spec, TuningApi(clients), sleep)
    except (LaunchRejected, NameTaken) as error:
        record.append([Withdrawn(record.now(), error.happened)])
        raise
    record.append([HandedOver(record.now(), created_at(answer))])


def hand_over(spec: TuningSpec, api: TuningApi, sleep: Sleep) -> Answer:
    """What AMT tells of the tuning job that this spec asks for, which it has now.

    The name makes it idempotent: a tuning job that is there already is ours if it has our tag, or if it was
    asked for in the same words. Raises SpecError before AMT is asked, NameTaken, BackendError.
    """
    assert spec.name is not None
    body = amt_request(spec)
    new = patiently(lambda: api.create(body), sleep)
    answer = _described(spec.name, api, sleep)
    if not new:
        must_be_asked_for(spec, answer, patiently(lambda: tag_of(answer, api), sleep))
    return answer


def tag_of(answer: Answer, api: TuningApi) -> str | None:
    """Our own tag of a described tuning job. Raises PassingTrouble, BackendError."""
    return api.tags(str(answer["HyperParameterTuningJobArn"])).get(HANDED_OFF)


def must_be_asked_for(spec: TuningSpec, answer: Answer, tag: str | None) -> None:
    """Raises NameTaken when what AMT has by this name isn't what the spec asks for."""
    changed = [] if tag == spec.fingerprint() else changes_asked(amt_request(spec), answer)
    if tag not in (None, spec.fingerprint()) or changed:
        raise another_spec(str(spec.name), changed)


def found(name: str, api: TuningApi, sleep: Sleep) -> Answer:
    """What AMT tells of a tuning job. Raises TuningJobNotFound, BackendError."""
    answer = patiently(lambda: api.describe(name), sleep)
    if answer is None:
        raise not_found(name)
    return answer


def _described(name: str, api: TuningApi, sleep: Sleep) -> Answer:
    for pause in NEW_PAUSES:
        try:
            return found(name, api, sleep)
        except TuningJobNotFound:
            sleep(pause)
    return found(name, api, sleep)


def opening(spec: TuningSpec, answer: Answer, region: str | None, *, controller: str) -> Opened:
    """The first event of the record of what AMT has. Its time is AMT's, which counts the runtime by it."""
    made = intent(spec, created_at(answer), region, controller=controller)
    return replace(made, name=str(answer["HyperParameterTuningJobName"]), intended=False)


def intent(spec: TuningSpec, at: float, region: str | None, *, controller: str) -> Opened:
    """The first event of the record of one that AMT is going to be asked for."""
    return Opened(
        at=at,
        name=str(spec.name),
        fingerprint=spec.fingerprint(),
        spec=spec.to_json(),
        controller=controller,
        backend=f"{AMT}:{region or ''}",
        intended=True,
    )


def created_at(answer: Answer) -> float:
    """In seconds since the epoch."""
    moment: datetime = answer["CreationTime"]
    return moment.timestamp()


def must_be_the_same(ledger: Ledger, answer: Answer) -> None:
    """Raises NameTaken when the tuning job that AMT has now isn't the one of the record."""
    if abs(created_at(answer) - ledger.opened_at) > 1.0:
        raise NameTaken(
            f"The tuning job {ledger.name} that AMT has is not the one of this journal: it was created "
            f"{answer['CreationTime']:%Y-%m-%d %H:%M:%S}.",
            because="the first one was deleted, and another one was given its name",
            remedy="follow the new one with a journal of its own",
        )
