"""``Autotune``: the settings of a tuning job that its user leaves to us.

AMT has the field and publishes no rule; this is ours. A setting that is given stays as it is.

- *Number of training jobs*: 20, and 10 for each tuned hyperparameter; 30 at least, 200 at most. (AMT's
  guide says that most users ask for around 50 and those who want more for 200 or more.) A grid is its own
  limit.
- *Convergence* completes the tuning job, so that an easy one ends before that number; not a grid, which is
  asked for as a whole, nor one with several objectives, of which it would judge one, nor one of so few
  training jobs that it could not act.
- *Early stopping* is Auto, except with Hyperband, which stops jobs itself, with several algorithms or
  objectives, and with a built-in algorithm that emits no objective per epoch.

Left as they are: the strategy (Bayesian unless another one is asked for), how many training jobs run at
once (one, unless told otherwise: only the user knows what there is room for), and retries.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from amt_flows.ledger.algorithms import algorithms_of
from amt_flows.names import count
from amt_flows.rules.convergence import LEAST
from amt_flows.spec import EarlyStoppingType, StrategyType, TuningSpec
from amt_flows.spec.advice import emits_no_curve

BASE_JOBS = 20
JOBS_EACH = 10
LEAST_JOBS = 30
MOST_JOBS = 200


def chosen_settings(spec: TuningSpec) -> Iterator[tuple[str, Any, str]]:
    """The path, value and reason of every setting that is chosen for ``spec``, whose ranges are complete."""
    limits, completion, grid = spec.limits, spec.completion, spec.strategy is StrategyType.GRID
    jobs = limits.max_number_of_training_jobs
    if jobs is None and not grid:
        dimension = sum(algorithm.space.dimension for algorithm in algorithms_of(spec))
        jobs = min(max(BASE_JOBS + JOBS_EACH * dimension, LEAST_JOBS), MOST_JOBS)
        jobs = max(jobs, len(spec.first_configurations))
        bounds = f"{LEAST_JOBS} to {MOST_JOBS}"
        why = f"{BASE_JOBS}, and {JOBS_EACH} for each of {count(dimension, 'hyperparameter')} ({bounds})"
        yield "limits.max_number_of_training_jobs", jobs, why
    whole = grid or spec.other_objectives or (jobs is not None and jobs <= LEAST)
    if not whole and "complete_on_convergence" not in completion.model_fields_set:
        why = "so that it ends when further improvement is unlikely"
        yield "completion.complete_on_convergence", True, why
    if "type" not in spec.early_stopping.model_fields_set and _may_stop_early(spec):
        yield "early_stopping.type", EarlyStoppingType.AUTO.value, "so that poor training jobs cost less"


def _may_stop_early(spec: TuningSpec) -> bool:
    alone = spec.strategy is not StrategyType.HYPERBAND and not spec.other_definitions
    alone = alone and not spec.other_objectives
    return alone and not emits_no_curve(spec)
