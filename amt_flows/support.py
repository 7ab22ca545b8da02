"""What this version can drive itself. A spec may ask for more (it is AMT's whole request); it is refused
here, before anything is launched, rather than half done."""

from __future__ import annotations

from amt_flows.errors import Problem
from amt_flows.spec import TuningSpec


def unsupported(spec: TuningSpec) -> list[Problem]:
    """The fields of a valid spec that the engine can't act on yet."""
    problems: list[Problem] = []
    if spec.other_definitions:
        message = "tuning several algorithms at once is not available yet; start one tuning job for each"
        problems.append(Problem("other_definitions", len(spec.other_definitions), message))
    return problems
