"""Which tuning job a name means.

Where a home was given, the one that is kept there, and no other. Where none was, a worker may have kept it in
a home of its own: the artifacts on the Prefect server say where. Two of one name are told, not chosen from.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
)
from prefect.client.schemas.objects import Artifact
from prefect.client.schemas.sorting import ArtifactSort
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from amt_flows.backends.places import home_at, open_journal
from amt_flows.errors import JournalError, NameTaken, TuningJobNotFound
from amt_flows.flows.api import TIMEOUT_SECONDS
from amt_flows.flows.tuning.artifacts import JOURNAL, artifact_key, content_of
from amt_flows.ledger.record import load_ledger
from amt_flows.results import TuningResult
from amt_flows.results.stored import Unreadable, read_stored

MOST_RESULTS = 10
"""A result may be large. So many of one name are looked at, the newest first."""


def home_named(name: str, home: str | None = None) -> str | None:
    """The home that keeps the tuning job which a name means: the one that was given, else the one that the
    server tells of, else this process's own.

    Raises NameTaken for two of one name, TuningJobNotFound for what is no name or kept in no home.
    """
    own = open_journal(name, home).location
    if home:
        return home
    location = location_named(name)
    if location in (None, own):
        return None
    found = home_at(location, name)
    if found is None:
        raise TuningJobNotFound(
            f"Tuning job {name} is kept in no home, but at {location}.",
            because="its journal was given to it in Python",
            remedy="act on it from Python, with the same journal",
        )
    return found


def location_named(name: str) -> str | None:
    """Where the tuning job is kept that a name means when no home was given, as its journal's URI; None for
    one that is neither known to the server nor kept in this process's own home. Raises NameTaken."""
    with get_client(sync_client=True) as client:
        found = [_location(one) for one in published(client, name)]
    own = open_journal(name)
    try:
        load_ledger(own, name)
        found.append(own.location)
    except TuningJobNotFound:
        pass
    except JournalError:
        found.append(own.location)  # there is one, whatever has become of it
    places = list(dict.fromkeys(place for place in found if place))
    if len(places) > 1:
        raise two_of(name, places)
    return places[0] if places else None


def two_of(name: str, places: Sequence[str]) -> NameTaken:
    homes = [home_at(place, name) for place in places]
    given = ", or ".join(f"home={home!r}" for home in homes if home is not None)
    return NameTaken(
        f"There are {len(places)} tuning jobs named {name}: {'; '.join(places)}.",
        because="tuning jobs of one name ran in several homes",
        remedy=f"say which is meant: {given or 'give its journal'}",
    )


def published(
    client: SyncPrefectClient, name: str, flow_runs: Sequence[UUID] | None = None
) -> Iterator[Artifact]:
    """Artifacts that say where tuning jobs of a name are kept, the newest first: their results, and those of
    the progress of such as run. Of all flow runs, or of some."""
    of = ArtifactFilterFlowRunId(any_=list(flow_runs)) if flow_runs is not None else None
    for kind, limit in (("result", MOST_RESULTS), ("progress", None)):
        key = ArtifactFilterKey(any_=[artifact_key(kind, name)])
        chosen = ArtifactFilter(key=key) if of is None else ArtifactFilter(key=key, flow_run_id=of)
        yield from client.read_artifacts(artifact_filter=chosen, sort=ArtifactSort.CREATED_DESC, limit=limit)


def results_like(client: SyncPrefectClient, start: str, limit: int) -> list[dict[str, Any]]:
    """The newest results of tuning jobs whose names begin with ``start``."""
    key = ArtifactFilterKey(like_=f"{artifact_key('result', start)}%")
    found = client.read_artifacts(
        artifact_filter=ArtifactFilter(key=key), sort=ArtifactSort.CREATED_DESC, limit=limit
    )
    return [result_in(one) for one in found]


def result_in(artifact: Artifact) -> dict[str, Any]:
    """The content of a result's artifact; empty of any other."""
    return content_of(artifact.data)


def stored_result(content: object, name: str) -> TuningResult:
    """The result that an artifact holds. Raises JournalError for what is none."""
    try:
        return read_stored(TuningResult, content)
    except Unreadable as error:
        raise JournalError(
            f"The result of tuning job {name} on the Prefect server {error}.",
            because="somebody has edited its artifact, or another version of amt-flows has written it",
            remedy="read it from its record, with home=..., or delete the artifact",
        ) from None


def _location(artifact: Artifact) -> str:
    place = (artifact.metadata_ or {}).get(JOURNAL) or result_in(artifact).get("journal")
    return place if isinstance(place, str) else ""


def home_of_run(flow_run_id: UUID, name: str) -> str | None:
    """The home in which a flow run, or a tuning that it called, keeps its tuning job, when its parameters
    name none: what its artifacts say, else None for this process's own.

    Never raises, and doesn't wait for a server that is away: training jobs are to be stopped.
    """
    with (
        contextlib.suppress(Exception),
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
        get_client(sync_client=True, httpx_settings={"timeout": TIMEOUT_SECONDS}) as client,
    ):
        called = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run_id]))
        runs = [flow_run_id, *(run.id for run in client.read_flow_runs(flow_run_filter=called))]
        place = next(filter(None, map(_location, published(client, name, runs))), "")
        return None if place == open_journal(name).location else home_at(place, name)
    return None
