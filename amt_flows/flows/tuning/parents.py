"""What a new tuning job starts from, wherever earlier flow runs kept it: the parents that it names, and those
before it in its series."""

from __future__ import annotations

from dataclasses import replace

from prefect.client.orchestration import get_client

from amt_flows.backends.home import Home
from amt_flows.backends.places import Place, home_at, open_journal
from amt_flows.errors import TuningJobNotFound
from amt_flows.flows.tuning.named import location_named, results_like, stored_result, two_of
from amt_flows.flows.tuning.results import result_named
from amt_flows.ledger.ledger import Ledger
from amt_flows.results import TuningResult
from amt_flows.results.from_result import ledger_of
from amt_flows.spec import TuningSpec
from amt_flows.tuning.parents import Earlier, parents_in
from amt_flows.tuning.series import is_of_a_series, is_predecessor, series_of
from amt_flows.tuning.warm_start import Parent, Reader, parent_from_ledger
from amt_flows.tuning.warm_start.learning import those_that_fit
from amt_flows.tuning.warm_start.parent import Searched
from amt_flows.tuning.warm_start.reader import ReadingEarlier

MOST_OF_A_SERIES = 20
"""Results may be large. A new tuning job learns from five at most."""


def parents_known(home: Home = None, place: Place | None = None) -> Reader:
    """As :func:`amt_flows.tuning.parents.parents_in`. Without a home, a parent may also be in the one that
    the server's artifacts tell of, and if that is out of reach, its result is read from the artifact.

    Earlier ones that nobody names are those of the home, and of a series the ones before it that the server
    tells of.

    It raises the same, and NameTaken when the server knows two of one name.
    """
    if home:
        return parents_in(home, place)

    def find(like: TuningSpec) -> Searched:
        found = Earlier().find(like)
        if like.name is None or not is_of_a_series(like.name):
            return found
        # Those of this home first: of the others only results are known.
        elsewhere = [parent_from_ledger(one) for one in series_elsewhere(like.name)]
        both = those_that_fit([*found.parents, *elsewhere], like)
        return replace(both, passed_over=(*found.passed_over, *both.passed_over), more=found.more)

    def read(name: str) -> Parent:
        location = location_named(name)
        if location in (None, open_journal(name).location):
            return parents_in(None, place)(name)
        kept_in = home_at(location, name)
        try:
            if kept_in is not None:
                return parents_in(kept_in)(name)
        except TuningJobNotFound:
            pass  # on another machine
        return parent_from_ledger(ledger_of(result_named(name)))

    return ReadingEarlier(read, find)


def series_elsewhere(name: str) -> list[Ledger]:
    """Tuning jobs of the series of ``name`` that are not kept in this process's own home: what the newest of
    their results on the server tell. Raises NameTaken when two of one name are kept in different places."""
    found: dict[str, TuningResult] = {}
    with get_client(sync_client=True) as client:
        contents = results_like(client, f"{series_of(name)}-", MOST_OF_A_SERIES)
    for content in contents:
        if not is_predecessor(str(content.get("name")), name):
            continue
        result = stored_result(content, str(content.get("name")))
        known = found.setdefault(result.name.lower(), result)
        if known.journal != result.journal:
            raise two_of(known.name, [known.journal, result.journal])
    return [ledger_of(one) for one in found.values() if one.journal != open_journal(one.name).location]
