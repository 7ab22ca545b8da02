"""What comes before the first training job: what was left to us is chosen, and parents are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from amt_flows.errors import JournalError, Problem, SpecError
from amt_flows.events import Inherited
from amt_flows.ledger.inherited import inherited_rows
from amt_flows.names import count
from amt_flows.spec import TuningSpec
from amt_flows.spec.parts import AUTO_LEARNING
from amt_flows.tuning.autotune import Chosen, chosen
from amt_flows.tuning.starts import Starts, starts_of
from amt_flows.tuning.warm_start import Reader
from amt_flows.tuning.warm_start.inherit import inherit
from amt_flows.tuning.warm_start.learning import handed_down, searched
from amt_flows.tuning.warm_start.opening import most_learnt, transferred
from amt_flows.tuning.warm_start.parent import Searched


@dataclass(frozen=True)
class Prepared:
    """``spec`` is what would be tuned, as far as ``problems`` allow."""

    spec: TuningSpec
    chosen: tuple[str, ...]
    inherited: tuple[str, ...]
    problems: tuple[Problem, ...]
    events: tuple[Inherited, ...] = ()
    """What ``inherited`` says in words."""
    known_before: tuple[str, ...] = ()
    """What earlier tuning jobs searched this space, and what it would learn from them; or, where it does, why
    it doesn't from others."""
    starts: tuple[str, ...] = ()
    """What it starts from beside them, a sentence each."""


def prepare(asked: TuningSpec, parents: Reader | None) -> Prepared:
    """Does what opening a tuning job would do, and writes nothing."""
    problems: list[Problem] = []
    choice = Chosen(asked)
    inherited: tuple[Inherited, ...] = ()
    starts = Starts()
    try:
        choice = chosen(asked)
        inherited = inherit(choice.spec, parents, at=0.0)
        starts = starts_of(asked, choice.spec, inherited)
    except SpecError as error:
        problems += error.problems
    before = () if problems else tuple(_known_before(choice.spec, parents))
    return Prepared(
        choice.spec,
        choice.why,
        tuple(map(_in_words, inherited)),
        tuple(problems),
        inherited,
        before,
        starts.sentences,
    )


def _known_before(spec: TuningSpec, parents: Reader | None) -> Iterator[str]:
    if spec.learn_from not in ((), (AUTO_LEARNING,)):
        return
    try:
        found = searched(spec, parents)
    except JournalError as error:
        yield f"what earlier tuning jobs searched is not known: {error.happened}"
        return
    names = ", ".join(one.name for one in found.parents)
    if spec.learn_from:
        if not names:
            yield "no earlier tuning job of this home searched this space: it learns from none"
        yield from (f"{one.name} is passed over: it {one.why}" for one in found.passed_over)
    elif names:
        earlier = count(len(found.parents) + found.more, "earlier tuning job")
        latest = "the latest, " if found.more else ""
        first = _tried_first(spec, found)
        yield (
            f"{earlier} searched this space: {latest}{names}; `--learn-from auto` would start from their "
            f"{'' if first == 1 else f'{first} '}best"
        )


def _tried_first(spec: TuningSpec, found: Searched) -> int:
    """How many of their configurations would be."""
    sign = -1 if spec.maximize else 1
    rows = inherited_rows([handed_down(one, spec, 0.0) for one in found.parents], lambda value: sign * value)
    learning = spec.model_copy(update={"learn_from": (AUTO_LEARNING,)})
    return len(transferred(spec.space(), rows, learnt=most_learnt(learning)))


def _in_words(one: Inherited) -> str:
    how = "counted as its own" if one.identical else "as a hint"
    source = "" if one.source == one.parent else f" ({one.source})"
    without = "without a usable value or a configuration of this space"
    rest = f"; {count(one.left_out, 'job')} left out, {without}" if one.left_out else ""
    return f"{count(len(one.jobs), 'training job')} of {one.parent}{source}, {how}{rest}"
