"""An AMT that does what a test says: which configurations, which jobs are stopped early, what is told late.

It is not our engine in disguise: it has its own arithmetic for the best training job and for the counters, so
that agreeing with it proves something.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amt_flows.amt import Following, HandedOff, follow
from amt_flows.backends.sagemaker.clients import Clients
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import Journal
from amt_flows.testing.sagemaker import SimulatedSageMaker, SimulatedTrainingJob, SimulatedTuningJob
from amt_flows.testing.sagemaker.clocks import naive
from backends.sagemaker_world import SharedClients

ENDED = ("Completed", "Failed", "Stopped")
REQUEST = (
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "VpcConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "RetryStrategy",
    "Environment",
)


@dataclass
class Plan:
    """What this AMT does with a tuning job."""

    configurations: Sequence[Mapping[str, str]]
    definitions: Sequence[str | None] = ()
    """The definition of each, for several algorithms."""
    stop_early: Mapping[int, int] = field(default_factory=dict)
    """Training job (from 1) to the number of values after which it is stopped."""
    objective_lag: int = 0
    """So many looks at the list show an ended job's objective as Pending."""
    list_lag: int = 0
    """So many looks at the list lack a job that exists."""
    converges_after: int | None = None
    """So many ended jobs until convergence is detected."""
    fails_with: str | None = None
    """End as Failed, with this reason, when the first job has ended."""
    target: float | None = None


class ScriptedAmt:
    """The engine of one tuning job. It acts when it is looked at."""

    def __init__(self, job: SimulatedTuningJob, world: SimulatedSageMaker, plan: Plan) -> None:
        self._job, self._world, self._plan = job, world, plan
        config = job.request["HyperParameterTuningJobConfig"]
        self._parallel = int(config["ResourceLimits"]["MaxParallelTrainingJobs"])
        self._early = config.get("TrainingJobEarlyStoppingType") == "Auto"
        self._status = "InProgress"
        self._ended_at: float | None = None
        self._converged_at: float | None = None
        self._order: list[str] = []
        self._looks: dict[str, int] = {}
        self._listings: dict[str, int] = {}

    # -- what the service asks -------------------------------------------------------------------

    def describe(self) -> Mapping[str, Any]:
        self._step()
        best = self._best()
        told: dict[str, Any] = {
            "HyperParameterTuningJobStatus": self._status,
            "TuningJobCompletionDetails": {
                "NumberOfTrainingJobsObjectiveNotImproving": self._not_improving()
            },
            "ConsumedResources": {
                "RuntimeInSeconds": int((self._ended_at or self._now()) - self._job.created_at)
            },
            "TrainingJobStatusCounters": self._counters(),
        }
        if self._converged_at is not None:
            told["TuningJobCompletionDetails"]["ConvergenceDetectedTime"] = naive(self._converged_at)
        if best is not None:
            told["BestTrainingJob"] = self._entry(best)
        if self._ended_at is not None:
            told["HyperParameterTuningEndTime"] = naive(self._ended_at)
        if self._status == "Failed":
            told["FailureReason"] = self._plan.fails_with
        return told

    def training_jobs(self) -> list[Mapping[str, Any]]:
        self._step()
        for one, _ in self._job.launched:
            self._listings[one.name] = self._listings.get(one.name, 0) + 1
            if not one.live:
                self._looks[one.name] = self._looks.get(one.name, 0) + 1
        listed = [one for one, _ in self._job.launched if self._listings[one.name] > self._plan.list_lag]
        return [self._entry(one) for one in listed]

    def stop(self) -> None:
        self._status = "Stopping"
        self._end_jobs()

    # -- what it does ----------------------------------------------------------------------------

    def _now(self) -> float:
        return self._world.clock.now()

    def _step(self) -> None:
        for one, _ in self._job.launched:
            if not one.live and one.name not in self._order:
                self._order.append(one.name)
        self._order.sort(key=lambda name: (self._named(name).training_ended_at or 0.0, name))
        if self._status in ENDED:
            return
        if self._early:
            self._stop_early()
        if self._plan.converges_after is not None and len(self._order) >= self._plan.converges_after:
            self._converged_at = self._converged_at or self._now()
        self._conclude()

    def _stop_early(self) -> None:
        for number, (one, _) in enumerate(self._job.launched, start=1):
            values = self._plan.stop_early.get(number)
            if values is not None and len(one.emissions) >= values and one.status == "InProgress":
                assert one.driver is not None
                one.driver.stop(self._now())

    def _conclude(self) -> None:
        plan, live = self._plan, [one for one, _ in self._job.launched if one.live]
        best = self._best()
        reached = best is not None and plan.target is not None and self._value(best) >= plan.target  # type: ignore[operator]
        wants = self._converged_at is not None and _on_convergence(self._job.request)
        failed = plan.fails_with is not None and bool(self._order)
        if self._status == "Stopping" or reached or wants or failed:
            self._end_jobs()
            if not live:
                self._end("Stopped" if self._status == "Stopping" else "Failed" if failed else "Completed")
            return
        launched = len(self._job.launched)
        if launched == len(plan.configurations):
            if not live:
                self._end("Completed")
            return
        for number in range(launched, min(launched + self._parallel - len(live), len(plan.configurations))):
            self._launch(number)

    def _end(self, status: str) -> None:
        self._status, self._ended_at = status, self._now()

    def _end_jobs(self) -> None:
        for one, _ in self._job.launched:
            if one.status == "InProgress" and one.driver is not None:
                one.driver.stop(self._now())

    def _launch(self, index: int) -> None:
        tuned = dict(self._plan.configurations[index])
        definition = self._definition(index)
        digest = hashlib.sha256(json.dumps([self._job.created_at, index, tuned]).encode()).hexdigest()[:8]
        static = {
            **definition.get("StaticHyperParameters", {}),
            "_tuning_objective_metric": self._metric(index),
        }
        request = {name: definition[name] for name in REQUEST if name in definition}
        self._job.launch(
            {
                **request,
                "TrainingJobName": f"{self._job.name}-{index + 1:03d}-{digest}",
                "HyperParameters": {**static, **tuned},
                "Tags": self._job.tags,
            },
            tuned,
        )

    # -- what it tells ---------------------------------------------------------------------------

    def _named(self, name: str) -> SimulatedTrainingJob:
        return next(one for one, _ in self._job.launched if one.name == name)

    def _index(self, one: SimulatedTrainingJob) -> int:
        return [job.name for job, _ in self._job.launched].index(one.name)

    def _definition(self, index: int) -> Mapping[str, Any]:
        if "TrainingJobDefinition" in self._job.request:
            return dict(self._job.request["TrainingJobDefinition"])
        name = self._plan.definitions[index]
        return next(d for d in self._job.request["TrainingJobDefinitions"] if d["DefinitionName"] == name)

    def _objective(self, index: int) -> Mapping[str, str]:
        config = self._job.request["HyperParameterTuningJobConfig"]
        own = self._definition(index).get("TuningObjective")
        return dict(own or config["HyperParameterTuningJobObjective"])

    def _metric(self, index: int) -> str:
        return self._objective(index)["MetricName"]

    def _value(self, one: SimulatedTrainingJob) -> float | None:
        final = one.final_metrics().get(self._metric(self._index(one)))
        return None if final is None or one.live else final.value

    def _best(self) -> SimulatedTrainingJob | None:
        """The best of those that completed, the first of equals."""
        done = [self._named(name) for name in self._order if self._named(name).status == "Completed"]
        done = [one for one in done if self._value(one) is not None]
        if not done:
            return None
        sign = -1.0 if self._objective(0)["Type"] == "Minimize" else 1.0
        return max(done, key=lambda one: sign * (self._value(one) or 0.0))

    def _not_improving(self) -> int:
        best, count = None, 0
        for name in self._order:
            value = self._value(self._named(name))
            if value is not None:
                improves = best is None or value > best
                best, count = (value, 0) if improves else (best, count + 1)
        return count

    def _counters(self) -> dict[str, int]:
        statuses = [one.status for one, _ in self._job.launched]
        return {
            "Completed": statuses.count("Completed"),
            "InProgress": statuses.count("InProgress") + statuses.count("Stopping"),
            "RetryableError": 0,
            "NonRetryableError": statuses.count("Failed"),
            "Stopped": statuses.count("Stopped"),
        }

    def _entry(self, one: SimulatedTrainingJob) -> dict[str, Any]:
        index = self._index(one)
        value = self._value(one)
        late = self._looks.get(one.name, 0) <= self._plan.objective_lag and self._plan.objective_lag > 0
        entry: dict[str, Any] = {
            "TrainingJobName": one.name,
            "TrainingJobArn": one.arn,
            "TuningJobName": self._job.name,
            "CreationTime": naive(one.created_at),
            "TrainingJobStatus": one.status,
            "TunedHyperParameters": dict(self._plan.configurations[index]),
            "ObjectiveStatus": "Pending" if one.live or late else "Failed" if value is None else "Succeeded",
        }
        if self._plan.definitions:
            entry["TrainingJobDefinitionName"] = self._plan.definitions[index]
        if one.training_started_at is not None:
            entry["TrainingStartTime"] = naive(one.training_started_at)
        if one.training_ended_at is not None and not one.live:
            entry["TrainingEndTime"] = naive(one.training_ended_at)
        if one.failure_reason is not None:
            entry["FailureReason"] = one.failure_reason
        if value is not None and not late:
            objective = self._objective(index)
            entry["FinalHyperParameterTuningJobObjectiveMetric"] = {**objective, "Value": value}
        return entry


def _on_convergence(request: Mapping[str, Any]) -> bool:
    criteria = request["HyperParameterTuningJobConfig"].get("TuningJobCompletionCriteria") or {}
    return bool((criteria.get("ConvergenceDetected") or {}).get("CompleteOnConvergence") == "Enabled")


def scripted_world(train: Any, plan: Plan, **options: Any) -> SimulatedSageMaker:
    """A world in which AMT follows a plan."""
    world: list[SimulatedSageMaker] = []
    made = SimulatedSageMaker(
        train, on_create_tuning_job=lambda job: ScriptedAmt(job, world[0], plan), **options
    )
    world.append(made)
    return made


# -- following it -----------------------------------------------------------------------------------------


def clients() -> Clients:
    return Clients(SharedClients(), None, None, None)


def how(world: SimulatedSageMaker, **changes: Any) -> Following:
    """In the world's time, which passes in larger steps than those in which a follower looks for a request to
    stop."""

    def sleep(seconds: float) -> None:
        world.sleep(max(seconds, 7.0))

    return Following(**{"clock": world.clock, "sleep": sleep, "seed": 0, **changes})


def opened(world: SimulatedSageMaker, spec: Any, journal: Journal | None = None, **changes: Any) -> HandedOff:
    place = journal if journal is not None else MemoryJournal()
    return HandedOff.open(spec, clients(), place, how=how(world, **changes))


def attached(
    world: SimulatedSageMaker, name: str, journal: Journal | None = None, **changes: Any
) -> HandedOff:
    place = journal if journal is not None else MemoryJournal()
    return HandedOff.attach(name, clients(), place, how=how(world, **changes))


def run(world: SimulatedSageMaker, spec: Any, journal: Journal | None = None, **changes: Any) -> Ledger:
    """Hand a spec over and follow it to its end."""
    handed_off = opened(world, spec, journal, **changes)
    follow(handed_off)
    return handed_off.ledger


def until(handed_off: HandedOff, condition: Callable[[HandedOff], bool], most: int = 20_000) -> HandedOff:
    for _ in range(most):
        if condition(handed_off):
            return handed_off
        handed_off.observe()
        handed_off.wait()
    raise AssertionError("in vain waited for a condition")
