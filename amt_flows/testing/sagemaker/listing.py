"""ListTrainingJobs, by its reference; that NameContains has no regard to case is assumed (the question
``case-of-names``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from amt_flows.testing.sagemaker.job import SimulatedTrainingJob
from amt_flows.testing.sagemaker.paging import page

PoolStatus = Callable[[SimulatedTrainingJob], "Mapping[str, Any] | None"]

CREATION = "CreationTime"
_ORDERS: Mapping[str, Callable[[SimulatedTrainingJob], tuple[Any, str]]] = {
    "Name": lambda job: (job.name.lower(), job.name),
    CREATION: lambda job: (job.created_at, job.name),
    "Status": lambda job: (job.status, job.name),
}

_TIMES: Mapping[str, Callable[[SimulatedTrainingJob, float], bool]] = {
    "CreationTimeAfter": lambda job, t: job.created_at > t,
    "CreationTimeBefore": lambda job, t: job.created_at < t,
    "LastModifiedTimeAfter": lambda job, t: job.last_modified_at > t,
    "LastModifiedTimeBefore": lambda job, t: job.last_modified_at < t,
}


def list_training_jobs(
    jobs: Sequence[SimulatedTrainingJob], params: Mapping[str, Any], pool_status: PoolStatus
) -> tuple[list[SimulatedTrainingJob], str | None]:
    """The jobs of one page and the token of the next.

    As the service's reference warns, a page is cut first and StatusEquals is applied to it afterwards: pages
    may be short or empty and still have a next one. The newest come first unless SortOrder says otherwise;
    the reference has it both ways, and the command line shows it so.
    """
    asked = str(params.get("NameContains") or "").lower()
    times = [(holds, params[name]) for name, holds in _TIMES.items() if params.get(name) is not None]
    by = str(params.get("SortBy") or CREATION)
    descending = params.get("SortOrder") != "Ascending"
    # They are known in the order of their creation.
    in_order = by == CREATION
    matching = (
        job
        for job in (reversed(jobs) if in_order and descending else jobs)
        if asked in job.name.lower() and all(holds(job, moment) for holds, moment in times)
    )
    found, token = page(matching, _ORDERS[by], params, descending=descending, in_order=in_order)
    if params.get("StatusEquals"):
        found = [job for job in found if job.status == params["StatusEquals"]]
    wanted = params.get("WarmPoolStatusEquals")
    if wanted:
        found = [job for job in found if (pool_status(job) or {}).get("Status") == wanted]
    return found, token
