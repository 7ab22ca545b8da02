"""What a new tuning job starts from beside what it is told to: first guesses and known good starts.

- *A first guess* is the configuration that the user already has: the value hints of ``auto_parameters``, and
  the defaults of the training script's arguments for the rest. It is complete or none, and stands back where
  ``first_configurations`` or parents say more.
- *Known good starts* are configurations of the set that comes with amt-flows, where the algorithm is
  recognised for certain (:mod:`amt_flows.tuning.starts.recognition`).

Only for the Bayesian strategy, which goes on from any start; random search and grids stay what they are.
Together with the configurations given and what parents hand down, they are a third of the training jobs at
most. How they take turns with the strategy, and when they end early: :mod:`amt_flows.tuning.starts.turns`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from amt_flows.events import Inherited, Start
from amt_flows.ledger.algorithms import Algorithm, algorithms_of
from amt_flows.names import count
from amt_flows.space.space import Categorical, Configuration, Space, Value, configuration_key
from amt_flows.space.values import value_from
from amt_flows.spec import StrategyType, TuningSpec
from amt_flows.tuning.starts.fitting import fitted
from amt_flows.tuning.starts.known_set import KnownSet, known_set
from amt_flows.tuning.starts.recognition import Recognised, recognised
from amt_flows.tuning.starts.script import Script, script_of
from amt_flows.tuning.warm_start.opening import LEAST_TRANSFERRED, most_learnt

MOST: Final = 8
"""Known good starts of an algorithm: what was chosen later helped on few data sets."""
SHARE: Final = 3
"""One in so many training jobs is such a start at most."""
CHANGED: Final = 3
"""A first guess of which more than one in so many values lies outside of the ranges is that of another
task."""
GUESS: Final = "first guess"
KNOWN: Final = "known start"


@dataclass(frozen=True)
class Starts:
    """``configurations`` in the order to try them; ``sentences`` say what they are, for a person."""

    configurations: tuple[Start, ...] = ()
    sentences: tuple[str, ...] = ()


def starts_of(
    asked: TuningSpec, spec: TuningSpec, inherited: Sequence[Inherited] = (), among: KnownSet | None = None
) -> Starts:
    """The starts of a new tuning job. ``spec`` is what ``asked`` came to after what it left to us was chosen,
    ``inherited`` what its parents know. Scripts are read and never run. Nothing is raised for what can't be
    read."""
    if not spec.known_starts or spec.strategy is not StrategyType.BAYESIAN:
        return Starts()
    every = algorithms_of(spec)
    room = _room(spec, inherited) // len(every)
    among = among or known_set()
    found = [
        _of_one(algorithm, hints, room, inherited, among)
        for algorithm, hints in zip(every, map(_hints, algorithms_of(asked)), strict=True)
    ]
    return Starts(
        tuple(start for one in found for start in one.configurations),
        tuple(sentence for one in found for sentence in one.sentences),
    )


def _room(spec: TuningSpec, inherited: Sequence[Inherited]) -> int:
    """How many starts there may be."""
    jobs = spec.limits.max_number_of_training_jobs
    before = len(spec.first_configurations)
    # Results that can be compared with ours are ones that need not be made; of hints the best are tried.
    before += sum(len(one.jobs) for one in inherited if one.identical)
    hints = {one.parent for one in inherited if one.jobs and not one.identical}
    before += max(LEAST_TRANSFERRED, len(hints), most_learnt(spec)) if hints else 0
    most = MOST if jobs is None else jobs // SHARE
    return max(0, most - before)


def _hints(asked: Algorithm) -> dict[str, str]:
    return {one.name: one.value_hint for one in asked.spec.auto_parameters}


def _of_one(
    algorithm: Algorithm,
    hints: dict[str, str],
    room: int,
    inherited: Sequence[Inherited],
    among: KnownSet,
) -> Starts:
    if room == 0:
        return Starts()
    spec, space, of = algorithm.spec, algorithm.space, f" of {algorithm.name}" if algorithm.name else ""
    script = script_of(spec)
    tried = {configuration_key(job.configuration) for one in inherited for job in one.jobs}
    tried.update(_given(spec, space))
    starts: list[Start] = []
    sentences: list[str] = []
    if not spec.first_configurations and not inherited:
        guess = _first_guess(space, hints, script)
        if guess is not None:
            configuration, whose = guess
            starts.append(Start(configuration, GUESS, whose, algorithm.name))
            sentences.append(f"{whose}{of}")
            tried.add(configuration_key(configuration))
    found = recognised(spec, space, script, among)
    if found is not None:
        fit = fitted(found, space, spec.static_hyperparameters, MOST + len(tried))
        fresh = [one for one in fit if configuration_key(one) not in tried][: min(MOST, room - len(starts))]
        what = f"known for {found.algorithm.name}"
        for number, configuration in enumerate(fresh, start=1):
            why = f"number {number} of the configurations {what} (set {among.version})"
            starts.append(Start(configuration, KNOWN, why, algorithm.name))
        if fresh:
            sentences.append(_sentence(found, len(fresh), among.version, of))
    return Starts(tuple(starts), tuple(sentences))


def _sentence(found: Recognised, fresh: int, version: str, of: str) -> str:
    alone = "; the documented default alone" if found.algorithm.documented_default_alone else ""
    many = count(fresh, "configuration")
    return f"{many} known for {found.algorithm.name}{of} (told by {found.by}; set {version}{alone})"


def _given(spec: TuningSpec, space: Space) -> Iterator[str]:
    for one in spec.first_configurations:
        values = {p.name: value_from(p, one[p.name]) for p in space.parameters if p.name in one}
        yield configuration_key(space.used(values))


def _first_guess(
    space: Space, hints: dict[str, str], script: Script | None
) -> tuple[Configuration, str] | None:
    """The configuration that the user has already, and whose it is; None where it isn't complete."""
    defaults = {} if script is None else {_plain(one.name): one.default for one in script.arguments}
    values: dict[str, Value] = {}
    changed = 0
    for parameter in space.parameters:
        given = hints.get(parameter.name, defaults.get(_plain(parameter.name)))
        if given is None:
            return None
        try:
            value = value_from(parameter, given)
        except ValueError:
            return None
        if not parameter.contains(value):
            if isinstance(parameter, Categorical):
                return None
            changed += 1
            value = parameter.decode(parameter.encode(value))
        values[parameter.name] = value
    configuration = space.used(values)
    if changed * CHANGED > space.dimension or not space.contains(configuration):
        return None
    if script is None or all(name in hints for name in space.names):
        return configuration, "the values that were given as hints"
    return configuration, f"the defaults of {script.path.name}"


def _plain(name: str) -> str:
    return name.replace("-", "_")
