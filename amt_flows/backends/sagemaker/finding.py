"""Finding a tuning job's training jobs by its name alone."""

from __future__ import annotations

from amt_flows.backends.sagemaker.service import Answer, Service
from amt_flows.backends.sagemaker.states import state_of
from amt_flows.backends.sagemaker.tags import FINGERPRINT, SEED, from_pairs
from amt_flows.ledger.names import parse_training_job_name
from amt_flows.ports import FoundJob


def find(service: Service, tuning_job: str) -> list[tuple[FoundJob, Answer]]:
    """The jobs, the oldest name first, each with what is known of it.

    The listing has the states, and jobs that are new; the search has everything else, a hundred a call, but
    its index lags. What only the listing knows is described one by one.
    """
    prefix = f"{tuning_job}-"
    listed = {str(one["TrainingJobName"]).lower(): one for one in service.summaries(prefix)}
    known = {str(one["TrainingJobName"]).lower(): one for one in service.records(prefix)}
    found = []
    for key in sorted({*listed, *known}):
        record = known.get(key) or _record(service, str(listed[key]["TrainingJobName"]))
        if record is not None:
            job = _found(tuning_job, record, listed.get(key, record))
            if job is not None:
                found.append((job, record))
    return found


def _record(service: Service, name: str) -> Answer | None:
    answer = service.describe(name)
    if answer is None:
        return None
    tags = service.tags(str(answer["TrainingJobArn"]))
    return {**answer, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _found(tuning_job: str, record: Answer, newest: Answer) -> FoundJob | None:
    """None for a job of another tuning job whose name begins with ours."""
    name = str(record["TrainingJobName"])
    parts = parse_training_job_name(name)
    if parts is None or parts.tuning_job.lower() != tuning_job.lower():
        return None
    tags = from_pairs(record.get("Tags") or ())
    seed = tags.get(SEED, "")
    return FoundJob(
        name,
        parts.trial,
        parts.attempt,
        tags.get(FINGERPRINT, ""),
        dict(record.get("HyperParameters") or {}),
        state_of(str(newest["TrainingJobStatus"]), newest.get("SecondaryStatus")),
        int(seed) if seed.isdecimal() else None,
    )
