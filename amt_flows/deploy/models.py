"""The model on SageMaker, and the configuration of its endpoint: made once, found again after that."""

from __future__ import annotations

from amt_flows.deploy.bodies import MADE_FOR, SEVERAL, configuration_body, model_body
from amt_flows.deploy.candidate import Deployable, candidate_of
from amt_flows.deploy.ensuring import CONFIGURATION, MODEL, Made, ensure
from amt_flows.deploy.hosting import Hosting
from amt_flows.deploy.settings import EndpointSettings, ModelSettings


def create_model(
    result: Deployable,
    settings: ModelSettings | None = None,
    *,
    made_for: str | None = None,
    hosting: Hosting | None = None,
) -> Made:
    """The best training job's model as a SageMaker model.

    Image, role, VPC and network isolation are those of the training jobs unless ``settings`` say otherwise.
    ``made_for`` names the endpoint configuration that it is made for: when that is deleted because its
    endpoint failed, so is the model. Raises DeployRejected before AWS is asked, NameTaken for another model
    of the same name, CapacityUnavailable, BackendError.
    """
    body = model_body(candidate_of(result), settings or ModelSettings(), made_for)
    hosting = hosting or Hosting()
    made = ensure(hosting, MODEL, body)
    if not made.created:
        owner = hosting.tags(made.arn).get(MADE_FOR)
        if owner not in (None, SEVERAL, made_for):
            # From now on somebody else counts on it, too.
            hosting.add_tags(made.arn, {MADE_FOR: SEVERAL})
    return made


def create_endpoint_configuration(
    result: Deployable,
    model: str,
    settings: EndpointSettings,
    *,
    endpoint: str | None = None,
    hosting: Hosting | None = None,
) -> Made:
    """An endpoint's configuration for a SageMaker model.

    ``endpoint`` names the endpoint that it is made for: when that fails, the configuration is deleted with
    it. Raises DeployRejected before AWS is asked, NameTaken, CapacityUnavailable, BackendError.
    """
    body = configuration_body(candidate_of(result), model, settings, endpoint)
    return ensure(hosting or Hosting(), CONFIGURATION, body)
