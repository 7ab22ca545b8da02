"""Hand a tuning job to SageMaker's own tuner, follow it to its end, and give back its result."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

from amt_flows.backends.sagemaker.clients import Clients
from amt_flows.controller import this_controller
from amt_flows.engine import News
from amt_flows.errors import TuningInterrupted
from amt_flows.followed import Followed
from amt_flows.handoff.beginning import Sleep
from amt_flows.handoff.calls import TuningApi
from amt_flows.handoff.handed_off import Following, HandedOff
from amt_flows.handoff.parent import patiently
from amt_flows.interrupts import graceful_interrupts
from amt_flows.names import made_up_name
from amt_flows.places import SageMakerTuner, open_journal
from amt_flows.ports import Journal
from amt_flows.results import TuningResult
from amt_flows.spec import TuningSpec

Tick: TypeAlias = Callable[[Followed, News], None]


def open_at(
    tuner: SageMakerTuner, spec: TuningSpec, journal: Journal, *, controller: str | None = None
) -> HandedOff:
    """Hand a tuning job to SageMaker's own tuner, or take up following it, at the pace that its place has.
    Raises as :meth:`HandedOff.open`."""
    how = Following(poll_seconds=tuner.poll_seconds, controller=controller or this_controller())
    return HandedOff.open(spec, tuner.clients(), journal, how=how)


def follow(handed_off: HandedOff, *, on_tick: Tick = lambda followed, news: None) -> None:
    """Follow a tuning job to its end. ``on_tick`` is called about once a second, and must not raise."""
    while not handed_off.ledger.finished:
        news = handed_off.observe()
        on_tick(handed_off, news)
        if not handed_off.ledger.finished:
            handed_off.wait()


def tune_on_amt(
    spec: TuningSpec,
    *,
    journal: Journal | None = None,
    session: Any = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    progress: bool | None = None,
    on_tick: Tick = lambda followed, news: None,
    on_open: Callable[[Followed], None] = lambda followed: None,
    how: Following | None = None,
) -> TuningResult:
    """The same as :func:`amt_flows.tune`, by SageMaker's own tuner in place of ours.

    A tuning job of the same name and spec is taken up where it stands; a finished one is returned at once.
    Ctrl-C has AMT stop it, and waits for its end; a second Ctrl-C only ends the wait. Should this process
    die, AMT goes on, and the next call follows it again. The journal is on this machine unless one is given;
    ``session``, ``region`` and ``endpoint_url`` are as in boto3.

    Raises SpecError before AMT is asked, NameTaken, BackendError, Fenced, JournalError, TuningInterrupted,
    and TuningJobFailed when the tuning job ends as Failed.
    """
    spec = spec if spec.name is not None else spec.named(made_up_name())
    assert spec.name is not None
    clients = Clients(session, region, endpoint_url, None)
    handed_off = HandedOff.open(spec, clients, journal or open_journal(spec.name), how=how)
    return to_its_end(handed_off, progress=progress, on_tick=on_tick, on_open=on_open)


def attach_to_amt(
    name: str,
    *,
    journal: Journal | None = None,
    session: Any = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    progress: bool | None = None,
    on_tick: Tick = lambda followed, news: None,
    on_open: Callable[[Followed], None] = lambda followed: None,
    how: Following | None = None,
) -> TuningResult:
    """Follow a tuning job that AMT runs, or has run, whoever created it. Otherwise as :func:`tune_on_amt`;
    raises TuningJobNotFound too."""
    clients = Clients(session, region, endpoint_url, None)
    handed_off = HandedOff.attach(name, clients, journal or open_journal(name), how=how)
    return to_its_end(handed_off, progress=progress, on_tick=on_tick, on_open=on_open)


def to_its_end(
    handed_off: HandedOff,
    *,
    progress: bool | None,
    on_tick: Tick,
    on_open: Callable[[Followed], None],
) -> TuningResult:
    """Follow a tuning job with progress and Ctrl-C as in :func:`tune_on_amt`, and give back its result.
    Raises as it does once the tuning job is in AMT's hands."""
    # Late, because they stand above this file.
    from amt_flows.progress.bar import progress_bar
    from amt_flows.run import finished_result

    on_open(handed_off)
    try:
        with progress_bar(progress) as show, graceful_interrupts(handed_off):

            def tick(followed: Followed, news: News) -> None:
                show(followed, news)
                on_tick(followed, news)

            follow(handed_off, on_tick=tick)
    except TuningInterrupted:
        raise TuningInterrupted(
            f"Interrupted a second time: tuning job {handed_off.ledger.name} is left to AMT.",
            remedy="follow it again to see its end; `aws sagemaker stop-hyper-parameter-tuning-job` stops it",
        ) from None
    return finished_result(handed_off)


def stop_handed_off(name: str, clients: Clients, *, sleep: Sleep = time.sleep) -> bool:
    """Have AMT stop a tuning job, whoever created it and whoever follows it. Returns at once; False when it
    had ended already. Raises TuningJobNotFound, and BackendError when AWS refuses or can't be reached for
    half a minute."""
    api = TuningApi(clients)
    return patiently(lambda: api.stop(name), sleep)
