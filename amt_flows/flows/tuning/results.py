"""The result of a tuning job, for another flow."""

from __future__ import annotations

from prefect.client.orchestration import get_client

from amt_flows.backends.home import Home
from amt_flows.backends.places import open_journal
from amt_flows.errors import TuningJobNotFound
from amt_flows.flows.tuning.named import location_named, published, result_in, stored_result
from amt_flows.ledger.record import load_ledger
from amt_flows.ports import Journal
from amt_flows.results import TuningResult, result_of


def load_result(name: str, home: Home = None, *, journal: Journal | None = None) -> TuningResult:
    """The result of the tuning job ``name``, which has ended.

    With a ``home`` (a directory, or ``s3://bucket/folder``) or a ``journal``, of the one that is kept there,
    and of no other; without, from the artifact on the Prefect server, from any machine that reaches it. Works
    in a flow, a task or a script. Names are compared without regard to case. Raises TuningJobNotFound when no
    tuning job of that name has ended there, NameTaken when the server knows two that are kept in different
    places, JournalError.
    """
    if home or journal is not None:
        found = _kept_at(name, journal or open_journal(name, home))
        if found.ended_at is None:
            raise TuningJobNotFound(
                f"Tuning job {name} at {found.journal} has not ended yet.",
                remedy="wait for its end, or look at it with `amt-flows status`",
            )
        return found
    location = location_named(name)
    published_one = None if location is None else _published_at(name, location)
    if published_one is None:
        raise _without_result(name)
    return published_one


def result_named(name: str, home: Home = None) -> TuningResult:
    """As :func:`load_result`; without a home also of a tuning job of this process's own home of which the
    server knows nothing; and of one that still runs, how it stands. Raises the same."""
    if home:
        return _kept_at(name, open_journal(name, home))
    location = location_named(name)
    found = None if location is None else _published_at(name, location)
    return found or _kept_at(name, open_journal(name))


def _kept_at(name: str, journal: Journal) -> TuningResult:
    """From the record, or, where that is out of reach, from the artifact that names this very record."""
    try:
        return result_of(load_ledger(journal, name), journal.location)
    except TuningJobNotFound:
        found = _published_at(name, journal.location)
        if found is None:
            raise
        return found


def _published_at(name: str, location: str) -> TuningResult | None:
    """The newest result on the server of the tuning job that is kept at ``location``."""
    with get_client(sync_client=True) as client:
        for artifact in published(client, name):
            content = result_in(artifact)
            if content.get("journal") == location:
                return stored_result(content, name)
    return None


def _without_result(name: str) -> TuningJobNotFound:
    with get_client(sync_client=True) as client:
        server = str(client.api_url)
    return TuningJobNotFound(
        f"No tuning job named {name} has left a result on the Prefect server {server}.",
        because="it has not ended yet, ran without Prefect, or on another server",
        remedy="look for its artifact on the server's Artifacts page; a tuning job of this machine also "
        f"answers to `amt-flows status {name}`",
    )
