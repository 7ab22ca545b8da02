"""``iam:SimulatePrincipalPolicy``, which moto doesn't have and SageMaker's SDK asks before it trains.

A user or role that moto's IAM knows is judged by its policies. A role that nobody made, but somebody is going
to train with, is made: SageMaker may assume it, and it may do everything, as everybody may in the simulated
AWS unless moto is told to enforce policies. The SDK looks at both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.models import iam_backends
from moto.utilities.utils import get_partition

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
EVERYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)
DECISIONS = {
    PermissionResult.PERMITTED: "allowed",
    PermissionResult.DENIED: "explicitDeny",
    PermissionResult.NEUTRAL: "implicitDeny",
}


def simulated(
    account: str, region: str, principal: str, actions: Sequence[str], resources: Sequence[str]
) -> dict[str, Any]:
    """The answer: a decision for each action on each resource (``*`` where none is given)."""
    backend = iam_backends[account][get_partition(region)]
    if _policies(backend, principal) is None:
        _make_role(backend, account, principal)
    policies = _policies(backend, principal)
    results = [
        {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": DECISIONS[_decided(policies, action, resource)],
            "MatchedStatements": [],
            "MissingContextValues": [],
        }
        for action in actions
        for resource in resources or ["*"]
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


def _policies(backend: Any, principal: str) -> list[IAMPolicy] | None:
    """None for somebody whom moto doesn't know."""
    for holder in (*backend.roles.values(), *backend.users.values()):
        if holder.arn == principal:
            return [IAMPolicy(document) for document in _documents(holder)]
    return None


def _make_role(backend: Any, account: str, principal: str) -> None:
    found = re.fullmatch(rf"arn:[^:]+:iam::{account}:role(/|/.*/)([^/]+)", principal)
    if found is not None:
        backend.create_role(
            role_name=found[2],
            assume_role_policy_document=TRUST,
            path=found[1],
            permissions_boundary=None,
            description="made by the simulated AWS, for whoever asked about it",
            tags=[],
            max_session_duration="3600",
        )
        backend.put_role_policy(found[2], "everything", EVERYTHING)


def _documents(holder: Any) -> Iterator[Any]:
    for document in holder.policies.values():  # inline: texts
        yield document if isinstance(document, str) else document["policy_document"]
    yield from holder.managed_policies.values()


def _decided(policies: Sequence[IAMPolicy] | None, action: str, resource: str) -> PermissionResult:
    if policies is None:
        return PermissionResult.PERMITTED
    found = {policy.is_action_permitted(action, resource) for policy in policies}
    for result in (PermissionResult.DENIED, PermissionResult.PERMITTED):
        if result in found:
            return result
    return PermissionResult.NEUTRAL
