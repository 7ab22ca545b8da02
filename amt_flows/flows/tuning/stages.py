"""The four stages of the loop as Prefect tasks.

A task gets a name to show and a closure to call. Prefect walks through a task's arguments and looks
into dataclasses, models and collections among them; a closure is opaque to it, so a stage costs the same
however large the tuning job has grown. What a stage decided is the message of its task run's state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from prefect import State, Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed

from amt_flows.amt import HandedOff, open_at
from amt_flows.backends.places import SageMakerTuner
from amt_flows.events import Judgement, Reason
from amt_flows.flows.tuning import run_log
from amt_flows.flows.tuning.budget import TaskRunBudget
from amt_flows.flows.tuning.run_log import Told
from amt_flows.ledger.training_job import Trial
from amt_flows.names import count
from amt_flows.ports import Journal
from amt_flows.rules.early_stopping import early_stopping_rule
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import Stages

T = TypeVar("T")
Act = Callable[[], str]
"""Does what the stage does, and says what it decided."""
StageTask = Task[[str, Act], State[Any]]

# No cache: a stage acts on the world. No result: the journal has it. No retries, whatever the settings say:
# the loop itself comes back to what could not be done.


@task(name="propose", task_run_name="{shown_as}", cache_policy=NO_CACHE, persist_result=False, retries=0)
def propose_task(shown_as: str, act: Act) -> State[Any]:
    """Choose the next configurations and write them to the journal."""
    return Completed(message=act())


@task(name="launch", task_run_name="{shown_as}", cache_policy=NO_CACHE, persist_result=False, retries=0)
def launch_task(shown_as: str, act: Act) -> State[Any]:
    """Start training jobs for the trials that wait."""
    return Completed(message=act())


@task(
    name="early-stop check",
    task_run_name="{shown_as}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=0,
)
def early_stop_task(shown_as: str, act: Act) -> State[Any]:
    """Judge the new epochs of the running training jobs, and stop those that are worse than the median."""
    return Completed(message=act())


@task(
    name="completion check",
    task_run_name="{shown_as}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=0,
)
def completion_task(shown_as: str, act: Act) -> State[Any]:
    """See whether a completion criterion holds."""
    return Completed(message=act())


STAGES: Final = (propose_task, launch_task, early_stop_task, completion_task)

TRAINING_JOB, PROPOSAL, LAUNCH, EARLY_STOP = "training job", "proposal", "launch", "early stop"
COMPLETION, NOTHING = "completion check", "check"
"""What a stage did, for those that are counted: of checks, whether they decided anything."""


class TaskStages:
    """The stages for :func:`amt_flows.tuning.loop.drive`, as task runs within a budget and in plain Python
    beyond it. Nothing ever waits for the budget. ``before_end`` is called before reasons to end are
    recorded."""

    def __init__(
        self,
        tuning: Tuning,
        budget: TaskRunBudget,
        before_end: Callable[[Tuning], None] = lambda tuning: None,
    ) -> None:
        self.budget = budget
        self._before_end = before_end
        self._inherited_ends = len(tuning.ledger.ended)

    def stages(self) -> Stages:
        return Stages(self.propose, self.launch, self.check_early_stopping, self.check_completion)

    def propose(self, tuning: Tuning, wanted: int) -> Sequence[Trial]:
        first = tuning.ledger.next_trial
        shown_as = f"propose-{spans(range(first, first + wanted))}"
        # Of a trial whose launch is shown its task run tells as much.
        return self._run(
            tuning, propose_task, shown_as, lambda: run_log.propose(tuning, wanted), PROPOSAL, leaves=1
        )

    def launch(self, tuning: Tuning, wanted: int) -> Sequence[str]:
        shown_as = f"launch-{spans(trial.number for trial, _ in tuning.ledger.to_launch()[:wanted])}"
        # There was no room the last time, so there may be none now.
        decides = tuning.held_up_by is None
        return self._run(
            tuning, launch_task, shown_as, lambda: run_log.launch(tuning, wanted), LAUNCH, decides=decides
        )

    def check_early_stopping(self, tuning: Tuning) -> Sequence[Judgement]:
        # The rule is pure, so it can be asked beforehand whether the stage will be worth showing.
        rule = early_stopping_rule(tuning.ledger.spec)
        if rule is None or tuning.ledger.concluding:
            return tuning.check_early_stopping()
        coming = rule.judge(tuning.ledger)
        if not coming:
            return ()
        stopped = [judgement.job for judgement in coming if judgement.stop]
        judged = dict.fromkeys(judgement.job for judgement in coming)
        trials = spans(sorted({tuning.ledger.jobs[name].trial for name in stopped or judged}))
        return self._run(
            tuning,
            early_stop_task,
            f"stop-{trials}" if stopped else f"early-stop check of {trials}",
            lambda: run_log.check_early_stopping(tuning),
            EARLY_STOP if stopped else NOTHING,
            decides=bool(stopped),
        )

    def check_completion(self, tuning: Tuning) -> Sequence[Reason]:
        if tuning.ledger.concluding:
            return tuning.check_completion()
        tuning.note_convergence()
        decides = tuning.check_is_due()
        if decides:
            self._before_end(tuning)
        return self._run(
            tuning,
            completion_task,
            f"completion check after {len(tuning.ledger.ended)}",
            lambda: run_log.check_completion(tuning),
            COMPLETION if decides else NOTHING,
            decides=decides,
            ends=decides,
        )

    def _run(
        self,
        tuning: Tuning,
        stage: StageTask,
        shown_as: str,
        act: Callable[[], Told[T]],
        kind: str,
        *,
        decides: bool = True,
        leaves: int = 0,
        ends: bool = False,
    ) -> T:
        """``act`` as a task run if the budget allows, else as it is."""
        jobs = len(tuning.ledger.jobs) - self._inherited_ends
        if not self.budget.admit(jobs, decides=decides, kind=kind, leaves=leaves, ends=ends):
            return act().answer
        answers: list[T] = []

        def decide() -> str:
            told = act()
            answers.append(told.answer)
            return told.decided

        stage(shown_as, decide)
        return answers[0]


def accounts(budget: TaskRunBudget, jobs: int) -> str:
    """What was shown as task runs and what was not, in a sentence or two. ``jobs``: of how many that could
    be."""
    shown = _amounts({TRAINING_JOB: budget.bars, **budget.stages})
    hidden = _amounts({TRAINING_JOB: max(0, jobs - budget.bars), **budget.beyond})
    beyond = f" Not shown, to spare the server: {hidden}." if hidden else ""
    return f"Task runs: {shown or 'none'}.{beyond}"


def _amounts(counted: Mapping[str, int]) -> str:
    return ", ".join(_amount(amount, kind) for kind, amount in counted.items() if amount)


def _amount(amount: int, kind: str) -> str:
    if kind == NOTHING:
        return f"{count(amount, NOTHING)} that decided nothing"
    return f"{amount} launches" if kind == LAUNCH and amount > 1 else count(amount, kind)


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
def hand_over_task(name: str, act: Act) -> State[Any]:
    """Create the tuning job at SageMaker, or take up following the one that was created before."""
    return Completed(message=act())


def hand_over(spec: TuningSpec, tuner: SageMakerTuner, journal: Journal, *, controller: str) -> HandedOff:
    """Raises as :func:`amt_flows.amt.open_at`."""
    made: list[HandedOff] = []

    def act() -> str:
        made.append(open_at(tuner, spec, journal, controller=controller))
        decided = f"AMT drives tuning job {spec.name}; it is followed from here."
        get_run_logger().info("%s", decided)
        return decided

    hand_over_task(str(spec.name), act)
    return made[0]
