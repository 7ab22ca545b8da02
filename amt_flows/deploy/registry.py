"""SageMaker's model registry: a tuning job's model as a version of a model package group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from amt_flows.backends.sagemaker.errors import Trouble
from amt_flows.backends.sagemaker.tags import as_pairs
from amt_flows.deploy.bodies import checked, container, digest_of, without_empty
from amt_flows.deploy.candidate import Candidate, Deployable, candidate_of
from amt_flows.deploy.champion import Champion
from amt_flows.deploy.hosting import PAGE, Hosting, trouble_of
from amt_flows.deploy.metadata import champion_of, metadata_of
from amt_flows.deploy.settings import PackageSettings
from amt_flows.errors import BackendError, DeployRejected, Problem

PENDING, APPROVED, REJECTED = "PendingManualApproval", "Approved", "Rejected"
STATUSES: Final = (PENDING, APPROVED, REJECTED)


@dataclass(frozen=True)
class Registered:
    """A version in the model registry."""

    arn: str
    group: str
    version: int | None
    status: str
    created: bool
    """False when this very model was registered before."""


def register_model(
    result: Deployable,
    group: str,
    settings: PackageSettings | None = None,
    *,
    approval: str = PENDING,
    hosting: Hosting | None = None,
) -> Registered:
    """Register the best training job's model in a group, which is made if it is missing.

    Where it came from stands in its metadata: objective, metrics, hyperparameters, tuning job, training job.
    The same model with the same settings is registered once: a second call returns the version of the
    first, whatever its approval status is by then. Raises DeployRejected before AWS is asked,
    CapacityUnavailable, BackendError.
    """
    candidate, settings = candidate_of(result), settings or PackageSettings()
    # The ARN of the training job is derived from the group's, so a stand-in serves for the check.
    mark, body = _package(candidate, group, settings, approval, arn=None)
    hosting = hosting or Hosting()
    group_arn = _ensure_group(hosting, group, settings.group_tags)
    for summary in _summaries(hosting, group):
        if mark in str(summary.get("ModelPackageDescription", "")):
            return _registered(group, summary, created=False)
    _, body = _package(candidate, group, settings, approval, arn=_training_job_arn(candidate, group_arn))
    answer = hosting.call("create_model_package", body, f"registering {candidate.training_job} in {group}")
    told = {"ModelPackageArn": answer["ModelPackageArn"], "ModelApprovalStatus": approval}
    return _registered(group, told, created=True)


def approve_model_package(
    arn: str, status: str = APPROVED, *, comment: str = "", hosting: Hosting | None = None
) -> Registered:
    """Set the approval status of a registered model: Approved, Rejected or PendingManualApproval.

    Raises DeployRejected before AWS is asked, or when there is no such model package; CapacityUnavailable,
    BackendError.
    """
    body = {"ModelPackageArn": arn, "ModelApprovalStatus": status, "ApprovalDescription": comment[:1024]}
    checked("UpdateModelPackage", body)
    hosting = hosting or Hosting()
    told = hosting.look("describe_model_package", {"ModelPackageName": arn}, f"describing {arn}")
    if told is None:
        problem = Problem("arn", arn, "there is no such model package")
        raise DeployRejected("The approval", [problem])
    if told.get("ModelApprovalStatus") != status:
        hosting.call("update_model_package", without_empty(body), f"setting {arn} to {status}")
    group = str(told.get("ModelPackageGroupName", ""))
    return _registered(group, {**told, "ModelApprovalStatus": status}, created=False)


def registry_champion(group: str, *, hosting: Hosting | None = None) -> Champion | None:
    """The latest approved model of a group, for a challenger to be compared with; None if there is none.

    Raises NotComparable when it was registered by another program, CapacityUnavailable, BackendError.
    """
    hosting = hosting or Hosting()
    latest = next(_summaries(hosting, group, APPROVED), None)
    if latest is None:
        return None
    arn = str(latest["ModelPackageArn"])
    told = hosting.call("describe_model_package", {"ModelPackageName": arn}, f"describing {arn}")
    return champion_of(arn, told.get("CustomerMetadataProperties") or {})


def check_registration(candidate: Candidate, group: str, settings: PackageSettings) -> None:
    """Raises DeployRejected for what SageMaker would refuse."""
    _package(candidate, group, settings, PENDING, arn=None)


# -- the parts ------------------------------------------------------------------------------------------


def _package(
    candidate: Candidate, group: str, settings: PackageSettings, approval: str, *, arn: str | None
) -> tuple[str, dict[str, Any]]:
    """The mark by which this very registration is known, and the body of CreateModelPackage."""
    model = container(
        candidate, image=settings.image, model_data=settings.model_data, environment=settings.environment
    )
    specification = without_empty(
        {
            "Containers": [model],
            "SupportedContentTypes": list(settings.content_types),
            "SupportedResponseMIMETypes": list(settings.response_types),
            "SupportedRealtimeInferenceInstanceTypes": list(settings.instance_types),
        }
    )
    # Versions have no name that could be taken, so the identity goes into the one text that listings show
    # and that can't be changed.
    identity = digest_of([group, candidate.tuning_job, candidate.training_job, specification])
    mark = f"[amt-flows {identity[:16]}]"
    body = {
        "ModelPackageGroupName": group,
        "ModelPackageDescription": _description(candidate, mark),
        "InferenceSpecification": specification,
        "ModelApprovalStatus": approval,
        "CustomerMetadataProperties": metadata_of(candidate, arn),
        # For a repetition that comes before the listing has caught up.
        "ClientToken": identity[:32],
    }
    problems = []
    if "Image" not in model:
        problems.append(Problem("image", None, "the training jobs name no image; give one for inference"))
    place = model.get("ModelDataUrl")
    if isinstance(place, str) and not place.startswith(("s3://", "https://")):
        message = "is not in S3; upload it as model.tar.gz and give its address as model_data"
        problems.append(Problem("artifact", place, message))
    return mark, checked("CreateModelPackage", body, problems)


def _description(candidate: Candidate, mark: str) -> str:
    metric = "".join(c for c in candidate.objective_metric if c.isprintable() and c.isascii())
    return (
        f"{metric} = {candidate.objective_value:g}, by training job {candidate.training_job} of tuning job "
        f"{candidate.tuning_job} {mark}"
    )


def _training_job_arn(candidate: Candidate, group_arn: str) -> str | None:
    """Of the group's account and region; none for a training job that did not run on SageMaker."""
    if not candidate.artifact.startswith("s3://") or candidate.image is None:
        return None
    return f"{group_arn.rpartition(':')[0]}:training-job/{candidate.training_job.lower()}"


def _ensure_group(hosting: Hosting, group: str, tags: Mapping[str, str]) -> str:
    asked = {"ModelPackageGroupName": group}
    what = f"describing model package group {group}"
    found = hosting.look("describe_model_package_group", asked, what)
    if found is None:
        body = checked("CreateModelPackageGroup", {**asked, "Tags": as_pairs(tags)})
        try:
            answer = hosting.call("create_model_package_group", body, f"creating model package group {group}")
            return str(answer["ModelPackageGroupArn"])
        except BackendError as error:
            if trouble_of(error) not in (Trouble.IN_USE, Trouble.INVALID):
                raise
            found = hosting.look("describe_model_package_group", asked, what)
            if found is None:
                raise
    return str(found["ModelPackageGroupArn"])


def _summaries(hosting: Hosting, group: str, status: str | None = None) -> Iterator[dict[str, Any]]:
    """The versions of a group, the newest first; none for a group that doesn't exist."""
    asked: dict[str, Any] = {
        "ModelPackageGroupName": group,
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
        "MaxResults": PAGE,
    }
    if status is not None:
        asked["ModelApprovalStatus"] = status
    try:
        for page in hosting.pages("list_model_packages", asked, f"listing the models of {group}"):
            yield from page.get("ModelPackageSummaryList", ())
    except BackendError as error:
        if trouble_of(error) is not Trouble.NOT_FOUND:
            raise


def _registered(group: str, told: Mapping[str, Any], *, created: bool) -> Registered:
    arn = str(told["ModelPackageArn"])
    version = arn.rpartition("/")[2]
    return Registered(
        arn,
        group or arn.split("/")[-2],
        int(version) if version.isdigit() else None,
        str(told.get("ModelApprovalStatus", PENDING)),
        created,
    )
