"""What keeps a spec from running, found before anything is launched."""

from __future__ import annotations

from amt_flows.errors import Problem
from amt_flows.ledger.algorithms import algorithms_of, not_comparable
from amt_flows.ports import Backend
from amt_flows.spec import TuningSpec


def unsupported(spec: TuningSpec) -> list[Problem]:
    """The fields of a valid spec that no tuning job can be driven by. (It may be read, and written as AMT's
    request, all the same.)"""
    return list(not_comparable(spec))


def problems_on(backend: Backend, spec: TuningSpec) -> list[Problem]:
    """What would keep the training jobs of any of a spec's algorithms from running on ``backend``, each said
    once, by its field in the whole spec."""
    found: dict[tuple[str, str], Problem] = {}
    for algorithm in algorithms_of(spec):
        for problem in backend.check(algorithm.spec):
            field = algorithm.field(problem.field)
            found.setdefault((field, problem.message), Problem(field, problem.value, problem.message))
    return list(found.values())
