"""The result of a tuning job, for another flow."""

from __future__ import annotations

import json

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort

from amt_flows.errors import TuningJobNotFound
from amt_flows.flows.tuning.artifacts import artifact_key
from amt_flows.results import TuningResult


def load_result(name: str) -> TuningResult:
    """The result of the tuning job ``name``, from the newest artifact that holds one.

    Works in a flow, a task or a script, on any machine that reaches the Prefect server. Names are compared
    without regard to case. Raises TuningJobNotFound when no tuning job of that name has ended on this server.
    """
    key = artifact_key("result", name)
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])),
            sort=ArtifactSort.CREATED_DESC,
            limit=1,
        )
        server = str(client.api_url)
    if not found:
        raise TuningJobNotFound(
            f"No tuning job named {name} has left a result on the Prefect server {server}.",
            because="it has not ended yet, ran without Prefect, or on another server",
            remedy="look for its artifact on the server's Artifacts page; a tuning job of this machine also "
            f"answers to `amt-flows status {name}`",
        )
    data = found[0].data
    return TuningResult.model_validate(json.loads(data) if isinstance(data, str) else data)
