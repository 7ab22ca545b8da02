"""``tune_then_deploy``: tune, compare with the champion, ask a person, promote."""

# Annotations are real types here, not text: a runner loads this file under a name of its own, where Prefect
# could not find what a text stands for.

from typing import Annotated

from prefect import flow, runtime

from amt_flows.backends.places import LOCAL
from amt_flows.deploy.candidate import Candidate
from amt_flows.deploy.champion import compare
from amt_flows.deploy.promotion import champion_at
from amt_flows.deploy.target import Place, Target, check_target
from amt_flows.errors import AmtFlowsError, DeployRejected, NotComparable, Problem
from amt_flows.flows.parameters import (
    ApprovalTimeout,
    AskForApproval,
    Backend,
    Home,
    MinImprovement,
    OnlyIfBetter,
    PlaceName,
    Region,
    TrainingBlock,
    labelled,
)
from amt_flows.flows.promotion.approval import DAY_SECONDS
from amt_flows.flows.promotion.outcome import SERIALIZER, Outcome
from amt_flows.flows.promotion.promote import Terms, promote_on_terms
from amt_flows.flows.promotion.saved_steps import saved_step
from amt_flows.flows.sentences import in_sentences, required_in_the_form
from amt_flows.flows.tuning.cancel import or_cancelled
from amt_flows.flows.tuning.hooks import stop_after_crash, stop_on_cancellation
from amt_flows.flows.tuning.run_tuning import name_in_this_run, name_of_spec_in_this_run, this_flow_run
from amt_flows.flows.tuning.tune import tune
from amt_flows.ledger.algorithms import algorithms_of
from amt_flows.results import TuningResult
from amt_flows.spec import TuningSpec
from amt_flows.spec.dotted import get


def _flow_run_name() -> str:
    return f"{name_of_spec_in_this_run(runtime.flow_run.parameters.get('spec'))}-pipeline"


@required_in_the_form
@flow(
    name="tune-then-deploy",
    flow_run_name=_flow_run_name,
    persist_result=True,
    result_serializer=SERIALIZER,
    on_cancellation=[stop_on_cancellation],
    on_crashed=[stop_after_crash],
    validate_parameters=False,
)
@in_sentences
def tune_then_deploy(
    spec: Annotated[TuningSpec, labelled("Tuning job")],
    target: Annotated[Target, labelled("Target")],
    backend: Backend = "local",
    region: Region = None,
    training: TrainingBlock = None,
    home: Home = None,
    only_if_better: OnlyIfBetter = True,
    min_improvement: MinImprovement = 0.0,
    ask_for_approval: AskForApproval = False,
    approval_timeout_seconds: ApprovalTimeout = DAY_SECONDS,
) -> Outcome:
    """Find good hyperparameters, and put the best model to work if it is better than the one that is there.

    A run that is done again, after a crash or an approval, does not tune again what is finished. If something
    fails on the way to the target, the model that was at work is at work again.

    Args:
        spec: What to tune, how one training job is run, and when to stop.
        target: Where the model is put to work.
        backend: Where training jobs run: local (the machine that runs this flow), ray:http://head:8265,
            work-pool:NAME or sagemaker; with amt, SageMaker's own tuner drives them, and is followed.
        region: The AWS region, for SageMaker. Empty: that of the environment or the profile.
        training: A block with more settings of the backend, which takes the place of the two above, e.g.
            amt-sagemaker-training/prod.
        home: Where tuning jobs are kept, a directory or s3://bucket/folder. Empty: $AMT_FLOWS_HOME, or
            ~/.amt-flows.
        only_if_better: Leave the present model at work unless the new one is better.
        min_improvement: By how much it must be better, in the units of its metric.
        ask_for_approval: Ask a person before anything is changed.
        approval_timeout_seconds: How long to wait for that person.
    """
    name = name_in_this_run(spec)
    named = spec if spec.name is not None else spec.named(name)
    terms = Terms(only_if_better, min_improvement, ask_for_approval, approval_timeout_seconds)
    check_pipeline(named, target, terms, backend if training is None else "")
    return or_cancelled(
        lambda: promote_on_terms(tuned(named, backend, region, home, training=training), target, terms)
    )


def tuned(
    spec: TuningSpec,
    backend: PlaceName,
    region: str | None,
    home: str | None,
    *,
    training: str | None = None,
) -> TuningResult:
    """The result of the tuning job, at once if this flow run had it before: the spec's fingerprint is part of
    what it is known by. Should that be lost, or in another flow run, the tuning job's own record has it."""
    run_id = this_flow_run().flow_run.id
    return saved_step(
        f"amt-flows-{run_id}-tuned-{spec.name}-{spec.fingerprint()[:32]}",
        TuningResult,
        lambda: tune(spec, backend=backend, region=region, training=training, home=home),
    )


def check_pipeline(spec: TuningSpec, target: Target, terms: Terms, backend: str) -> None:
    """Find what would be refused after the tuning, before it has cost anything. ``backend`` is empty if a
    block decides. Raises DeployRejected, NotComparable."""
    check_target(target)
    if target.place is Place.SAGEMAKER:
        _check_on_sagemaker(spec, target, backend)
    if terms.only_if_better:
        _check_comparable(spec, target, terms.min_improvement)


def _check_comparable(spec: TuningSpec, target: Target, min_improvement: float) -> None:
    """With the model that is at work now. Who may not see it yet finds out when it is promoted."""
    try:
        champion = champion_at(target)
    except NotComparable:
        raise  # it was made by another program
    except AmtFlowsError:
        champion = None
    refusals = []
    for algorithm in algorithms_of(spec):
        try:
            compare(_expected(algorithm.spec), champion, min_improvement)
        except NotComparable as error:
            refusals.append(error)
        else:
            return  # the best model may be this one's
    raise refusals[0]


def _check_on_sagemaker(spec: TuningSpec, target: Target, backend: str) -> None:
    if backend == LOCAL:
        message = "a model that is tuned on this machine is not in S3; tune on SageMaker, or promote locally"
        raise DeployRejected("The promotion", [Problem("target.place", target.place.value, message)])
    # Which of several algorithms will have the best model, nobody knows.
    for algorithm in algorithms_of(spec):
        check_target(target, _expected(algorithm.spec))


def _expected(spec: TuningSpec) -> Candidate:
    """The candidate that there will be, as far as its spec tells."""
    template = spec.training_job.sagemaker
    image, role = get(template, "AlgorithmSpecification.TrainingImage"), template.get("RoleArn")
    vpc = template.get("VpcConfig")
    return Candidate(
        tuning_job=str(spec.name),
        training_job=f"{spec.name}-001-00000000",
        artifact="s3://bucket/model.tar.gz",
        objective_metric=spec.objective.metric_name,
        objective_type=spec.objective.type.value,
        objective_value=0.0,
        image=image if isinstance(image, str) else None,
        role=role if isinstance(role, str) else None,
        vpc=vpc if isinstance(vpc, dict) else {},
        network_isolation=bool(template.get("EnableNetworkIsolation", False)),
        tags=dict(spec.tags),
    )
