"""One algorithm of a tuning job as a value: its name, and the tuning job as if it had no other.

So everything that knows a tuning job of one algorithm (spaces, budgets, requests, checks) serves each of
several.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from amt_flows.errors import Problem
from amt_flows.space.space import Space
from amt_flows.spec import Definition, TuningSpec


@dataclass(frozen=True, eq=False)
class Algorithm:
    """``name`` is AMT's ``DefinitionName``, empty for the only algorithm of a tuning job. ``spec`` is the
    tuning job with this algorithm alone, and ``seed`` one of its own. ``at`` stands before the fields of the
    whole spec that are this algorithm's: ``other_definitions[0].``, or nothing for the first."""

    name: str
    spec: TuningSpec
    at: str = ""
    seed: int = 0

    @cached_property
    def space(self) -> Space:
        return self.spec.space()

    @property
    def metric_name(self) -> str:
        """Of its objective."""
        return self.spec.objective.metric_name

    def field(self, field: str) -> str:
        """Where a field of ``spec`` stands in the whole spec."""
        own = field.split(".")[0].split("[")[0] in Definition.model_fields
        return f"{self.at}{field}" if own else field


def algorithms_of(spec: TuningSpec, seed: int = 0) -> tuple[Algorithm, ...]:
    """All of them, in the spec's order. ``seed`` is the tuning job's."""
    if not spec.other_definitions:
        return (Algorithm("", spec, seed=seed),)
    first = Algorithm(spec.definition_name or "", _alone(spec, spec), seed=_seed_of(spec, seed))
    others = (
        Algorithm(
            other.definition_name, _alone(spec, other), f"other_definitions[{i}].", _seed_of(other, seed)
        )
        for i, other in enumerate(spec.other_definitions)
    )
    return (first, *others)


def secret_names(algorithms: Iterable[Algorithm]) -> tuple[str, ...]:
    """The environment variables whose values stand in no text that is kept."""
    templates = (algorithm.spec.training_job for algorithm in algorithms)
    return tuple(name for template in templates for name in template.secret_environment)


def _alone(spec: TuningSpec, algorithm: TuningSpec | Definition) -> TuningSpec:
    own = {name: getattr(algorithm, name) for name in Definition.model_fields}
    # What several algorithms may not have at all is no matter of this one's either.
    alone = {"other_definitions": (), "first_configurations": (), "warm_start": None, "learn_from": ()}
    return spec.model_copy(update={**own, **alone})


def _seed_of(algorithm: TuningSpec | Definition, seed: int) -> int:
    # Two algorithms of one space are to try different configurations.
    digest = hashlib.sha256(f"{seed} {algorithm.definition_name}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def algorithm_named(spec: TuningSpec, name: str) -> Algorithm:
    """The algorithm that a training job of this definition belongs to; the first for a name that none has."""
    every = algorithms_of(spec)
    return next((one for one in every if one.name == name), every[0])


def not_comparable(spec: TuningSpec) -> Iterator[Problem]:
    """One of several algorithms has the best training job, so that all must go the same way. Their metrics
    may have different names; that the values mean the same is the user's to see to."""
    for i, other in enumerate(spec.other_definitions):
        if other.objective.type is not spec.objective.type:
            yield Problem(
                f"other_definitions[{i}].objective.type",
                other.objective.type.value,
                f"can't be compared with the first algorithm's; write {spec.objective.type.value}",
            )
