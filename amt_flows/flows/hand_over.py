"""A tuning job given to SageMaker's own tuner, as a task of the flow."""

from __future__ import annotations

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from amt_flows.flows.stages import Act
from amt_flows.handoff import HandedOff, open_at
from amt_flows.places import SageMakerTuner
from amt_flows.ports import Journal
from amt_flows.spec import TuningSpec


@task(
    name="hand over to AMT",
    task_run_name="hand-over-{name}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=0,
)
def hand_over_task(name: str, act: Act) -> None:
    """Create the tuning job at SageMaker, or take up following the one that was created before."""
    act()


def hand_over(spec: TuningSpec, tuner: SageMakerTuner, journal: Journal, *, controller: str) -> HandedOff:
    """Raises as :func:`amt_flows.handoff.open_at`."""
    made: list[HandedOff] = []

    def act() -> None:
        made.append(open_at(tuner, spec, journal, controller=controller))
        get_run_logger().info("AMT drives tuning job %s; it is followed from here.", spec.name)

    hand_over_task(str(spec.name), act)
    return made[0]
