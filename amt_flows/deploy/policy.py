"""The least permissions that whoever puts models to work on SageMaker needs, as an IAM policy.

A test records every call of promotions, of roll-backs and of interrupted attempts on the simulated service
and compares both ways: what is called is allowed, and what is allowed is called. (The role that the *models*
assume is another matter: it reads their files and pulls their images.)

    python -m amt_flows.deploy.policy --role arn:aws:iam::123456789012:role/models --endpoint my-endpoint
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

ON_MODELS: Final = ("sagemaker:CreateModel", "sagemaker:DeleteModel", "sagemaker:DescribeModel")
ON_CONFIGURATIONS: Final = (
    "sagemaker:CreateEndpointConfig",
    "sagemaker:DeleteEndpointConfig",
    "sagemaker:DescribeEndpointConfig",
)
ON_ENDPOINTS: Final = (
    "sagemaker:CreateEndpoint",
    "sagemaker:DeleteEndpoint",
    "sagemaker:DescribeEndpoint",
    "sagemaker:UpdateEndpoint",
)
ON_GROUPS: Final = (
    "sagemaker:CreateModelPackageGroup",
    "sagemaker:DescribeModelPackageGroup",
    "sagemaker:ListModelPackages",
)
ON_PACKAGES: Final = (
    "sagemaker:CreateModelPackage",
    "sagemaker:DescribeModelPackage",
    "sagemaker:UpdateModelPackage",
)
ON_TAGS: Final = ("sagemaker:AddTags", "sagemaker:ListTags")
IMPLIED: Final[Mapping[str, tuple[str, ...]]] = {"sagemaker:CreateModel": ("iam:PassRole",)}
"""What a call needs beside the action of its own name."""


def policy(
    *,
    role: str = "arn:aws:iam::*:role/*",
    names: str = "*",
    endpoint: str | None = "*",
    group: str | None = "*",
    partition: str = "aws",
) -> dict[str, Any]:
    """An IAM policy document.

    ``role`` is the ARN of the role that the models assume, ``names`` a pattern of the models' and
    configurations' names (they begin with the tuning job's name), ``endpoint`` and ``group`` patterns of the
    endpoints and model package groups; None leaves them out.
    """

    def arn(kind: str, pattern: str) -> str:
        return f"arn:{partition}:sagemaker:*:*:{kind}/{pattern.lower()}"

    models, configurations = arn("model", names), arn("endpoint-config", names)
    statements: list[dict[str, Any]] = []
    tagged: list[str] = []
    if endpoint is not None:
        endpoints = arn("endpoint", endpoint)
        tagged += [models, configurations, endpoints]
        statements += [
            _allow("Models", ON_MODELS, models),
            # CreateEndpoint and UpdateEndpoint are asked about the configuration, too.
            _allow("Endpoints", [*ON_CONFIGURATIONS, *ON_ENDPOINTS], configurations, endpoints),
            {
                **_allow("PassRole", ["iam:PassRole"], role),
                "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            },
        ]
    if group is not None:
        groups = arn("model-package-group", group)
        tagged.append(groups)
        packages = f"{arn('model-package', group)}/*"
        statements.append(_allow("Registry", [*ON_GROUPS, *ON_PACKAGES], groups, packages))
    statements.append(_allow("Tags", ON_TAGS, *tagged))
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(name: str, actions: Sequence[str], *resources: str) -> dict[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": list(resources)}


def main(words: Sequence[str] | None = None) -> None:
    """Print the policy as JSON."""
    parser = argparse.ArgumentParser(description="The IAM policy for putting models to work on SageMaker.")
    parser.add_argument("--role", default="arn:aws:iam::*:role/*", help="the models' role")
    parser.add_argument("--names", default="*", help="a pattern of the training jobs' names")
    parser.add_argument("--endpoint", default="*", help="a pattern of the endpoints' names")
    parser.add_argument("--group", default="*", help="a pattern of the model package groups' names")
    parser.add_argument("--partition", default="aws")
    print(json.dumps(policy(**vars(parser.parse_args(words))), indent=2))


if __name__ == "__main__":
    main()
