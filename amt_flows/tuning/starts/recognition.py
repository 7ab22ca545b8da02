"""Which well-known algorithm a tuning job tunes, where that is certain.

Three things tell it, and none may speak against it: the SageMaker image (or built-in algorithm) of its
training jobs, the libraries of their script, and the names and ranges of the hyperparameters.

- *Names.* At least two thirds of the hyperparameters are among the algorithm's, under any of the names that
  libraries give them, and no two are the same one.
- *Ranges.* Each of those lies where it can: a ``subsample`` of 5 to 50 isn't the share of rows.
- *Image or script*, if there is one that can be read. An image of the algorithm is enough beside one name. A
  script has to import the library (and call the algorithm, where its library has others): one that doesn't
  speaks against it, whatever the names. Where there is neither, the names must be ones that together no other
  algorithm has (its marks).

Of several algorithms the one with most of the hyperparameters is taken; where two have as many, none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amt_flows.space.space import Categorical, Parameter, Space
from amt_flows.spec import TuningSpec
from amt_flows.tuning.autotune.known import in_words
from amt_flows.tuning.starts.known_set import Known, KnownSet, Meaning
from amt_flows.tuning.starts.script import Script


@dataclass(frozen=True)
class Recognised:
    """``meaning`` has, by the names of the space, the algorithm's own names. ``by`` says what told."""

    algorithm: Known
    meaning: Mapping[str, str]
    by: str


def recognised(spec: TuningSpec, space: Space, script: Script | None, among: KnownSet) -> Recognised | None:
    """The algorithm that ``spec`` tunes, over its ``space``; None where that isn't certain."""
    image = image_of(spec)
    found: list[Recognised] = []
    for algorithm in among.algorithms:
        meaning = _meaning(space, algorithm)
        if meaning is None:
            continue
        named = frozenset(meaning.values()) | {f"={_words(name)}" for name in meaning}
        by = _told_by(algorithm, named, image, script, among)
        if by:
            found.append(Recognised(algorithm, meaning, by))
    most = max((len(one.meaning) for one in found), default=0)
    best = [one for one in found if len(one.meaning) == most]
    return best[0] if len(best) == 1 else None


def image_of(spec: TuningSpec) -> str:
    """The SageMaker image, or the algorithm's name or ARN, in small letters; empty without one."""
    given: Any = spec.training_job.sagemaker.get("AlgorithmSpecification")
    if not isinstance(given, Mapping):
        return ""
    return " ".join(str(given.get(key, "")) for key in ("TrainingImage", "AlgorithmName")).strip().lower()


def own_name(algorithm: Known, name: str) -> str | None:
    """What the algorithm calls the hyperparameter ``name``. What stands before the last two underscores or
    the last dot is the step of a pipeline (``model__max_depth``)."""
    words = _words(name)
    # Its own names go before what others call it: `alpha` may be both.
    own = next((one for one in algorithm.meanings if one.lower() == words), None)
    return own or next((one for one, its in algorithm.meanings.items() if words in its.names), None)


def _words(name: str) -> str:
    return in_words(name.rpartition("__")[2].rpartition(".")[2])


def _meaning(space: Space, algorithm: Known) -> dict[str, str] | None:
    """The algorithm's names of the space's hyperparameters; None where names or ranges speak against it."""
    found: dict[str, str] = {}
    for parameter in space.parameters:
        name = own_name(algorithm, parameter.name)
        if name is None:
            continue
        if name in found.values() or not _can_be(parameter, algorithm.meanings[name]):
            return None
        found[parameter.name] = name
    return found if found and 3 * len(found) >= 2 * space.dimension else None


def _can_be(parameter: Parameter, meaning: Meaning) -> bool:
    if isinstance(parameter, Categorical):
        numbers = numbers_of(parameter)
        if meaning.least is None or meaning.most is None or numbers is None:
            # Words may stand beside numbers: `sqrt` for a share of features.
            return True
        return all(meaning.least <= one <= meaning.most for one in numbers)
    if meaning.least is None or meaning.most is None:
        return False
    return meaning.least <= parameter.low and parameter.high <= meaning.most


def numbers_of(parameter: Categorical) -> list[float] | None:
    """The choices as numbers, where all are."""
    try:
        return [float(one) for one in parameter.choices]
    except ValueError:
        return None


def _told_by(
    algorithm: Known, named: frozenset[str], image: str, script: Script | None, among: KnownSet
) -> str:
    """What tells the algorithm, in words; empty where nothing does, or something speaks against it."""
    if image and any(part in image for part in algorithm.images):
        return "its SageMaker image"
    if any(part in image for other in among.algorithms for part in other.images):
        return ""
    if script is not None:
        enough = len(named & algorithm.meanings.keys()) >= 2 or bool(algorithm.calls)
        return f"the imports of {script.path.name}" if enough and _is_used(algorithm, script) else ""
    return "the names of its hyperparameters" if any(mark <= named for mark in algorithm.marks) else ""


def _is_used(algorithm: Known, script: Script) -> bool:
    imported = any(
        one == library or one.startswith(f"{library}.")
        for one in script.imports
        for library in algorithm.libraries
    )
    return imported and (not algorithm.calls or bool(algorithm.calls & script.calls))
