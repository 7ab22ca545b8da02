"""The operations on model package groups and on the model packages in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from amt_flows.testing.sagemaker import tags
from amt_flows.testing.sagemaker.calls import Answer, Call, Place, arn_of, in_page
from amt_flows.testing.sagemaker.clocks import naive
from amt_flows.testing.sagemaker.paging import page
from amt_flows.testing.sagemaker.refusals import Refusal, validation
from amt_flows.testing.sagemaker.shared_state import SharedState

GROUP = "model-package-group"
SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
)


@dataclass
class Package:
    """A version of a group."""

    arn: str
    version: int
    created_at: float
    answer: dict[str, Any]
    token: str | None


@dataclass
class Group:
    name: str
    arn: str
    created_at: float
    tags: list[dict[str, str]]
    description: str | None
    packages: list[Package] = field(default_factory=list)
    versions: int = 0
    """Ever made: a number is not given twice."""


@dataclass
class RegistryOperations:
    """Keeps registered models. Methods are called with the world's lock held."""

    shared: SharedState
    groups: dict[tuple[Place, str], Group] = field(default_factory=dict)

    def operations(self) -> dict[str, Callable[[Call], Answer]]:
        return {
            "CreateModelPackageGroup": self._create_group,
            "DescribeModelPackageGroup": self._describe_group,
            "CreateModelPackage": self._create,
            "DescribeModelPackage": lambda call: self._find(call, "ModelPackageName").answer,
            "UpdateModelPackage": self._update,
            "DeleteModelPackage": self._delete,
            "ListModelPackages": self._list,
        }

    def _group(self, call: Call) -> Group:
        name = str(call.params["ModelPackageGroupName"]).rpartition("/")[2]
        found = self.groups.get((call.place, name.lower()))
        if found is None:
            raise validation(f"ModelPackageGroup {arn_of(call.place, GROUP, name)} does not exist.")
        return found

    def _create_group(self, call: Call) -> Answer:
        name = str(call.params["ModelPackageGroupName"])
        key, arn = (call.place, name.lower()), arn_of(call.place, GROUP, name)
        if key in self.groups:
            raise validation(f"Model Package Group already exists: {arn}")
        own = tags.merged([], call.params.get("Tags") or [])
        described = call.params.get("ModelPackageGroupDescription")
        self.groups[key] = Group(name, arn, self.shared.now(), own, described)
        return {"ModelPackageGroupArn": arn}

    def _describe_group(self, call: Call) -> Answer:
        group = self._group(call)
        answer: dict[str, Any] = {
            "ModelPackageGroupName": group.name,
            "ModelPackageGroupArn": group.arn,
            "ModelPackageGroupDescription": group.description,
            "CreationTime": naive(group.created_at),
            "CreatedBy": {},
            "ModelPackageGroupStatus": "Completed",
        }
        return {name: value for name, value in answer.items() if value is not None}

    def _create(self, call: Call) -> Answer:
        refusal = _refusal(call.params)
        if refusal is not None:
            raise refusal
        group, token = self._group(call), call.params.get("ClientToken")
        same = next((p for p in group.packages if token is not None and p.token == token), None)
        if same is not None:
            return {"ModelPackageArn": same.arn}
        group.versions += 1
        version, now = group.versions, self.shared.now()
        arn = f"{arn_of(call.place, 'model-package', group.name)}/{version}"
        answer: dict[str, Any] = {
            **{name: value for name, value in call.params.items() if name not in ("ClientToken", "Tags")},
            "ModelPackageName": f"{group.name}/{version}",
            "ModelPackageGroupName": group.name,
            "ModelPackageVersion": version,
            "ModelPackageArn": arn,
            "CreationTime": naive(now),
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": []},
            "ModelApprovalStatus": call.params.get("ModelApprovalStatus", "PendingManualApproval"),
        }
        group.packages.append(Package(arn, version, now, answer, token))
        return {"ModelPackageArn": arn}

    def _find(self, call: Call, member: str) -> Package:
        name = str(call.params[member]).lower()
        for (place, _), group in self.groups.items():
            for package in group.packages:
                if place == call.place and name in (package.arn, f"{group.name}/{package.version}".lower()):
                    return package
        raise validation(f"ModelPackage {name} does not exist.")

    def _update(self, call: Call) -> Answer:
        package = self._find(call, "ModelPackageArn")
        metadata = dict(package.answer.get("CustomerMetadataProperties") or {})
        metadata |= call.params.get("CustomerMetadataProperties") or {}
        for key in call.params.get("CustomerMetadataPropertiesToRemove") or ():
            metadata.pop(key, None)
        changed = {
            name: call.params[name]
            for name in ("ModelApprovalStatus", "ApprovalDescription")
            if name in call.params
        }
        package.answer |= {**changed, "LastModifiedTime": naive(self.shared.now())}
        if metadata:
            package.answer["CustomerMetadataProperties"] = metadata
        return {"ModelPackageArn": package.arn}

    def _delete(self, call: Call) -> Answer:
        package = self._find(call, "ModelPackageName")
        for group in self.groups.values():
            if package in group.packages:
                group.packages.remove(package)
        return {}

    def _list(self, call: Call) -> Answer:
        status = call.params.get("ModelApprovalStatus")
        found = [
            one for one in self._group(call).packages if status in (None, one.answer["ModelApprovalStatus"])
        ]
        descending = call.params.get("SortOrder") != "Ascending"
        # The version breaks ties; as a text of one width, for the order of texts.
        shown, token = page(
            found, lambda one: (one.created_at, f"{one.version:09d}"), call.params, descending=descending
        )
        entries = [{name: one.answer[name] for name in SUMMARY if name in one.answer} for one in shown]
        return in_page({"ModelPackageSummaryList": entries}, token)

    def forget(self, place: Place) -> None:
        for key in [key for key in self.groups if key[0] == place]:
            del self.groups[key]


def _refusal(request: Mapping[str, Any]) -> Refusal | None:
    if not request.get("ModelPackageGroupName"):
        return validation("Model packages without a group are not simulated.")
    if request.get("ModelPackageName"):
        return validation(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine "
            "which one to use."
        )
    if request.get("Tags"):
        return validation("Tags are not supported on versioned model packages; tag the model package group.")
    return None
