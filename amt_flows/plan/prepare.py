"""What comes before the first training job: what was left to us is chosen, and parents are read."""

from __future__ import annotations

from dataclasses import dataclass

from amt_flows.errors import Problem, SpecError
from amt_flows.events import Inherited
from amt_flows.show.text import count
from amt_flows.spec import TuningSpec
from amt_flows.tuning.autotune import Chosen, chosen
from amt_flows.tuning.warm_start import Reader
from amt_flows.tuning.warm_start.inherit import inherit


@dataclass(frozen=True)
class Prepared:
    """``spec`` is what would be tuned, as far as ``problems`` allow."""

    spec: TuningSpec
    chosen: tuple[str, ...]
    inherited: tuple[str, ...]
    problems: tuple[Problem, ...]
    events: tuple[Inherited, ...] = ()
    """What ``inherited`` says in words."""


def prepare(asked: TuningSpec, parents: Reader | None) -> Prepared:
    """Does what opening a tuning job would do, and writes nothing."""
    problems: list[Problem] = []
    choice = Chosen(asked)
    inherited: tuple[Inherited, ...] = ()
    try:
        choice = chosen(asked)
        inherited = inherit(choice.spec, parents, at=0.0)
    except SpecError as error:
        problems += error.problems
    return Prepared(choice.spec, choice.why, tuple(map(_in_words, inherited)), tuple(problems), inherited)


def _in_words(one: Inherited) -> str:
    how = "counted as its own" if one.identical else "as a hint"
    source = "" if one.source == one.parent else f" ({one.source})"
    rest = f"; {count(one.left_out, 'job')} left out, without a usable value" if one.left_out else ""
    return f"{count(len(one.jobs), 'training job')} of {one.parent}{source}, {how}{rest}"
