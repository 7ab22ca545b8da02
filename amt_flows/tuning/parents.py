"""The parents of a warm start, found by their names: among the tuning jobs of a home, and at AMT."""

from __future__ import annotations

from amt_flows.backends.home import Home
from amt_flows.backends.places import SAGEMAKER, Place, SageMakerTuner, open_journal
from amt_flows.errors import TuningJobNotFound
from amt_flows.ledger.record import load_ledger
from amt_flows.tuning.warm_start import Parent, Reader, parent_from_ledger
from amt_flows.tuning.warm_start.reader import first_of, not_found


def parents_in(home: Home = None, place: Place | None = None) -> Reader:
    """A reader for :meth:`amt_flows.tuning.engine.Tuning.open`: of the tuning jobs that are kept in
    ``home``, and, where ``place`` is SageMaker, of those that AMT drove there.

    It raises TuningJobNotFound for a name that is nowhere, JournalError, BackendError.
    """

    def kept(name: str) -> Parent:
        try:
            ledger = load_ledger(open_journal(name, home), name)
        except TuningJobNotFound:
            raise not_found(name) from None
        return parent_from_ledger(ledger)

    if place is None or isinstance(place, SageMakerTuner):
        # AMT finds its own parents by itself.
        return kept
    kind, _, region = place.address.partition(":")
    if kind != SAGEMAKER:
        return kept

    def amts(name: str) -> Parent:
        from amt_flows.amt import amt_parent
        from amt_flows.tuning.warm_start import parent_from_amt

        return parent_from_amt(amt_parent(name, SageMakerTuner(region or None).clients()))

    return first_of(kept, amts)
