"""How a tuning job comes into AMT's hands, or is found there; and how its record begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from amt_flows.amt.api import TuningApi, not_found
from amt_flows.amt.described_spec import changes_asked
from amt_flows.amt.parent import patiently
from amt_flows.amt.request import HANDED_OFF, amt_request
from amt_flows.backends.places import AMT
from amt_flows.backends.sagemaker.service import Answer
from amt_flows.errors import NameTaken, TuningJobNotFound
from amt_flows.events import Opened
from amt_flows.ledger.identity import another_spec
from amt_flows.ledger.ledger import Ledger
from amt_flows.spec import TuningSpec

Sleep: TypeAlias = Callable[[float], None]

NEW_PAUSES: Final = (1.0, 3.0, 5.0)
"""Seconds in which a tuning job that was created should be known to all of the service."""


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
        tag = patiently(lambda: api.tags(str(answer["HyperParameterTuningJobArn"])), sleep).get(HANDED_OFF)
        changed = [] if tag == spec.fingerprint() else changes_asked(body, answer)
        if tag not in (None, spec.fingerprint()) or changed:
            raise another_spec(spec.name, changed)
    return answer


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
    """The first event of its record. Its time is AMT's, by which AMT counts the runtime."""
    return Opened(
        at=answer["CreationTime"].timestamp(),
        name=str(answer["HyperParameterTuningJobName"]),
        fingerprint=spec.fingerprint(),
        spec=spec.to_json(),
        controller=controller,
        backend=f"{AMT}:{region or ''}",
    )


def must_be_the_same(ledger: Ledger, answer: Answer) -> None:
    """Raises NameTaken when the tuning job that AMT has now isn't the one of the record."""
    if abs(answer["CreationTime"].timestamp() - ledger.opened_at) > 1.0:
        raise NameTaken(
            f"The tuning job {ledger.name} that AMT has is not the one of this journal: it was created "
            f"{answer['CreationTime']:%Y-%m-%d %H:%M:%S}.",
            because="the first one was deleted, and another one was given its name",
            remedy="follow the new one with a journal of its own",
        )
