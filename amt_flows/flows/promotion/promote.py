"""``promote``: from a finished tuning job to a model at work, if it is better than the one that is there."""

# Annotations are real types here, not text: a runner loads this file under a name of its own, where Prefect
# could not find what a text stands for.

from dataclasses import dataclass
from typing import Annotated

from prefect import flow

from amt_flows.deploy.candidate import Candidate, Deployable, candidate_of
from amt_flows.deploy.champion import Comparison
from amt_flows.deploy.promotion import Promotion
from amt_flows.deploy.target import Target, check_target
from amt_flows.flows.parameters import (
    ApprovalTimeout,
    AskForApproval,
    Home,
    MinImprovement,
    OnlyIfBetter,
    TuningJobName,
    labelled,
)
from amt_flows.flows.promotion.approval import DAY_SECONDS, Mode, Verdict, wait_for_approval
from amt_flows.flows.promotion.deploy import STEP_NAMES, compare_with_champion, promote_in_tasks
from amt_flows.flows.promotion.outcome import SERIALIZER, Decision, Outcome
from amt_flows.flows.promotion.promotion_page import RECORDS, publish, request_for_approval
from amt_flows.flows.promotion.saved_steps import saved_step
from amt_flows.flows.quiet import quiet_task_runs
from amt_flows.flows.sentences import in_sentences, required_in_the_form, run_called
from amt_flows.flows.tuning.results import result_named
from amt_flows.flows.tuning.run_tuning import this_flow_run


@dataclass(frozen=True)
class Terms:
    """On which terms a model is promoted."""

    only_if_better: bool = True
    """Compare with the champion, and leave it at work unless the challenger is better."""
    min_improvement: float = 0.0
    """By how much, in the metric's own units."""
    ask_for_approval: bool = False
    approval_timeout_seconds: int = DAY_SECONDS
    approval_mode: Mode = "auto"


@required_in_the_form
@flow(
    name="promote",
    flow_run_name=run_called("promote-{}", "tuning_job"),
    persist_result=True,
    result_serializer=SERIALIZER,
    validate_parameters=False,
)
@in_sentences
def promote(
    tuning_job: TuningJobName,
    target: Annotated[Target, labelled("Target")],
    only_if_better: OnlyIfBetter = True,
    min_improvement: MinImprovement = 0.0,
    ask_for_approval: AskForApproval = False,
    approval_timeout_seconds: ApprovalTimeout = DAY_SECONDS,
    home: Home = None,
) -> Outcome:
    """Put the best model of a finished tuning job to work, if it is better than the one that is there.

    The model goes into a directory of versions on this machine, or to SageMaker. If something fails on the
    way, the model that was at work is at work again.

    Args:
        tuning_job: The name of a tuning job that has ended.
        target: Where the model is put to work.
        only_if_better: Leave the present model at work unless the new one is better.
        min_improvement: By how much it must be better, in the units of its metric.
        ask_for_approval: Ask a person before anything is changed.
        approval_timeout_seconds: How long to wait for that person.
        home: Where the tuning job is kept, a directory or s3://bucket/folder: no other counts. Empty: where
            the server's artifacts say, or else in $AMT_FLOWS_HOME, or ~/.amt-flows.
    """
    check_target(target)
    terms = Terms(only_if_better, min_improvement, ask_for_approval, approval_timeout_seconds)
    return promote_on_terms(result_named(tuning_job, home), target, terms)


def promote_on_terms(result: Deployable, target: Target, terms: Terms | None = None) -> Outcome:
    """Compare, ask, and promote, as part of the flow run around the caller.

    For flows of your own::

        @flow(persist_result=True)
        def nightly(spec: TuningSpec) -> None:
            outcome = promote_on_terms(tune(spec), Target(directory="/srv/models/digits"))

    A rejection, a time-out and a champion that stays are outcomes. Raises as
    :func:`amt_flows.deploy.promotion.promote`, and NotComparable if only a better one is to be promoted.
    """
    terms, candidate = terms or Terms(), candidate_of(result)
    check_target(target, candidate)
    run_id = this_flow_run().flow_run.id
    with quiet_task_runs([*STEP_NAMES, RECORDS]):
        # What the person has seen who approved; and a run that died after its promotion was still about this.
        comparison = saved_step(
            f"amt-flows-{run_id}-comparison",
            Comparison,
            lambda: _compared(candidate, target, terms),
        )
        outcome = _decided(candidate, target, terms, comparison)
        publish(outcome, target)
    return outcome


def _compared(candidate: Candidate, target: Target, terms: Terms) -> Comparison:
    return compare_with_champion(candidate, target, terms.min_improvement, is_decisive=terms.only_if_better)


def _decided(candidate: Candidate, target: Target, terms: Terms, comparison: Comparison) -> Outcome:
    if comparison.is_champion:
        return _outcome(Decision.CHAMPION_ALREADY, candidate, comparison)
    if terms.only_if_better and not comparison.promote:
        return _outcome(Decision.NOT_BETTER, candidate, comparison)
    approved_by = ""
    if terms.ask_for_approval:
        answer = wait_for_approval(
            request_for_approval(
                comparison, target, candidate.tuning_job, timeout_seconds=terms.approval_timeout_seconds
            ),
            timeout_seconds=terms.approval_timeout_seconds,
            mode=terms.approval_mode,
        )
        if not answer.approved:
            timed_out = answer.verdict is Verdict.TIMED_OUT
            decision = Decision.TIMED_OUT if timed_out else Decision.REJECTED
            sentence = "Nobody approved in time; the champion stays." if timed_out else answer.sentence
            return _outcome(decision, candidate, comparison, sentence)
        approved_by = f" {answer.sentence}"
        # Days may have passed, and another challenger may have become the champion.
        latest = _compared(candidate, target, terms)
        if terms.only_if_better and not (latest.promote or latest.is_champion):
            return _outcome(Decision.NOT_BETTER, candidate, latest, f"Meanwhile: {latest.sentence}")
    made = promote_in_tasks(candidate, target)
    return _outcome(Decision.PROMOTED, candidate, comparison, f"{comparison.sentence}{approved_by}", made)


def _outcome(
    decision: Decision,
    candidate: Candidate,
    comparison: Comparison,
    sentence: str = "",
    promotion: Promotion | None = None,
) -> Outcome:
    return Outcome(
        decision=decision,
        sentence=sentence or comparison.sentence,
        tuning_job=candidate.tuning_job,
        training_job=candidate.training_job,
        comparison=comparison,
        promotion=promotion,
    )
