"""What a new tuning job may start from: tuning jobs found by their names, in a home and at AMT, and those of
a home that have searched its space before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from amt_flows.backends.home import Home, is_in_s3
from amt_flows.backends.places import SAGEMAKER, Place, SageMakerTuner, journals, open_journal
from amt_flows.errors import JournalError, TuningJobNotFound
from amt_flows.events import Opened
from amt_flows.ledger.record import load_ledger, opening_of
from amt_flows.ports import Journal
from amt_flows.spec import TuningSpec
from amt_flows.tuning.warm_start import Parent, Reader, parent_from_ledger
from amt_flows.tuning.warm_start.learning import searches_alike, those_that_fit
from amt_flows.tuning.warm_start.parent import PassedOver, Searched
from amt_flows.tuning.warm_start.reader import ReadingEarlier, first_of, not_found

LOOKED_INTO: Final = 20
"""So many records of a home are read whole, at most, until there are enough to learn from. Of all others the
first entry is."""
READERS: Final = 10
"""First entries in S3 are read so many at a time."""


def parents_in(home: Home = None, place: Place | None = None) -> Reader:
    """A reader for :meth:`amt_flows.tuning.engine.Tuning.open`: of the tuning jobs that are kept in
    ``home``, and, where ``place`` is SageMaker, of those that AMT drove there. It also finds those of the
    home that nobody names (:class:`~amt_flows.tuning.warm_start.parent.KnowsEarlier`).

    It raises TuningJobNotFound for a name that is nowhere, JournalError, BackendError.
    """

    def kept(name: str) -> Parent:
        try:
            ledger = load_ledger(open_journal(name, home), name)
        except TuningJobNotFound:
            raise not_found(name) from None
        return parent_from_ledger(ledger)

    def amts(name: str) -> Parent:
        from amt_flows.amt import amt_parent
        from amt_flows.tuning.warm_start import parent_from_amt

        return parent_from_amt(amt_parent(name, SageMakerTuner(region or None).clients()))

    # AMT finds its own parents by itself.
    address = "" if place is None or isinstance(place, SageMakerTuner) else place.address
    kind, _, region = address.partition(":")
    read = first_of(kept, amts) if kind == SAGEMAKER else kept
    return ReadingEarlier(read, Earlier(home).find)


@dataclass(frozen=True)
class Earlier:
    """The tuning jobs of a home that have searched a space before."""

    home: Home = None

    def find(self, like: TuningSpec) -> Searched:
        """The latest of them that ``like`` can learn from, and those that were passed over on the way.

        Of each tuning job's record the first entry is read, which has its spec; the whole records only of
        those that searched this space. A record that can't be read is passed over. Raises JournalError for a
        home that can't be.
        """
        own = "" if like.name is None else like.name.lower()
        others = openings(self.home, lambda folder: folder != own, _opening)
        alike = [(opened, journal) for opened, journal in others if searches_alike(opened.spec, like)]
        alike.sort(key=lambda one: one[0].at, reverse=True)
        found = those_that_fit(_read(alike[:LOOKED_INTO]), like)
        return replace(found, more=len(alike) - len(found.parents) - len(found.passed_over))


def openings(
    home: Home, wanted: Callable[[str], bool], read: Callable[[Journal], Opened | None] = opening_of
) -> Iterator[tuple[Opened, Journal]]:
    """How the tuning jobs of a home were opened whose names are ``wanted``, and their journals, of which no
    more is read. Raises JournalError for a home that can't be read, and what ``read`` raises."""
    others = [journal for folder, journal in journals(home) if wanted(folder)]
    with ThreadPoolExecutor(READERS if is_in_s3(home) else 1) as pool:
        for journal, opened in zip(others, pool.map(read, others), strict=True):
            if opened is not None:
                yield opened, journal


def _opening(journal: Journal) -> Opened | None:
    try:
        return opening_of(journal)
    except JournalError:
        return None


def _read(alike: list[tuple[Opened, Journal]]) -> Iterator[Parent | PassedOver]:
    for opened, journal in alike:
        try:
            yield parent_from_ledger(load_ledger(journal, opened.name))
        except (JournalError, TuningJobNotFound) as error:
            yield PassedOver(opened.name, f"can't be read: {error.happened}")
