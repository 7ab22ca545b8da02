"""The four stages of the loop as Prefect tasks.

A task gets a name to show and a closure to call. Prefect walks through a task's arguments and looks
into dataclasses, models and collections among them; a closure is opaque to it, so a stage costs the same
however large the tuning job has grown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from prefect import Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from amt_flows.amt import HandedOff, open_at
from amt_flows.backends.places import SageMakerTuner
from amt_flows.events import Judgement, Reason
from amt_flows.flows.tuning import run_log
from amt_flows.flows.tuning.budget import TaskRunBudget
from amt_flows.ledger.training_job import Trial
from amt_flows.ports import Journal
from amt_flows.rules.early_stopping import early_stopping_rule
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import Stages

T = TypeVar("T")
Act = Callable[[], None]
StageTask = Task[[str, Act], None]

# No cache: a stage acts on the world. No result: the journal has it. No retries, whatever the settings say:
# the loop itself comes back to what could not be done.


@task(name="propose", task_run_name="{shown_as}", cache_policy=NO_CACHE, persist_result=False, retries=0)
def propose_task(shown_as: str, act: Act) -> None:
    """Choose the next configurations and write them to the journal."""
    act()


@task(name="launch", task_run_name="{shown_as}", cache_policy=NO_CACHE, persist_result=False, retries=0)
def launch_task(shown_as: str, act: Act) -> None:
    """Start training jobs for the trials that wait."""
    act()


@task(
    name="early-stop check",
    task_run_name="{shown_as}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=0,
)
def early_stop_task(shown_as: str, act: Act) -> None:
    """Judge the new epochs of the running training jobs, and stop those that are worse than the median."""
    act()


@task(
    name="completion check",
    task_run_name="{shown_as}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=0,
)
def completion_task(shown_as: str, act: Act) -> None:
    """See whether a completion criterion holds."""
    act()


class TaskStages:
    """The stages for :func:`amt_flows.tuning.loop.drive`, as task runs within a budget and in plain Python
    beyond it. Nothing ever waits for the budget."""

    def __init__(self, tuning: Tuning, budget: TaskRunBudget) -> None:
        self.budget = budget
        self._inherited_ends = self._seen_ends = len(tuning.ledger.ended)

    def stages(self) -> Stages:
        return Stages(self.propose, self.launch, self.check_early_stopping, self.check_completion)

    def propose(self, tuning: Tuning, wanted: int) -> Sequence[Trial]:
        first = tuning.ledger.next_trial
        shown_as = f"propose-{spans(range(first, first + wanted))}"
        return self._run(tuning, propose_task, shown_as, lambda: run_log.propose(tuning, wanted))

    def launch(self, tuning: Tuning, wanted: int) -> Sequence[str]:
        shown_as = f"launch-{spans(trial.number for trial, _ in tuning.ledger.to_launch()[:wanted])}"
        return self._run(tuning, launch_task, shown_as, lambda: run_log.launch(tuning, wanted))

    def check_early_stopping(self, tuning: Tuning) -> Sequence[Judgement]:
        # The rule is pure, so it can be asked beforehand whether the stage will be worth showing.
        rule = early_stopping_rule(tuning.ledger.spec)
        if rule is None or tuning.ledger.concluding:
            return tuning.check_early_stopping()
        coming = rule.judge(tuning.ledger)
        if not coming:
            return ()
        stops = [judgement.job for judgement in coming if judgement.stop]
        if stops:
            shown_as = f"stop-{spans(tuning.ledger.jobs[name].trial for name in stops)}"
        else:
            shown_as = f"early-stop check of {len({judgement.job for judgement in coming})}"
        return self._run(
            tuning,
            early_stop_task,
            shown_as,
            lambda: run_log.check_early_stopping(tuning),
            uneventful=None if stops else tuning.check_early_stopping,
        )

    def check_completion(self, tuning: Tuning) -> Sequence[Reason]:
        if tuning.ledger.concluding:
            return tuning.check_completion()
        ended = len(tuning.ledger.ended)
        # With a target on epochs it is checked at every epoch; only an end or a reason is an event.
        eventful = ended > self._seen_ends or tuning.check_is_due()
        self._seen_ends = ended
        return self._run(
            tuning,
            completion_task,
            f"completion check after {ended}",
            lambda: run_log.check_completion(tuning),
            uneventful=None if eventful else tuning.check_completion,
        )

    def _run(
        self,
        tuning: Tuning,
        stage: StageTask,
        shown_as: str,
        act: Callable[[], T],
        *,
        uneventful: Callable[[], T] | None = None,
    ) -> T:
        """``act`` as a task run if the budget allows. A stage in which nothing will happen has another way to
        run beyond the budget, ``uneventful``, without a line in the log."""
        jobs = len(tuning.ledger.jobs) - self._inherited_ends
        if not self.budget.admit(jobs, decides=uneventful is None):
            return (uneventful or act)()
        answers: list[T] = []
        stage(shown_as, lambda: answers.append(act()))
        return answers[0]


def spans(numbers: Iterable[int]) -> str:
    """``001``, ``001..003``, ``001..003,007``: trial numbers, short enough for a name."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ",".join("..".join(f"{end:03d}" for end in part) for part in parts)


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
    """Raises as :func:`amt_flows.amt.open_at`."""
    made: list[HandedOff] = []

    def act() -> None:
        made.append(open_at(tuner, spec, journal, controller=controller))
        get_run_logger().info("AMT drives tuning job %s; it is followed from here.", spec.name)

    hand_over_task(str(spec.name), act)
    return made[0]
