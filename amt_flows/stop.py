"""Stop a tuning job from outside its controller: from another terminal, or after the controller died.

The tuning job's name is enough. Training jobs are found by it, asked to stop, and looked for again until none
lives: one that was being launched meanwhile is found the next time.
"""

from __future__ import annotations

import contextlib

from amt_flows.engine import Tuning
from amt_flows.errors import AmtFlowsError, BackendError, TuningJobNotFound
from amt_flows.home import Home
from amt_flows.ledger import Ledger
from amt_flows.loop import drive
from amt_flows.places import LOCAL, Place, SageMakerTuner, open_journal, place_at
from amt_flows.ports import Backend, Clock, SystemClock
from amt_flows.run import load_ledger

LOOK_AGAIN_SECONDS = 0.5
# Beyond the grace time that a job's own supervisor grants it.
MARGIN_SECONDS = 10.0
LONGEST_GRACE_SECONDS = 120.0


def request_stop(name: str, home: Home = None, reason: str = "stopped by the user") -> Ledger:
    """Leave a note in the journal for whoever drives the tuning job, now or later: it ends as Stopped.
    Returns what the record says of it.

    Raises TuningJobNotFound, JournalError.
    """
    journal = open_journal(name, home)
    ledger = load_ledger(journal, name)
    if not ledger.finished:
        journal.ask_to_stop(reason)
    return ledger


def stop_training_jobs(
    name: str,
    home: Home = None,
    *,
    kill: bool = False,
    backend: Place | None = None,
    ledger: Ledger | None = None,
) -> list[str]:
    """Stop the training jobs of a tuning job, with their grace time or (``kill``) without, and wait until
    none lives. Returns their names. ``backend`` is where they run; without it, the record says so, which is
    read unless ``ledger`` has it. SageMaker's own tuner is asked to stop the tuning job, and stops them
    itself.

    Raises BackendError if one can't be stopped.
    """
    ledger = _recorded(name, home) if ledger is None else ledger
    name = name if ledger is None else ledger.name
    # Where nothing is known of it, there may be training jobs of it here all the same.
    backend = backend or place_at(LOCAL if ledger is None else ledger.backend, home)
    if isinstance(backend, SageMakerTuner):
        return _have_amt_stop(name, backend, ledger)
    graces = () if ledger is None else (one.spec.training_job.stop_grace_seconds for one in ledger.algorithms)
    grace = max(graces, default=LONGEST_GRACE_SECONDS)
    return stop_until_none_lives(backend, name, kill=kill, grace_seconds=grace)


def stop_tuning_job(
    name: str, home: Home = None, *, reason: str, kill: bool = False, backend: Place | None = None
) -> list[str]:
    """Both: first the note, so that a controller that still lives launches nothing more; then the jobs."""
    ledger = None
    with contextlib.suppress(TuningJobNotFound):
        # Without a journal there may still be training jobs.
        ledger = request_stop(name, home, reason)
    return stop_training_jobs(name, home, kill=kill, backend=backend, ledger=ledger)


def conclude(name: str, home: Home = None, *, reason: str, backend: Place | None = None) -> None:
    """End a tuning job whose controller is dead, as that would have done: its training jobs' last metrics are
    recorded, the best is chosen, and it is Stopped. A controller that lives nevertheless is fenced off.

    Raises TuningJobNotFound, JournalError, BackendError.
    """
    journal = open_journal(name, home)
    ledger = load_ledger(journal, name)
    backend = backend or place_at(ledger.backend, home)
    if isinstance(backend, SageMakerTuner):
        from amt_flows.handoff import follow, open_at

        handed_off = open_at(backend, ledger.spec, journal)
        handed_off.request_stop(reason)
        follow(handed_off)
        return
    tuning = Tuning.open(ledger.spec, backend, journal)
    tuning.request_stop(reason)
    drive(tuning)


def stop_until_none_lives(
    backend: Backend, name: str, *, kill: bool, grace_seconds: float, clock: Clock | None = None
) -> list[str]:
    """As :func:`stop_training_jobs`, on any backend. Jobs that outlive their grace are killed."""
    clock = clock or SystemClock()
    kill_at = clock.now() + (0.0 if kill else grace_seconds + MARGIN_SECONDS)
    give_up_at = kill_at + MARGIN_SECONDS
    asked: dict[str, None] = {}
    while live := [job.name for job in backend.find(name) if not job.state.terminal]:
        now = clock.now()
        if now >= give_up_at:
            raise BackendError(
                f"Training jobs of {name} are still alive after they were killed: {', '.join(live)}.",
                because="they run as another user, or on another machine",
            )
        killing = now >= kill_at
        backend.stop(name, live if killing else [job for job in live if job not in asked], kill=killing)
        asked |= dict.fromkeys(live)
        backend.wait(LOOK_AGAIN_SECONDS)
    return list(asked)


def _have_amt_stop(name: str, tuner: SageMakerTuner, ledger: Ledger | None) -> list[str]:
    from amt_flows.handoff import stop_handed_off

    with contextlib.suppress(TuningJobNotFound):
        # It may have died before AMT was asked for anything.
        stop_handed_off(name, tuner.clients())
    return [] if ledger is None else [job.name for job in ledger.live]


def _recorded(name: str, home: Home) -> Ledger | None:
    """What the record says of a tuning job; None when there is none, or none that can be read."""
    try:
        return load_ledger(open_journal(name, home), name)
    except AmtFlowsError:
        return None
