"""Stop a tuning job from outside its controller: from another terminal, or after the controller died.

The tuning job's name is enough. Training jobs are found by it, asked to stop, and looked for again until none
lives: one that was being launched meanwhile is found the next time.
"""

from __future__ import annotations

import contextlib

from amt_flows.engine import Tuning
from amt_flows.errors import AmtFlowsError, BackendError, TuningJobNotFound
from amt_flows.home import Home
from amt_flows.loop import drive
from amt_flows.places import LOCAL, Place, SageMakerTuner, open_journal, place_at
from amt_flows.ports import Backend, Clock, SystemClock
from amt_flows.run import load_ledger

LOOK_AGAIN_SECONDS = 0.5
# Beyond the grace time that a job's own supervisor grants it.
MARGIN_SECONDS = 10.0
LONGEST_GRACE_SECONDS = 120.0


def request_stop(name: str, home: Home = None, reason: str = "stopped by the user") -> None:
    """Leave a note in the journal for whoever drives the tuning job, now or later: it ends as Stopped.

    Raises TuningJobNotFound, JournalError.
    """
    journal = open_journal(name, home)
    if not load_ledger(journal, name).finished:
        journal.ask_to_stop(reason)


def stop_training_jobs(
    name: str, home: Home = None, *, kill: bool = False, backend: Place | None = None
) -> list[str]:
    """Stop the training jobs of a tuning job, with their grace time or (``kill``) without, and wait until
    none lives. Returns their names. ``backend`` is where they run; without it, the record says so.
    SageMaker's own tuner is asked to stop the tuning job, and stops them itself.

    Raises BackendError if one can't be stopped.
    """
    backend = backend or _place(name, home)
    if isinstance(backend, SageMakerTuner):
        return _have_amt_stop(name, home, backend)
    return stop_until_none_lives(backend, name, kill=kill, grace_seconds=_grace(name, home))


def stop_tuning_job(
    name: str, home: Home = None, *, reason: str, kill: bool = False, backend: Place | None = None
) -> list[str]:
    """Both: first the note, so that a controller that still lives launches nothing more; then the jobs."""
    with contextlib.suppress(TuningJobNotFound):
        # Without a journal there may still be training jobs.
        request_stop(name, home, reason)
    return stop_training_jobs(name, home, kill=kill, backend=backend)


def conclude(name: str, home: Home = None, *, reason: str, backend: Place | None = None) -> None:
    """End a tuning job whose controller is dead, as that would have done: its training jobs' last metrics are
    recorded, the best is chosen, and it is Stopped. A controller that lives nevertheless is fenced off.

    Raises TuningJobNotFound, JournalError, BackendError.
    """
    journal = open_journal(name, home)
    ledger = load_ledger(journal, name)
    backend = backend or place_at(ledger.backend, home)
    if isinstance(backend, SageMakerTuner):
        from amt_flows.handoff import Following, HandedOff, follow

        how = Following(poll_seconds=backend.poll_seconds)
        handed_off = HandedOff.open(ledger.spec, backend.clients(), journal, how=how)
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


def _have_amt_stop(name: str, home: Home, tuner: SageMakerTuner) -> list[str]:
    from amt_flows.handoff import stop_handed_off

    with contextlib.suppress(TuningJobNotFound):
        # It may have died before AMT was asked for anything.
        stop_handed_off(name, tuner.clients())
    try:
        return [job.name for job in load_ledger(open_journal(name, home), name).live]
    except AmtFlowsError:
        return []


def _place(name: str, home: Home) -> Place:
    try:
        address = load_ledger(open_journal(name, home), name).backend
    except AmtFlowsError:
        # Nothing is known of it; here it may have training jobs all the same.
        address = LOCAL
    return place_at(address, home)


def _grace(name: str, home: Home) -> float:
    try:
        return load_ledger(open_journal(name, home), name).spec.training_job.stop_grace_seconds
    except AmtFlowsError:
        return LONGEST_GRACE_SECONDS
