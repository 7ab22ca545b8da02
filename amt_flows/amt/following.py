"""Hand a tuning job to SageMaker's own tuner, follow it to its end, and give back its result."""

from __future__ import annotations

import time

from amt_flows.amt.api import TuningApi
from amt_flows.amt.handed_off import Following, HandedOff
from amt_flows.amt.opening import Sleep, found, must_be_the_same, tag_of
from amt_flows.amt.parent import patiently
from amt_flows.amt.request import HANDED_OFF
from amt_flows.backends.local.controller import this_controller
from amt_flows.backends.places import SageMakerTuner
from amt_flows.backends.sagemaker.clients import Clients
from amt_flows.errors import NameTaken
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import OnTick
from amt_flows.ports import Journal
from amt_flows.spec import TuningSpec


def open_at(
    tuner: SageMakerTuner, spec: TuningSpec, journal: Journal, *, controller: str | None = None
) -> HandedOff:
    """Hand a tuning job to SageMaker's own tuner, or take up following it, at the pace that its place has.
    Raises as :meth:`HandedOff.open`."""
    how = Following(poll_seconds=tuner.poll_seconds, controller=controller or this_controller())
    return HandedOff.open(spec, tuner.clients(), journal, how=how)


def follow(handed_off: HandedOff, *, on_tick: OnTick = lambda followed, news: None) -> None:
    """Follow a tuning job to its end. ``on_tick`` is called about once a second, and must not raise."""
    while not handed_off.ledger.finished:
        news = handed_off.observe()
        on_tick(handed_off, news)
        if not handed_off.ledger.finished:
            handed_off.wait()


def attach_at(tuner: SageMakerTuner, name: str, journal: Journal) -> HandedOff:
    """Take up following the tuning job of a record, whether or not AMT has it. Never has AMT create one.
    Raises as :meth:`HandedOff.attach`."""
    how = Following(poll_seconds=tuner.poll_seconds)
    return HandedOff.attach(name, tuner.clients(), journal, how=how)


def stop_handed_off(name: str, clients: Clients, *, sleep: Sleep = time.sleep) -> bool:
    """Have AMT stop a tuning job, whoever created it and whoever follows it. Returns at once; False when it
    had ended already. Raises TuningJobNotFound, and BackendError when AWS refuses or can't be reached for
    half a minute."""
    api = TuningApi(clients)
    return patiently(lambda: api.stop(name), sleep)


def stop_ours(name: str, ledger: Ledger | None, clients: Clients, *, sleep: Sleep = time.sleep) -> bool:
    """The same, if it is the one of a record; without a record, if it has the tag of what amt-flows hands to
    AMT. Raises NameTaken for another one, too."""
    api = TuningApi(clients)
    answer = found(name, api, sleep)
    if ledger is not None and not ledger.awaits_amt:
        must_be_the_same(ledger, answer)
        return stop_handed_off(name, clients, sleep=sleep)
    tag = patiently(lambda: tag_of(answer, api), sleep)
    if tag is None or (ledger is not None and tag != ledger.fingerprint):
        raise NameTaken(
            f"The tuning job {name} that AMT has was not handed to it by amt-flows"
            + ("." if ledger is None else " for this record."),
            because=f"it lacks the tag {HANDED_OFF}" if tag is None else "its tag is of another spec",
            remedy="if it is to end, `aws sagemaker stop-hyper-parameter-tuning-job "
            f"--hyper-parameter-tuning-job-name {name}` stops it",
        )
    return stop_handed_off(name, clients, sleep=sleep)
