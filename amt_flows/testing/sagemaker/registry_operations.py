"""The operations on model package groups and on model packages, in a group or without one.

By their references; the words of refusals are moto's (the question ``packages``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from amt_flows.testing.sagemaker import tags
from amt_flows.testing.sagemaker.calls import Answer, Call, Place, arn_of
from amt_flows.testing.sagemaker.clocks import naive
from amt_flows.testing.sagemaker.filters import Listing
from amt_flows.testing.sagemaker.refusals import Refusal, validation
from amt_flows.testing.sagemaker.shared_state import SharedState
from amt_flows.testing.sagemaker.twins import Shelf, told_by_moto

GROUP, PACKAGE = "model-package-group", "model-package"
SUMMARY = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
)
GROUP_SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageGroupArn",
    "ModelPackageGroupDescription",
    "CreationTime",
    "ModelPackageGroupStatus",
)
UPDATED = ("ModelApprovalStatus", "ApprovalDescription", "InferenceSpecification", "SourceUri")
GROUPS, PACKAGES = Shelf("model_package_groups"), Shelf("model_packages")
GROUP_LISTING = Listing("ModelPackageGroupSummaryList", "ModelPackageGroupName", descending=False)
PACKAGE_LISTING = Listing("ModelPackageSummaryList", "ModelPackageName", descending=False)


@dataclass
class Package:
    """A version of a group, or without one a package of its own (``version`` None)."""

    arn: str
    version: int | None
    created_at: float
    answer: dict[str, Any]
    token: str | None
    tags: list[dict[str, str]] = field(default_factory=list)


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

    def describe(self) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "ModelPackageGroupName": self.name,
            "ModelPackageGroupArn": self.arn,
            "ModelPackageGroupDescription": self.description,
            "CreationTime": naive(self.created_at),
            "CreatedBy": {},
            "ModelPackageGroupStatus": "Completed",
        }
        return {name: value for name, value in answer.items() if value is not None}


@dataclass
class RegistryOperations:
    """Keeps registered models. Methods are called with the world's lock held."""

    shared: SharedState
    groups: dict[tuple[Place, str], Group] = field(default_factory=dict)
    alone: dict[tuple[Place, str], Package] = field(default_factory=dict)
    """The packages without a group, by their names."""

    def operations(self) -> dict[str, Callable[[Call], Answer]]:
        return {
            "CreateModelPackageGroup": self._create_group,
            "DescribeModelPackageGroup": lambda call: self._group(call).describe(),
            "DeleteModelPackageGroup": self._delete_group,
            "ListModelPackageGroups": self._list_groups,
            "CreateModelPackage": self._create,
            "DescribeModelPackage": lambda call: self._find(call, "ModelPackageName").answer,
            "UpdateModelPackage": self._update,
            "DeleteModelPackage": self._delete,
            "ListModelPackages": self._list,
        }

    # -- groups ----------------------------------------------------------------------------------------

    def _group(self, call: Call) -> Group:
        name = str(call.params["ModelPackageGroupName"]).rpartition("/")[2]
        found = self.groups.get((call.place, name.lower()))
        if found is None:
            raise validation(f"ModelPackageGroup {arn_of(call.place, GROUP, name)} does not exist.")
        return found

    def _groups_of(self, place: Place) -> list[Group]:
        return [group for (at, _), group in self.groups.items() if at == place]

    def _create_group(self, call: Call) -> Answer:
        name = str(call.params["ModelPackageGroupName"])
        arn = arn_of(call.place, GROUP, name)
        if (call.place, name.lower()) in self.groups:
            raise validation(f"Model Package Group already exists: {arn}")
        own = tags.merged([], call.params.get("Tags") or [])
        described = call.params.get("ModelPackageGroupDescription")
        self._add_group(call.place, Group(name, arn, self.shared.now(), own, described))
        return {"ModelPackageGroupArn": arn}

    def _add_group(self, place: Place, group: Group) -> None:
        self.groups[place, group.name.lower()] = group
        GROUPS.put(place, group.name, group, group.describe)

    def _delete_group(self, call: Call) -> Answer:
        group = self._group(call)
        if group.packages:
            raise Refusal(
                "ConflictException",
                f"Model Package Group {group.arn} can't be deleted: it has {len(group.packages)} model "
                "packages.",
            )
        del self.groups[call.place, group.name.lower()]
        GROUPS.remove(call.place, group.name)
        return {}

    def _list_groups(self, call: Call) -> Answer:
        told = [group.describe() for group in self._groups_of(call.place)]
        entries = [{name: one[name] for name in GROUP_SUMMARY if name in one} for one in told]
        return GROUP_LISTING.answer(entries, call.params)

    # -- packages --------------------------------------------------------------------------------------

    def packages(self, place: Place) -> Iterator[Package]:
        for group in self._groups_of(place):
            yield from group.packages
        yield from [package for (at, _), package in self.alone.items() if at == place]

    def _create(self, call: Call) -> Answer:
        refusal = _refusal(call.params)
        if refusal is not None:
            raise refusal
        token = call.params.get("ClientToken")
        same = next((p for p in self.packages(call.place) if token is not None and p.token == token), None)
        if same is not None:
            return {"ModelPackageArn": same.arn}
        now = self.shared.now()
        answer = {name: value for name, value in call.params.items() if name not in ("ClientToken", "Tags")}
        answer |= {
            "CreationTime": naive(now),
            "CreatedBy": {},
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": []},
        }
        if call.params.get("ModelPackageGroupName"):
            package = self._new_version(call, now, answer)
        else:
            package = self._new_alone(call, now, answer)
        return {"ModelPackageArn": package.arn}

    def _new_version(self, call: Call, now: float, answer: dict[str, Any]) -> Package:
        name = str(call.params["ModelPackageGroupName"]).rpartition("/")[2]
        group = self.groups.get((call.place, name.lower()))
        if group is None:
            raise validation("Model Package Group does not exist.")
        group.versions += 1
        arn = f"{arn_of(call.place, PACKAGE, group.name)}/{group.versions}"
        answer = {
            "ModelApprovalStatus": "PendingManualApproval",
            **answer,
            "ModelPackageName": f"{group.name}/{group.versions}",
            "ModelPackageGroupName": group.name,
            "ModelPackageVersion": group.versions,
            "ModelPackageArn": arn,
        }
        package = Package(arn, group.versions, now, answer, call.params.get("ClientToken"))
        self._add_version(call.place, group, package)
        return package

    def _add_version(self, place: Place, group: Group, package: Package) -> None:
        group.packages.append(package)
        PACKAGES.put(place, package.arn, package, lambda: package.answer)

    def _new_alone(self, call: Call, now: float, answer: dict[str, Any]) -> Package:
        name = str(call.params["ModelPackageName"])
        arn = arn_of(call.place, PACKAGE, name)
        if (call.place, name.lower()) in self.alone:
            raise Refusal("ConflictException", f"Model Package already exists: {arn}")
        answer = {**answer, "ModelPackageArn": arn}
        own = tags.merged([], call.params.get("Tags") or [])
        package = Package(arn, None, now, answer, call.params.get("ClientToken"), own)
        self._add_alone(call.place, package)
        return package

    def _add_alone(self, place: Place, package: Package) -> None:
        self.alone[place, str(package.answer["ModelPackageName"]).lower()] = package
        PACKAGES.put(place, package.arn, package, lambda: package.answer)

    def _find(self, call: Call, member: str) -> Package:
        name = str(call.params[member]).lower()
        for package in self.packages(call.place):
            if name in (package.arn.lower(), str(package.answer["ModelPackageName"]).lower()):
                return package
        raise validation(f"ModelPackage {name} does not exist.")

    def _update(self, call: Call) -> Answer:
        package = self._find(call, "ModelPackageArn")
        metadata = dict(package.answer.get("CustomerMetadataProperties") or {})
        metadata |= call.params.get("CustomerMetadataProperties") or {}
        for key in call.params.get("CustomerMetadataPropertiesToRemove") or ():
            metadata.pop(key, None)
        changed = {name: call.params[name] for name in UPDATED if name in call.params}
        added = call.params.get("AdditionalInferenceSpecificationsToAdd")
        if added:
            before = package.answer.get("AdditionalInferenceSpecifications") or []
            changed["AdditionalInferenceSpecifications"] = [*before, *added]
        package.answer |= {
            **changed,
            "LastModifiedTime": naive(self.shared.now()),
            "LastModifiedBy": {},
        }
        if metadata:
            package.answer["CustomerMetadataProperties"] = metadata
        else:
            package.answer.pop("CustomerMetadataProperties", None)
        return {"ModelPackageArn": package.arn}

    def _delete(self, call: Call) -> Answer:
        self._drop(call.place, self._find(call, "ModelPackageName"))
        return {}

    def _drop(self, place: Place, package: Package) -> None:
        for group in self._groups_of(place):
            if package in group.packages:
                group.packages.remove(package)
        if package.version is None:
            self.alone.pop((place, str(package.answer["ModelPackageName"]).lower()), None)
        PACKAGES.remove(place, package.arn)

    def _list(self, call: Call) -> Answer:
        status, kind = call.params.get("ModelApprovalStatus"), call.params.get("ModelPackageType")
        if call.params.get("ModelPackageGroupName"):
            found = list(self._group(call).packages)
        else:
            # The reference: without a type those of no group are meant.
            versioned = {"Versioned": (True,), "Both": (True, False)}.get(str(kind), (False,))
            found = [p for p in self.packages(call.place) if (p.version is not None) in versioned]
        entries = [
            {name: one.answer[name] for name in SUMMARY if name in one.answer}
            for one in found
            if status in (None, one.answer.get("ModelApprovalStatus"))
        ]
        return PACKAGE_LISTING.answer(entries, call.params)

    # -- for the service and for moto ------------------------------------------------------------------------

    def tagged(self, place: Place) -> list[Group | Package]:
        return [*self._groups_of(place), *self.packages(place)]

    def group_records(self, place: Place) -> list[dict[str, Any]]:
        return [{**group.describe(), "Tags": group.tags} for group in self._groups_of(place)]

    def package_records(self, place: Place) -> list[dict[str, Any]]:
        return [{**package.answer, "Tags": package.tags} for package in self.packages(place)]

    def adopt(self, place: Place) -> None:
        """Take over what moto has made, and forget what it has removed."""
        for name, theirs in GROUPS.strangers(place):
            told = told_by_moto(theirs)
            self._add_group(
                place,
                Group(
                    name,
                    theirs.arn,
                    self.shared.now(),
                    tags.merged([], told.get("Tags") or []),
                    told.get("ModelPackageGroupDescription"),
                ),
            )
        for arn, theirs in PACKAGES.strangers(place):
            self._take_over(place, arn, theirs)
        for package in list(self.packages(place)):
            if PACKAGES.lacks(place, package.arn):
                self._drop(place, package)
        for group in self._groups_of(place):
            if GROUPS.lacks(place, group.name):
                del self.groups[place, group.name.lower()]

    def _take_over(self, place: Place, arn: str, theirs: Any) -> None:
        answer = {name: value for name, value in theirs.gen_response_object().items() if value is not None}
        answer.pop("Tags", None)
        now, own = self.shared.now(), tags.merged([], theirs.tags or [])
        group = self.groups.get((place, str(answer.get("ModelPackageGroupName")).lower()))
        if group is None:
            package = Package(arn, None, now, {"ModelPackageName": arn, **answer}, None, own)
            self._add_alone(place, package)
            return
        version = int(answer["ModelPackageVersion"])
        group.versions = max(group.versions, version)
        answer["ModelPackageName"] = f"{group.name}/{version}"
        self._add_version(place, group, Package(arn, version, now, answer, None, own))

    def forget(self, place: Place) -> None:
        for package in list(self.packages(place)):
            self._drop(place, package)
        for key in [key for key in self.groups if key[0] == place]:
            GROUPS.remove(place, self.groups.pop(key).name)


def _refusal(request: Mapping[str, Any]) -> Refusal | None:
    group, name = request.get("ModelPackageGroupName"), request.get("ModelPackageName")
    if not group and not name:
        return validation("Missing ARN.")
    if group and name:
        return validation(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine "
            "which one to use."
        )
    if group and request.get("Tags"):
        return validation("Tags are not supported on versioned model packages; tag the model package group.")
    return None
