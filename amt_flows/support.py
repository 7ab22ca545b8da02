"""What this version can drive itself. A spec may ask for more (it is AMT's whole request); it is refused
here, before anything is launched, rather than half done."""

from __future__ import annotations

from amt_flows.errors import Problem
from amt_flows.spec import StrategyType, TuningSpec


def unsupported(spec: TuningSpec) -> list[Problem]:
    """The fields of a valid spec that the engine can't act on yet."""
    problems: list[Problem] = []
    if spec.strategy is StrategyType.HYPERBAND:
        problems.append(
            Problem(
                "strategy",
                "Hyperband",
                "is not available yet; use Bayesian with early_stopping.type = Auto, which also ends poor "
                "jobs early",
            )
        )
    if spec.warm_start is not None:
        problems.append(
            Problem("warm_start", spec.warm_start.type.value, "is not available yet; leave it out")
        )
    if spec.other_definitions:
        message = "tuning several algorithms at once is not available yet; start one tuning job for each"
        problems.append(Problem("other_definitions", len(spec.other_definitions), message))
    if spec.auto_parameters:
        message = "choosing ranges is not available yet; give each of them a range"
        problems.append(Problem("auto_parameters", [p.name for p in spec.auto_parameters], message))
    if spec.autotune:
        message = "choosing the settings is not available yet; set limits and early_stopping yourself"
        problems.append(Problem("autotune", True, message))
    return problems
