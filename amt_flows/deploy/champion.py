"""Whether a challenger is better than the model that is at work, with the numbers that say so."""

from __future__ import annotations

import math
from dataclasses import dataclass

from amt_flows.deploy.candidate import Candidate, Deployable, candidate_of
from amt_flows.errors import DeployRejected, NotComparable, Problem
from amt_flows.spec import ObjectiveType

# Two values that were printed and read back may differ in their last digits; that decides nothing.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Champion:
    """The model that is at work."""

    name: str
    """A version of a model directory, or the ARN of a model package."""
    training_job: str
    tuning_job: str
    objective_metric: str
    objective_type: str
    objective_value: float


@dataclass(frozen=True)
class Comparison:
    """What comparing came to. ``better_by`` is in the metric's own units, positive when the challenger is
    better, and None without a champion to compare with."""

    promote: bool
    challenger: str
    """The challenger's training job."""
    challenger_value: float
    champion: str | None
    """The champion's name."""
    champion_value: float | None
    better_by: float | None
    min_improvement: float
    objective_metric: str
    objective_type: str
    is_champion: bool
    """The challenger is the champion already: it was promoted by an earlier run, say."""
    sentence: str


def compare(challenger: Deployable, champion: Champion | None, min_improvement: float = 0.0) -> Comparison:
    """Compare by the objective's value: the challenger is to be promoted if it is strictly better, and by at
    least ``min_improvement`` (in the metric's own units), or if there is no champion.

    Raises NotComparable when the two have different objectives, DeployRejected for a minimum that is
    negative or no number, or a result without a model.
    """
    if not (math.isfinite(min_improvement) and min_improvement >= 0):
        raise DeployRejected(
            "The comparison",
            [Problem("min_improvement", min_improvement, "must be 0 or a positive number")],
        )
    candidate = candidate_of(challenger)
    metric, value = candidate.objective_metric, candidate.objective_value
    gain = None if champion is None else _gain(candidate.objective_type, value, champion)
    same = champion is not None and _is_same(candidate, champion)
    if champion is not None:
        _check_objectives(metric, candidate.objective_type, champion)
    promote = not same and (gain is None or _is_enough(gain, min_improvement, value))
    return Comparison(
        promote=promote,
        challenger=candidate.training_job,
        challenger_value=value,
        champion=None if champion is None else champion.name,
        champion_value=None if champion is None else champion.objective_value,
        better_by=gain,
        min_improvement=min_improvement,
        objective_metric=metric,
        objective_type=candidate.objective_type,
        is_champion=same,
        sentence=_sentence(candidate.training_job, metric, value, champion, gain, min_improvement, same),
    )


def without_comparing(challenger: Deployable, why: NotComparable, champion: str | None) -> Comparison:
    """What is said of a challenger that is to be promoted although it can't be compared with the model at
    work, whose name may not be known. Raises DeployRejected for a result without a model."""
    candidate = candidate_of(challenger)
    metric, value = candidate.objective_metric, candidate.objective_value
    return Comparison(
        promote=True,
        challenger=candidate.training_job,
        challenger_value=value,
        champion=champion,
        champion_value=None,
        better_by=None,
        min_improvement=0.0,
        objective_metric=metric,
        objective_type=candidate.objective_type,
        is_champion=False,
        sentence=f"{candidate.training_job} has {metric} = {value:g}, compared with nothing: {why.happened}",
    )


def _gain(objective_type: str, value: float, champion: Champion) -> float | None:
    """None if the champion has no usable value: then anything is better."""
    if not math.isfinite(champion.objective_value):
        return None
    difference = value - champion.objective_value
    return difference if objective_type == ObjectiveType.MAXIMIZE.value else -difference


def _is_enough(gain: float, minimum: float, value: float) -> bool:
    slack = _ROUNDING * max(abs(value), abs(minimum))
    return gain > slack and gain >= minimum - slack


def _is_same(candidate: Candidate, champion: Champion) -> bool:
    """By its value too: in another home, a tuning job of the same name may have trained another model."""
    names = (candidate.training_job, candidate.tuning_job) == (champion.training_job, champion.tuning_job)
    return names and math.isclose(
        candidate.objective_value, champion.objective_value, rel_tol=_ROUNDING, abs_tol=0.0
    )


def _check_objectives(metric: str, kind: str, champion: Champion) -> None:
    if (metric, kind) != (champion.objective_metric, champion.objective_type):
        raise NotComparable(
            f"The challenger was tuned to {kind.lower()} {metric}, the champion {champion.name} to "
            f"{champion.objective_type.lower()} {champion.objective_metric}.",
            because="the objective was changed since the champion was promoted",
            remedy="promote into another directory or model package group, or promote the challenger "
            "without comparing",
        )


def _sentence(
    training_job: str,
    metric: str,
    value: float,
    champion: Champion | None,
    gain: float | None,
    minimum: float,
    same: bool,
) -> str:
    answer = f"{training_job} has {metric} = {value:g}"
    if champion is None:
        return f"{answer}, and there is no champion yet."
    if same:
        return f"{training_job} is the champion already, with {metric} = {champion.objective_value:g}."
    if gain is None:
        return f"{answer}, and the champion {champion.name} has no usable value."
    against = f"{answer}, the champion {champion.name} has {champion.objective_value:g}"
    if gain <= 0 or not _is_enough(gain, 0.0, value):
        return f"{against}: it is not better, and the champion stays."
    wanted = f", of the {minimum:g} that is wanted" if minimum else ""
    if _is_enough(gain, minimum, value):
        return f"{against}: it is better by {gain:g}{wanted}."
    return f"{against}: it is better by {gain:g} only{wanted}, and the champion stays."
