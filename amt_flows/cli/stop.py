"""``amt-flows stop``: have a tuning job's controller end it, and end its training jobs when there is none."""

from __future__ import annotations

from collections.abc import Callable

from amt_flows.controller import Controller
from amt_flows.events import TuningStatus
from amt_flows.home import Home
from amt_flows.ledger import Ledger
from amt_flows.places import open_journal
from amt_flows.render.text import count
from amt_flows.results import result_of
from amt_flows.stop import stop_training_jobs
from amt_flows.watch import Watch

REASON = "stopped with amt-flows stop"

Say = Callable[[str], None]


def stop(name: str, home: Home, *, kill: bool, wait: float, say: Say) -> Ledger:
    """Leave the request, and follow what comes of it for up to ``wait`` seconds. Returns how it stands then.

    ``kill``: end the training jobs at once, without their grace time. Raises TuningJobNotFound,
    JournalError, BackendError.
    """
    watch = Watch(open_journal(name, home), name)
    ledger = watch.ledger
    if ledger.finished:
        say(f"{ledger.name} has ended already: {ledger.status.value}.")
    else:
        watch.journal.ask_to_stop(REASON)
        _follow(watch, home, kill=kill, wait=wait, say=say)
    return ledger


def _follow(watch: Watch, home: Home, *, kill: bool, wait: float, say: Say) -> None:
    ledger = watch.ledger
    if kill:
        killed = stop_training_jobs(ledger.name, home, kill=True, ledger=ledger)
        say(f"{count(len(killed), 'training job')} killed.")
    elif wait <= 0:
        say(f"{ledger.name} is asked to stop.")
        return
    if watch.wait_for_end(wait):
        say(f"{ledger.name} is stopped. {result_of(ledger, watch.journal.location).headline}.")
    elif ledger.concluding and not Controller(ledger.controller).is_gone:
        say(
            f"{ledger.name} is stopping; {_still_running(ledger)}. `amt-flows stop --kill` ends them at once."
        )
    else:
        _stop_without_controller(ledger, home, kill=kill, say=say)


def _stop_without_controller(ledger: Ledger, home: Home, *, kill: bool, say: Say) -> None:
    say(f"No controller answers for {ledger.name} (the last was {ledger.controller}).")
    stopped = stop_training_jobs(ledger.name, home, kill=kill, ledger=ledger)
    say(f"{count(len(stopped), 'training job')} stopped directly.")
    end = (ledger.end_status or TuningStatus.STOPPED).value
    say(f"Its record ends as {end}, with the best so far, when the same spec is run once more.")


def _still_running(ledger: Ledger) -> str:
    return f"{count(len(ledger.live), 'training job')} still in the grace time"
