"""``amt-flows stop``: have a tuning job's controller end it, and end its training jobs when there is none."""

from __future__ import annotations

import time
from collections.abc import Callable

from amt_flows.cli.records import controller_is_gone, read_record
from amt_flows.home import Home
from amt_flows.ledger import Ledger
from amt_flows.render.text import count
from amt_flows.results import result_of
from amt_flows.stop import request_stop, stop_training_jobs

REASON = "stopped with amt-flows stop"
LOOK_SECONDS = 0.1

Say = Callable[[str], None]


def stop(name: str, home: Home, *, kill: bool, wait: float, say: Say) -> None:
    """Leave the request, and follow what comes of it for up to ``wait`` seconds.

    ``kill``: end the training jobs at once, without their grace time. Raises TuningJobNotFound,
    JournalError, BackendError.
    """
    record = read_record(name, home)
    if record.ledger is not None and record.ledger.finished:
        say(f"{record.name} has ended already: {record.ledger.status.value}.")
        return
    request_stop(name, home, REASON)
    if kill:
        killed = stop_training_jobs(name, home, kill=True)
        say(f"{count(len(killed), 'training job')} killed.")
    elif wait <= 0:
        say(f"{record.name} is asked to stop.")
        return
    ledger = _follow(name, home, wait)
    if ledger.finished:
        say(f"{ledger.name} is stopped. {result_of(ledger, record.journal.location).headline}.")
    elif ledger.concluding:
        say(
            f"{ledger.name} is stopping; {_still_running(ledger)}. `amt-flows stop --kill` ends them at once."
        )
    else:
        _stop_without_controller(ledger, home, kill=kill, say=say)


def _follow(name: str, home: Home, wait: float) -> Ledger:
    """The ledger when the tuning job has ended, when the time is up, or when nobody is left to end it."""
    give_up_at = time.monotonic() + wait
    while True:
        ledger = read_record(name, home).ledger
        assert ledger is not None
        if ledger.finished or controller_is_gone(ledger) or time.monotonic() >= give_up_at:
            return ledger
        time.sleep(LOOK_SECONDS)


def _stop_without_controller(ledger: Ledger, home: Home, *, kill: bool, say: Say) -> None:
    say(f"No controller answers for {ledger.name} (the last was {ledger.controller}).")
    stopped = stop_training_jobs(ledger.name, home, kill=kill)
    say(f"{count(len(stopped), 'training job')} stopped directly.")
    say("Its record ends as Stopped, with the best so far, when the same spec is run once more.")


def _still_running(ledger: Ledger) -> str:
    return f"{count(len(ledger.live), 'training job')} still in the grace time"
