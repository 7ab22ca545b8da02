"""``amt-flows stop``: have a tuning job's controller end it, and end it from here when there is none."""

from __future__ import annotations

from collections.abc import Callable

from amt_flows.backends.home import Home
from amt_flows.backends.places import Place, open_journal
from amt_flows.errors import JournalError, TuningJobNotFound
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.record import load_ledger, no_tuning_job, watched
from amt_flows.names import count
from amt_flows.results import result_of
from amt_flows.tuning.stop import PATIENCE_SECONDS, end_tuning_job

REASON = "stopped with amt-flows stop"

Say = Callable[[str], None]


def stop(
    name: str, home: Home, *, kill: bool, wait: float, say: Say, backend: Place | None = None
) -> Ledger | None:
    """Leave the request, and follow what comes of it: for up to ``wait`` seconds by its controller, then by
    ourselves. Returns how it stands then. With ``wait=0`` the request is all.

    ``kill``: end the training jobs at once, without their grace time. ``backend`` is where they run if there
    is no record that says so: what runs there is stopped by its name, and of SageMaker's own tuner the tuning
    job that amt-flows handed to it, for which None is returned. Raises TuningJobNotFound, JournalError,
    BackendError, NameTaken.
    """
    if backend is not None and _is_recorded(name, home):
        backend = None
    if wait <= 0 and not kill and backend is None:
        return _only_ask(name, home, say)
    ending = end_tuning_job(
        name,
        home,
        reason=REASON,
        kill=kill,
        backend=backend,
        wait=wait,
        patience=PATIENCE_SECONDS,
        tell=say,
    )
    ledger = ending.ledger
    if ending.training_jobs:
        stopped = count(len(ending.training_jobs), "training job")
        say(f"{stopped} {'killed' if kill else 'stopped'} from here.")
    if ledger is None:
        if not ending.amt_stops:
            raise no_tuning_job(name, open_journal(name, home))
        say(f"There is no record of {name}; SageMaker's own tuner stops it, and its training jobs.")
    elif ending.had_ended:
        say(f"{ledger.name} has ended already: {ledger.status.value}.")
    elif ending.is_closed:
        say(f"{ledger.name} is stopped. {result_of(ledger, ending.location).headline}.")
    else:
        running = count(len(ledger.live), "training job")
        say(f"{ledger.name} is stopping; {running} still in the grace time. `--kill` ends them at once.")
    return ledger


def _is_recorded(name: str, home: Home) -> bool:
    try:
        load_ledger(open_journal(name, home), name)
    except (TuningJobNotFound, JournalError):
        return False
    return True


def _only_ask(name: str, home: Home, say: Say) -> Ledger:
    reading = watched(open_journal(name, home), name)
    ledger = reading.ledger
    if ledger.finished:
        say(f"{ledger.name} has ended already: {ledger.status.value}.")
    else:
        reading.journal.ask_to_stop(REASON)
        say(f"{ledger.name} is asked to stop.")
    return ledger
