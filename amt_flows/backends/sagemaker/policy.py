"""The least permissions that whoever drives a tuning job on SageMaker needs, as an IAM policy.

A test records every call of tuning jobs on the simulated service and compares both ways: what is called is
allowed, and what is allowed is called. (The role that the *training jobs* assume is another matter: it
reads the data and writes the models.)

    python -m amt_flows.backends.sagemaker.policy --journal s3://bucket/tunings
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
        _allow(
            "ReadLogs",
            ON_LOGS,
            f"arn:{partition}:logs:*:*:log-group:{GROUP}",
            f"arn:{partition}:logs:*:*:log-group:{GROUP}:*",
        ),
    ]
    if approximate_curves:
        statements.append(_allow("ReadMetrics", ON_METRICS, "*"))
    if journal is not None:
        statements += _journal(journal, partition)
    return {"Version": "2012-10-17", "Statement": statements}


def _journal(address: str, partition: str) -> list[dict[str, Any]]:
    parts = urlsplit(address)
    bucket, folder = f"arn:{partition}:s3:::{parts.netloc}", parts.path.strip("/")
    return [
        _allow("Journal", ON_JOURNAL, f"{bucket}/{folder}/*"),
        {
            **_allow("ListJournal", ON_JOURNAL_BUCKET, bucket),
            "Condition": {"StringLike": {"s3:prefix": f"{folder}/*"}},
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
    print(json.dumps(policy(**vars(parser.parse_args(words))), indent=2))


if __name__ == "__main__":
    main()
