"""``tune``: the flow to deploy, to schedule, and to call from a pipeline."""

# Annotations are real types here, not text: a runner loads this file under a name of its own, where Prefect
# could not find what a text stands for.

from typing import Annotated

from prefect import runtime

from amt_flows.backends.places import open_journal
from amt_flows.flows.blocks import backend_for
from amt_flows.flows.parameters import Backend, Home, Region, TrainingBlock, labelled
from amt_flows.flows.promotion.persistence import SERIALIZER
from amt_flows.flows.sentences import in_sentences, required_in_the_form
from amt_flows.flows.tuning.cancel import or_cancelled
from amt_flows.flows.tuning.from_a_call import called_with_a_function_too
from amt_flows.flows.tuning.hooks import stop_after_crash, stop_on_cancellation
from amt_flows.flows.tuning.parents import parents_known
from amt_flows.flows.tuning.run_tuning import name_in_this_run, name_of_spec_in_this_run, run_tuning
from amt_flows.results import TuningResult
from amt_flows.spec import TuningSpec


def _flow_run_name() -> str:
    """A flow run is called like its tuning job."""
    return name_of_spec_in_this_run(runtime.flow_run.parameters.get("spec"))


@required_in_the_form
@called_with_a_function_too(
    name="tune",
    flow_run_name=_flow_run_name,
    persist_result=True,
    result_serializer=SERIALIZER,
    on_cancellation=[stop_on_cancellation],
    on_crashed=[stop_after_crash],
    validate_parameters=False,
)
@in_sentences
def tune(
    spec: Annotated[TuningSpec, labelled("Tuning job")],
    backend: Backend = "local",
    region: Region = None,
    training: TrainingBlock = None,
    home: Home = None,
) -> TuningResult:
    """Find good hyperparameters by running training jobs, on this machine or on SageMaker.

    Training jobs are launched, watched, stopped early when they look poor, and compared, until a completion
    criterion holds. The result names the best of them, with its model, hyperparameters and objective value.

    Args:
        spec: What to tune, how one training job is run, and when to stop.
        backend: Where training jobs run: local (the machine that runs this flow), ray:http://head:8265,
            work-pool:NAME or sagemaker; with amt, SageMaker's own tuner drives them, and is followed.
        region: The AWS region, for SageMaker. Empty: that of the environment or the profile.
        training: A block with more settings of the backend, which takes the place of the two above, e.g.
            amt-sagemaker-training/prod.
        home: Where tuning jobs are kept, a directory or s3://bucket/folder. Empty: $AMT_FLOWS_HOME, or
            ~/.amt-flows.
    """
    place = backend_for(backend, region=region, home=home, training=training)
    return or_cancelled(
        lambda: run_tuning(
            spec,
            backend=place,
            journal=open_journal(name_in_this_run(spec), home),
            parents=parents_known(home, place),
        )
    )
