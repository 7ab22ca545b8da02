"""End a tuning job from outside its controller: from another terminal, from Prefect, or after the controller
died.

The tuning job's name is enough. Training jobs are found by it, asked to stop, and looked for again until none
lives: one that was being launched meanwhile is found the next time.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from amt_flows.backends.home import Home
from amt_flows.backends.local.controller import Controller
from amt_flows.backends.places import LOCAL, Place, SageMakerTuner, open_journal, place_at
from amt_flows.errors import AmtFlowsError, BackendError, Fenced, JournalError, TuningJobNotFound
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.record import Reading, load_ledger, watched
from amt_flows.ports import Backend, Clock, SystemClock
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive

LOOK_AGAIN_SECONDS = 0.5
# Beyond the grace time that a job's own supervisor grants it.
MARGIN_SECONDS = 10.0
LONGEST_GRACE_SECONDS = 120.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
# Longer than a controller takes to look at its jobs on SageMaker, twice.
PATIENCE_SECONDS = 60.0

Tell = Callable[[str], None]


@dataclass
class Ending:
    """What became of a request to end a tuning job."""

    name: str
    ledger: Ledger | None
    """How its record stands; None where there is none."""
    training_jobs: list[str] = field(default_factory=list)
    """Those that were stopped from here."""
    location: str = ""
    """Of its journal, as a URI."""
    had_ended: bool = False
    """It was over before."""
    amt_stops: bool = False
    """There is no record, and SageMaker's own tuner, which has the tuning job, was asked to stop it."""

    @property
    def is_closed(self) -> bool:
        """Whether its record is."""
        return self.ledger is not None and self.ledger.finished


def end_tuning_job(
    name: str,
    home: Home = None,
    *,
    reason: str,
    close: bool = True,
    kill: bool = False,
    backend: Place | None = None,
    wait: float = 0.0,
    patience: float = 0.0,
    tell: Tell = lambda line: None,
) -> Ending:
    """End a tuning job, with or without a controller that lives.

    A note in its record has a controller that lives end it: it is left alone for ``wait`` seconds. Then its
    training jobs are stopped from here, with their grace time or (``kill``) at once and without; and when
    the controller has not closed the record ``patience`` seconds later, it is closed from here: the jobs'
    last metrics are recorded, the best is chosen, it is Stopped, and a controller that lives nevertheless is
    fenced off. One that is certainly dead is not waited for.

    With ``close=False`` the training jobs are stopped and nothing else: whoever opens the tuning job again
    goes on with it. ``backend`` is where they run; without it, the record says so. SageMaker's own tuner is
    asked to stop the tuning job, and stops them itself. ``tell`` gets a sentence for each step that takes
    its time.

    Raises BackendError if a training job can't be stopped; JournalError when the record can't be read or
    written, after the training jobs were stopped nevertheless; NameTaken when SageMaker's own tuner has
    another tuning job of this name. Without a record nothing is closed, and ``ledger`` is None.
    """
    if not close:
        ledger = _recorded(name, home)
        jobs = stop_training_jobs(name, home, kill=kill, backend=backend, ledger=ledger)
        return Ending(name, ledger, jobs)
    try:
        reading = watched(open_journal(name, home), name)
    except TuningJobNotFound:
        # It may have died before it was opened, or its record is kept elsewhere.
        return _without_record(name, home, kill=kill, backend=backend)
    except JournalError as error:
        ending = _without_record(name, home, kill=kill, backend=backend)
        raise _all_the_same(error, ending) from error
    ending = Ending(reading.ledger.name, reading.ledger, location=reading.journal.location)
    if reading.ledger.finished:
        ending.had_ended = True
        return ending
    try:
        reading.journal.ask_to_stop(reason)
    except JournalError as error:
        # Nobody is told of it, so nobody is waited for: processes can be ended whatever the disk does.
        tell(f"The note to stop can't be left: {error.happened}")
        wait = patience = 0.0
    try:
        _end(
            reading, ending, home, reason, kill=kill, backend=backend, wait=wait, patience=patience, tell=tell
        )
    except JournalError as error:
        raise _all_the_same(error, ending) from error
    return ending


def _without_record(name: str, home: Home, *, kill: bool, backend: Place | None) -> Ending:
    if isinstance(backend, SageMakerTuner):
        return Ending(name, None, amt_stops=have_amt_stop(name, backend, None))
    return Ending(name, None, stop_training_jobs(name, home, kill=kill, backend=backend))


def _all_the_same(error: JournalError, ending: Ending) -> JournalError:
    """An error of the record of a tuning job whose training jobs were stopped nevertheless."""
    if ending.amt_stops:
        done = "SageMaker's own tuner stops it all the same."
    elif ending.training_jobs:
        done = f"Its training jobs are stopped all the same: {', '.join(ending.training_jobs)}."
    else:
        done = "None of its training jobs was found running."
    return JournalError(f"{error.happened} {done}", because=error.because, remedy=error.remedy)


def _end(
    reading: Reading,
    ending: Ending,
    home: Home,
    reason: str,
    *,
    kill: bool,
    backend: Place | None,
    wait: float,
    patience: float,
    tell: Tell,
) -> None:
    ledger = reading.ledger

    def stop_jobs() -> None:
        found = stop_training_jobs(ledger.name, home, kill=kill, backend=backend, ledger=ledger)
        ending.training_jobs += [name for name in found if name not in ending.training_jobs]

    if kill:
        stop_jobs()
    if wait > 0 and wait_for_end(reading, wait):
        return
    gone = Controller(ledger.controller).is_gone
    if wait > 0 and ledger.concluding and not gone:
        return
    if wait > 0:
        tell(f"No controller answers for {ledger.name} (the last was {ledger.controller}).")
    stop_jobs()
    # A controller that is fenced off, because somebody else closes its record, fails its flow run, and a
    # pipeline would not go on with the best so far.
    if wait_for_end(reading, patience):
        return
    if patience > 0 and not gone:
        tell(f"The controller of {ledger.name} does not answer; its record is closed from here.")
    with contextlib.suppress(Fenced):
        # Somebody has taken it up meanwhile: the note is for him.
        _conclude(reading, home, reason=reason, backend=backend)
    reading.look()


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
        have_amt_stop(name, backend, ledger)
        return [] if ledger is None else [job.name for job in ledger.live]
    graces = () if ledger is None else (one.spec.training_job.stop_grace_seconds for one in ledger.algorithms)
    grace = max(graces, default=LONGEST_GRACE_SECONDS)
    return stop_until_none_lives(backend, name, kill=kill, grace_seconds=grace)


def _conclude(reading: Reading, home: Home, *, reason: str, backend: Place | None) -> None:
    """End a tuning job whose controller is dead, as that would have done."""
    ledger, journal = reading.ledger, reading.journal
    backend = backend or place_at(ledger.backend, home)
    if isinstance(backend, SageMakerTuner):
        from amt_flows.amt import attach_at, follow

        handed_off = attach_at(backend, ledger.name, journal)
        handed_off.request_stop(reason)
        follow(handed_off)
        return
    # What would keep a training job from running keeps nobody from ending it.
    tuning = Tuning.open(ledger.spec, backend, journal, checked=False)
    tuning.request_stop(reason)
    drive(tuning)


def wait_for_end(
    reading: Reading,
    seconds: float,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether the tuning job ends within so many seconds. Returns at once when its controller is certainly
    dead: nobody is left to end it. Raises JournalError."""
    give_up_at = monotonic() + seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        reading.look()
        ledger = reading.ledger
        left = give_up_at - monotonic()
        if ledger.finished or left <= 0 or Controller(ledger.controller).is_gone:
            return ledger.finished
        # Most ends come soon; in S3, each look at what takes longer is paid for.
        sleep(min(pause, left))
        pause = min(1.5 * pause, LONGEST_PAUSE_SECONDS)


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


def have_amt_stop(name: str, tuner: SageMakerTuner, ledger: Ledger | None) -> bool:
    """Have SageMaker's own tuner stop the tuning job of a record, or without one that has our tag. Returns
    whether it knows it. Raises NameTaken for another one of this name, BackendError."""
    from amt_flows.amt import stop_ours

    try:
        stop_ours(name, ledger, tuner.clients())
    except TuningJobNotFound:
        # It may have died before AMT was asked for anything.
        return False
    return True


def _recorded(name: str, home: Home) -> Ledger | None:
    """What the record says of a tuning job; None when there is none, or none that can be read."""
    try:
        return load_ledger(open_journal(name, home), name)
    except AmtFlowsError:
        return None
