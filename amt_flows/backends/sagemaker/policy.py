"""The least permissions that whoever drives a tuning job on SageMaker needs, as an IAM policy.

A test records every call of tuning jobs on the simulated service and compares both ways: what is called is
allowed, and what is allowed is called.

Two more roles have theirs here: the one that the *training jobs* assume, which reads the data and writes the
models (after "CreateTrainingJob API: Execution Role Permissions" in SageMaker's documentation), and that of
whoever only looks.

    python -m amt_flows.backends.sagemaker.policy --journal s3://bucket/tunings
    python -m amt_flows.backends.sagemaker.policy --for training-job --data s3://bucket/data --models s3://b/m
    python -m amt_flows.backends.sagemaker.policy --for viewer --journal s3://bucket/tunings
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from amt_flows.backends.sagemaker.logs import GROUP

ON_TRAINING_JOBS: Final = (
    "sagemaker:CreateTrainingJob",
    "sagemaker:DescribeTrainingJob",
    "sagemaker:ListTags",
    "sagemaker:StopTrainingJob",
)
ON_ALL: Final = ("sagemaker:ListTrainingJobs", "sagemaker:Search")
"""They can't be narrowed down to some jobs."""
ON_TUNING_JOBS: Final = (
    "sagemaker:CreateHyperParameterTuningJob",
    "sagemaker:DescribeHyperParameterTuningJob",
    "sagemaker:ListTags",
    "sagemaker:ListTrainingJobsForHyperParameterTuningJob",
    "sagemaker:StopHyperParameterTuningJob",
)
"""For whoever hands tuning jobs to AMT."""
ON_AMTS_TRAINING_JOBS: Final = ("sagemaker:DescribeTrainingJob",)
IMPLIED: Final[Mapping[str, tuple[str, ...]]] = {
    "sagemaker:CreateTrainingJob": ("sagemaker:AddTags", "iam:PassRole"),
    "sagemaker:CreateHyperParameterTuningJob": ("sagemaker:AddTags", "iam:PassRole"),
}
"""What a call needs beside the action of its own name: a request with tags, and with a role."""
ON_LOGS: Final = ("logs:DescribeLogStreams", "logs:GetLogEvents")
ON_METRICS: Final = ("cloudwatch:GetMetricData",)
ON_OWN_LOGS: Final = (
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
)
ON_IMAGES: Final = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
ON_ALL_OF_A_JOB: Final = ("cloudwatch:PutMetricData", "ecr:GetAuthorizationToken")
"""They can't be narrowed down."""
ROLES: Final = ("controller", "training-job", "viewer")
ON_JOURNAL: Final = ("s3:GetObject", "s3:PutObject")
ON_JOURNAL_BUCKET: Final = ("s3:ListBucket",)


def policy(
    *,
    role: str = "arn:aws:iam::*:role/*",
    journal: str | None = None,
    approximate_curves: bool = False,
    names: str = "*",
    partition: str = "aws",
    amt: bool = False,
) -> dict[str, Any]:
    """An IAM policy document.

    ``role`` is the ARN of the role that the training jobs assume, ``journal`` the ``s3://`` address under
    which journals are kept, ``names`` a pattern of the training jobs' names (``mine-*`` for tuning jobs whose
    names begin with ``mine-``). CloudWatch metrics are read with ``approximate_curves`` only.

    With ``amt`` it is for handing tuning jobs to SageMaker's own tuner and following them, and for nothing
    else; ``names`` is then a pattern of tuning jobs' and training jobs' names.
    """
    training_jobs = f"arn:{partition}:sagemaker:*:*:training-job/{names.lower()}"
    tuning_jobs = f"arn:{partition}:sagemaker:*:*:hyper-parameter-tuning-job/{names.lower()}"
    jobs = (
        [
            _allow("TuningJobs", ON_TUNING_JOBS, tuning_jobs),
            _allow("TrainingJobs", ON_AMTS_TRAINING_JOBS, training_jobs),
            # AMT passes the tags of a tuning job on to its training jobs.
            _allow("Tags", ["sagemaker:AddTags"], tuning_jobs, training_jobs),
        ]
        if amt
        else [
            _allow("TrainingJobs", [*ON_TRAINING_JOBS, "sagemaker:AddTags"], training_jobs),
            _allow("FindTrainingJobs", ON_ALL, "*"),
        ]
    )
    statements = [
        *jobs,
        {
            **_allow("PassRole", ["iam:PassRole"], role),
            "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        },
        _allow("ReadLogs", ON_LOGS, *_logs(partition)),
    ]
    if approximate_curves:
        statements.append(_allow("ReadMetrics", ON_METRICS, "*"))
    if journal is not None:
        statements += _folder("Journal", ON_JOURNAL, journal, partition)
    return {"Version": "2012-10-17", "Statement": statements}


def viewer_policy(*, journal: str | None = None, partition: str = "aws") -> dict[str, Any]:
    """For whoever looks at tuning jobs and their logs, and starts and stops nothing."""
    statements = [_allow("ReadLogs", ON_LOGS, *_logs(partition))]
    if journal is not None:
        statements += _folder("Journal", ("s3:GetObject",), journal, partition)
    return {"Version": "2012-10-17", "Statement": statements}


def training_job_policy(
    *, data: Sequence[str] = (), models: Sequence[str] = (), partition: str = "aws"
) -> dict[str, Any]:
    """For the role that training jobs assume. ``data`` are the ``s3://`` folders that they read, ``models``
    those that they write models and checkpoints to. Keys and VPCs of one's own need more."""
    statements = [
        _allow("Logs", ON_OWN_LOGS, *_logs(partition)),
        _allow("Images", ON_IMAGES, f"arn:{partition}:ecr:*:*:repository/*"),
        _allow("MetricsAndLogin", ON_ALL_OF_A_JOB, "*"),
    ]
    for number, address in enumerate(data, start=1):
        statements += _folder(f"Data{number}", ("s3:GetObject",), address, partition)
    for number, address in enumerate(models, start=1):
        statements += _folder(f"Models{number}", ("s3:GetObject", "s3:PutObject"), address, partition)
    return {"Version": "2012-10-17", "Statement": statements}


def _logs(partition: str) -> tuple[str, str]:
    group = f"arn:{partition}:logs:*:*:log-group:{GROUP}"
    return group, f"{group}:*"


def _folder(name: str, actions: Sequence[str], address: str, partition: str) -> list[dict[str, Any]]:
    parts = urlsplit(address)
    bucket, folder = f"arn:{partition}:s3:::{parts.netloc}", parts.path.strip("/")
    below = f"{folder}/*" if folder else "*"
    return [
        _allow(name, actions, f"{bucket}/{below}"),
        {
            **_allow(f"List{name}", ON_JOURNAL_BUCKET, bucket),
            "Condition": {"StringLike": {"s3:prefix": below}},
        },
    ]


def _allow(name: str, actions: Sequence[str], *resources: str) -> dict[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": list(resources)}


def actions_of(document: Mapping[str, Any]) -> set[str]:
    """Everything that a policy allows."""
    return {action for statement in document["Statement"] for action in statement["Action"]}


def main(words: Sequence[str] | None = None) -> None:
    """Print the policy as JSON."""
    parser = argparse.ArgumentParser(description="The IAM policy for driving tuning jobs on SageMaker.")
    parser.add_argument("--role", default="arn:aws:iam::*:role/*", help="the training jobs' role")
    parser.add_argument("--journal", help="where journals are kept, s3://bucket/folder")
    parser.add_argument("--approximate-curves", action="store_true")
    parser.add_argument("--names", default="*", help="a pattern of the training jobs' names")
    parser.add_argument("--partition", default="aws")
    parser.add_argument(
        "--amt", action="store_true", help="for tuning jobs that SageMaker's own tuner drives"
    )
    parser.add_argument("--for", dest="whom", default=ROLES[0], choices=ROLES, help="whom the policy is for")
    parser.add_argument("--data", action="append", default=[], help="s3:// folder that training jobs read")
    parser.add_argument("--models", action="append", default=[], help="s3:// folder that they write to")
    given = vars(parser.parse_args(words))
    whom, data, models = given.pop("whom"), given.pop("data"), given.pop("models")
    partition = given["partition"]
    if whom == "training-job":
        document = training_job_policy(data=data, models=models, partition=partition)
    elif whom == "viewer":
        document = viewer_policy(journal=given["journal"], partition=partition)
    else:
        document = policy(**given)
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
