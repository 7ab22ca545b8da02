"""Sending what is missing, once a tuning job has ended or whoever drove it is gone."""

from __future__ import annotations

from collections.abc import Callable

from amt_flows.errors import Problem, SpecError, TrackingError
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import Journal
from amt_flows.spec.parts import Tracking
from amt_flows.tracking.beside import problems_of, sentence_of, unsent
from amt_flows.tracking.sender import Said, Sender


def asked_tracking(ledger: Ledger, uri: str | None, experiment: str | None) -> Tracking:
    """Where a tuning job is to be shown: as its record has it, but for what is given. Raises SpecError."""
    recorded = ledger.spec.tracking
    if uri is None and recorded is None:
        message = "the tuning job's record names no place; give MLflow's tracking URI with --mlflow"
        raise SpecError([Problem("tracking.mlflow", None, message)])
    given = {} if recorded is None else recorded.model_dump()
    given |= {key: text for key, text in (("mlflow", uri), ("experiment", experiment)) if text is not None}
    spec = type(ledger.spec)(**{**ledger.spec.to_json(), "tracking": given})
    if problems := problems_of(spec):
        raise SpecError(problems)
    assert spec.tracking is not None
    return spec.tracking


def catch_up(
    name: str, journal: Journal, tracking: Tracking, *, seconds: float, tell: Callable[[str], None]
) -> None:
    """Have it all sent, for up to so many seconds. Raises TrackingError for what is missing then."""
    sender = Sender(tracking, name, {}, past_is_whole=False)
    try:
        sender.tell_events(journal.read(), past=True)
        missing = unsent(sender, name, journal, seconds)
        lines: list[Said] = sender.said()
    finally:
        sender.close()
    for said in lines:
        if line := sentence_of(said):
            tell(line)
    if missing is not None:
        raise TrackingError(f"{missing}.", remedy=f"`amt-flows track {name}` once that is mended")
