"""How many instances an account may train on at once.

The kinds of quotas are those of Service Quotas' console; the words of the refusal are quoted in many public
issues. That a job counts until it has ended, Stopping included, is assumed: no page says when it stops to
count, and a question would have to use up a quota.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from amt_flows.testing.sagemaker.refusals import Refusal, limit_exceeded


class Occupant(Protocol):
    @property
    def request(self) -> Mapping[str, Any]: ...

    @property
    def live(self) -> bool: ...


@dataclass(frozen=True)
class Quotas:
    """Numbers of instances, per account and region. ``by_type`` names instance types
    (``{"ml.m5.xlarge": 4}``), ``spot_by_type`` is the same for managed spot training, ``other`` is for
    types that aren't named, ``total`` for all training jobs together; None is no limit.

    A job holds its instances until it has ended: while it is Stopping, too.
    """

    by_type: Mapping[str, int] = field(default_factory=dict)
    spot_by_type: Mapping[str, int] = field(default_factory=dict)
    other: int | None = None
    total: int | None = None

    def check(self, request: Mapping[str, Any], occupants: Iterable[Occupant]) -> Refusal | None:
        """Why this request can't be served now."""
        if not (self.by_type or self.spot_by_type or self.other is not None or self.total is not None):
            return None
        live = [job.request for job in occupants if job.live]
        spot = is_spot(request)
        for instance_type, asked in instances(request).items():
            limits = self.spot_by_type if spot else self.by_type
            limit = limits.get(instance_type, self.other)
            used = sum(instances(job).get(instance_type, 0) for job in live if is_spot(job) == spot)
            if limit is not None and used + asked > limit:
                kind = "spot training job usage" if spot else "training job usage"
                return limit_exceeded(f"{instance_type} for {kind}", limit, used, asked)
        used, asked = sum(map(count, live)), count(request)
        if self.total is not None and used + asked > self.total:
            return limit_exceeded("Number of instances across all training jobs", self.total, used, asked)
        return None


def is_spot(request: Mapping[str, Any]) -> bool:
    return bool(request.get("EnableManagedSpotTraining"))


def instances(request: Mapping[str, Any]) -> dict[str, int]:
    """How many instances of which type a training job asks for."""
    config = request.get("ResourceConfig") or {}
    groups = config.get("InstanceGroups") or [config]
    found: dict[str, int] = {}
    for group in groups:
        if group.get("InstanceType"):
            name = str(group["InstanceType"])
            found[name] = found.get(name, 0) + int(group.get("InstanceCount") or 1)
    return found


def count(request: Mapping[str, Any]) -> int:
    return sum(instances(request).values())
