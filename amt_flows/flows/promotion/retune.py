"""``retune``: the flow to schedule for a model that is tuned again and again. Each run is a new tuning job of
a series, learns from the last ones, and promotes its model only if that is better."""

# Annotations are real types here, not text: a runner loads this file under a name of its own, where Prefect
# could not find what a text stands for.

from collections.abc import Mapping
from typing import Annotated

from prefect import flow, get_run_logger, runtime
from pydantic import Field

from amt_flows.backends.places import AMT
from amt_flows.deploy.target import Target
from amt_flows.flows.parameters import (
    ApprovalTimeout,
    AskForApproval,
    Backend,
    Home,
    MinImprovement,
    OptionalText,
    Region,
    TrainingBlock,
    labelled,
    labelled_text,
)
from amt_flows.flows.promotion.approval import DAY_SECONDS
from amt_flows.flows.promotion.outcome import SERIALIZER, Outcome
from amt_flows.flows.promotion.promote import Terms, promote_on_terms
from amt_flows.flows.promotion.tune_then_deploy import check_pipeline, tuned
from amt_flows.flows.sentences import in_sentences, required_in_the_form
from amt_flows.flows.tuning.cancel import or_cancelled
from amt_flows.flows.tuning.hooks import RETUNE, stop_after_crash, stop_on_cancellation
from amt_flows.flows.tuning.parents import series_elsewhere
from amt_flows.flows.tuning.run_tuning import name_for_run, this_flow_run
from amt_flows.spec import TuningSpec, WarmStartType
from amt_flows.tuning.series import MOST_PARENTS, check_series, next_in_series


def _flow_run_name() -> str:
    given = runtime.flow_run.parameters
    spec = given.get("spec")
    name = spec.get("name") if isinstance(spec, Mapping) else getattr(spec, "name", None)
    return f"{given.get('series') or name or RETUNE}-again"


@required_in_the_form
@flow(
    name=RETUNE,
    flow_run_name=_flow_run_name,
    persist_result=True,
    result_serializer=SERIALIZER,
    on_cancellation=[stop_on_cancellation],
    on_crashed=[stop_after_crash],
    validate_parameters=False,
)
@in_sentences
def retune(
    spec: Annotated[TuningSpec, labelled("Tuning job")],
    target: Annotated[Target, labelled("Target")],
    series: Annotated[OptionalText, labelled_text("Series")] = None,
    learn_from: Annotated[int, labelled("Learn from"), Field(ge=0, le=MOST_PARENTS)] = 3,
    data: Annotated[WarmStartType, labelled("Data")] = WarmStartType.TRANSFER_LEARNING,
    backend: Backend = "local",
    region: Region = None,
    training: TrainingBlock = None,
    home: Home = None,
    min_improvement: MinImprovement = 0.0,
    ask_for_approval: AskForApproval = False,
    approval_timeout_seconds: ApprovalTimeout = DAY_SECONDS,
) -> Outcome:
    """Tune a model again, starting from what earlier runs have found, and put the new one to work only if it
    is better.

    Each run is a tuning job of its own in a series, named after the series and the flow run. A run that is
    done again, after a crash or an approval, goes on with its own tuning job.

    Args:
        spec: What to tune, how one training job is run, and when to stop.
        target: Where the model is put to work.
        series: What the tuning jobs of these runs are called, up to 19 letters, digits and hyphens. Empty:
            the name in the spec.
        learn_from: From how many of the last tuning jobs of the series to start. If the spec has a
            `learn_from` of its own, that is done instead.
        data: Whether training data and algorithm are the same as then. TransferLearning: they may have
            changed, and the best configurations are tried first. IdenticalDataAndAlgorithm: results of then
            count as results.
        backend: Where training jobs run: local (the machine that runs this flow), ray:http://head:8265,
            work-pool:NAME or sagemaker; with amt, SageMaker's own tuner drives them, and is followed. It
            learns from its own tuning jobs only.
        region: The AWS region, for SageMaker. Empty: that of the environment or the profile.
        training: A block with more settings of the backend, which takes the place of the two above, e.g.
            amt-sagemaker-training/prod.
        home: Where tuning jobs are kept, a directory or s3://bucket/folder. Empty: $AMT_FLOWS_HOME, or
            ~/.amt-flows.
        min_improvement: By how much the new model must be better, in the units of its metric.
        ask_for_approval: Ask a person before anything is changed.
        approval_timeout_seconds: How long to wait for that person.
    """
    log = get_run_logger()
    name = name_for_run(check_series(series or spec.name), this_flow_run().flow_run.id)
    by_amt = backend == AMT and training is None
    # What AMT is to learn from it finds itself; a home that was given is the only one that counts.
    elsewhere = [] if home or by_amt or spec.learn_from else series_elsewhere(name)
    # What the spec says of it goes first.
    learn_from = 0 if spec.learn_from else learn_from
    asked, passed_over = next_in_series(
        spec, name, learn_from=learn_from, kind=data, home=home, by_amt=by_amt, elsewhere=elsewhere
    )
    for one in passed_over:
        log.warning("Nothing is learnt from %s: it %s.", one.name, one.why)
    terms = Terms(True, min_improvement, ask_for_approval, approval_timeout_seconds)
    check_pipeline(asked, target, terms, backend if training is None else "")
    parents = () if asked.warm_start is None else asked.warm_start.parents
    if asked.learn_from:
        log.info("%s learns from what its spec says: %s.", name, ", ".join(asked.learn_from))
    else:
        log.info("%s learns from %s.", name, ", ".join(parents) or "no earlier tuning job")
    return or_cancelled(
        lambda: promote_on_terms(tuned(asked, backend, region, home, training=training), target, terms)
    )
