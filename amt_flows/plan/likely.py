"""What a tuning job likely takes: the estimate again, with what early stopping and spot instances usually
save, each assumption in words."""

from __future__ import annotations

from dataclasses import dataclass

from amt_flows.names import count
from amt_flows.plan.early_stops import likely_early_stops
from amt_flows.plan.estimate import Estimate, estimate
from amt_flows.plan.job_length import JobLength
from amt_flows.plan.prices import Price
from amt_flows.spec import TuningSpec


@dataclass(frozen=True)
class Likely:
    """The same tuning job as in the estimate when ``saved_share`` of the training time is saved by early
    stopping. ``cost`` is after the spot discount of the price table."""

    assumptions: tuple[str, ...]
    saved_share: float
    jobs: int
    runtime_seconds: float
    training_seconds: float
    cost: float | None
    is_cut_short: bool


def likely(spec: TuningSpec, length: JobLength, price: Price | None, tried: int = 0) -> Likely | None:
    """None when there is nothing to assume beyond the estimate, or no estimate."""
    stops = likely_early_stops(spec, length.epochs, tried)
    discount = 0.0 if price is None else price.spot_discount
    if stops is None and not discount:
        return None
    share = 0.0 if stops is None else stops.share
    found: Estimate | None = estimate(spec, length.seconds * (1 - share), length.startup_seconds, tried)
    if found is None:
        return None
    assumptions = []
    if stops is not None:
        assumptions.append(
            f"early stopping ends {stops.stopped:.0%} of the training jobs and saves {share:.0%} of the "
            f"training time, as its rule does on made-up curves of {count(stops.epochs, 'epoch')}"
        )
    if discount:
        assumptions.append(f"spot instances save {discount:.0%} of the price, as the price table says")
    return Likely(
        assumptions=tuple(assumptions),
        saved_share=share,
        jobs=found.jobs,
        runtime_seconds=found.runtime_seconds,
        training_seconds=found.training_seconds,
        cost=None if found.cost is None else found.cost * (1 - discount),
        is_cut_short=found.is_cut_short,
    )
