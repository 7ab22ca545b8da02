"""A series: tuning jobs for one model, one after the other, each of which learns from those before it.

A tuning job belongs to a series by its name, ``<series>-<12 hex digits>``, so that finding its predecessors
reads no other tuning job's record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from amt_flows.backends.home import Home
from amt_flows.backends.places import AMT, open_journal
from amt_flows.errors import Problem, SpecError
from amt_flows.ledger.ledger import Ledger
from amt_flows.names import is_tuning_job_name
from amt_flows.ports import Journal
from amt_flows.spec import TuningSpec
from amt_flows.spec.parts import WarmStart, WarmStartType
from amt_flows.tuning.parents import openings
from amt_flows.tuning.warm_start import parent_from_ledger
from amt_flows.tuning.warm_start.inherit import parent_problems
from amt_flows.tuning.warm_start.parent import PassedOver

ID_DIGITS = 12
LONGEST_NAME = 32 - 1 - ID_DIGITS
MOST_PARENTS = 5
"""AMT's own limit."""


def check_series(name: str | None) -> str:
    """The series' name, if it is one. Raises SpecError."""
    if name and len(name) <= LONGEST_NAME and is_tuning_job_name(name):
        return name
    message = f"give the series a name of 1 to {LONGEST_NAME} letters, digits and inner hyphens"
    raise SpecError([Problem("series", name, message)])


def next_in_series(
    spec: TuningSpec,
    name: str,
    *,
    learn_from: int,
    kind: WarmStartType,
    home: Home = None,
    by_amt: bool = False,
    elsewhere: Sequence[Ledger] = (),
) -> tuple[TuningSpec, list[PassedOver]]:
    """``spec`` as the tuning job ``name`` of its series: warm-started from the ``learn_from`` latest ones
    that have ended with a usable training job, after the parents that the spec has already.

    One that was opened before, by a run that died, is as it was opened: others may have ended since. A
    predecessor that does not fit any more, because other hyperparameters are tuned now, say, is passed over;
    so is, if SageMaker's own tuner is to learn from it (``by_amt``), one that it has not tuned itself.
    ``elsewhere`` are tuning jobs of the series that are known to be kept in other homes.
    Raises SpecError, JournalError.
    """
    before = Ledger.replay(open_journal(name, home).read())
    if before.opened:
        return before.spec, []
    given = () if spec.warm_start is None else spec.warm_start.parents
    wanted = min(learn_from, MOST_PARENTS - len(given))
    found: list[str] = []
    passed_over: list[PassedOver] = []
    for ledger in predecessors(name, home, elsewhere) if wanted > 0 else ():
        problems = list(parent_problems(parent_from_ledger(ledger), spec, "parent"))
        if by_amt and ledger.backend.partition(":")[0] != AMT:
            passed_over.append(PassedOver(ledger.name, "was not tuned by AMT, which knows only its own"))
        elif problems:
            passed_over.append(PassedOver(ledger.name, problems[0].message))
        elif ledger.name not in given:
            found.append(ledger.name)
        if len(found) == wanted:
            break
    if not found:
        return spec.named(name), passed_over
    kind = kind if spec.warm_start is None else spec.warm_start.type
    start = WarmStart(type=kind, parents=(*given, *found))
    return spec.model_copy(update={"warm_start": start}).named(name), passed_over


def predecessors(name: str, home: Home = None, elsewhere: Sequence[Ledger] = ()) -> Iterator[Ledger]:
    """The tuning jobs of the same series that have ended with a best training job, the latest first. Of a
    record that nobody asks for only the opening is read. Raises JournalError."""
    known: list[tuple[float, Journal | Ledger]] = [(one.opened_at, one) for one in elsewhere if one.opened]
    known += (
        (opened.at, journal) for opened, journal in openings(home, lambda other: is_predecessor(other, name))
    )
    for _, one in sorted(known, key=lambda each: each[0], reverse=True):
        ledger = one if isinstance(one, Ledger) else Ledger.replay(one.read())
        if ledger.finished and ledger.best is not None:
            yield ledger


def is_predecessor(other: str, name: str) -> bool:
    """Whether ``other`` is the name of another tuning job of the series of ``name``."""
    like_it = rf"{re.escape(series_of(name))}-[0-9a-f]{{{ID_DIGITS}}}"
    return other.lower() != name.lower() and re.fullmatch(like_it, other.lower()) is not None


def is_of_a_series(name: str) -> bool:
    """Whether a tuning job has the name of one of a series."""
    return re.fullmatch(rf".+-[0-9a-f]{{{ID_DIGITS}}}", name.lower()) is not None


def series_of(name: str) -> str:
    """In lower case: names are compared without regard to it."""
    return name.lower()[: -ID_DIGITS - 1]
