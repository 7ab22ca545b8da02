"""Runs in an environment with the real SageMaker SDK: builds every case, lets the SDK write its request, and
converts the same tuner. Prints, as JSON, what came of each case.

Usage: ``python real_sdk.py 2|3``, with ``amt_flows`` and the directory of tests on the path. No call leaves
the machine: botocore's are answered here, after botocore's own validation of what is asked.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import socket
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from amt_flows.errors import SpecError
from amt_flows.sagemaker_sdk import prepare, spec_from_tuner
from amt_flows.spec.amt_request import to_amt_request
from sagemaker_sdk.case import DEFAULT_BUCKET, JOB, ROLE, Case, Cases, Kit, source_dir

ACCOUNT = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/tester"}
TRUST = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ]
}
# Where the classes are. Of two with one name the earlier module's counts.
MODULES = {
    "3": (
        "train.tuner",
        "core.parameter",
        "core.training.configs",
        "core.shapes",
        "core.workflow.parameters",
    ),
    "2": (
        "tuner",
        "parameter",
        "inputs",
        "instance_group",
        "estimator",
        "pytorch",
        "amazon.kmeans",
        "amazon.amazon_estimator",
        "local",
        "workflow.parameters",
    ),
}
ANSWERS: dict[str, Any] = {
    "GetCallerIdentity": ACCOUNT,
    "GetRole": {"Role": {"RoleName": "trainer", "Arn": ROLE, "AssumeRolePolicyDocument": TRUST}},
    "SimulatePrincipalPolicy": {"EvaluationResults": []},
    "ListBuckets": {"Buckets": [{"Name": DEFAULT_BUCKET, "CreationDate": datetime.now(timezone.utc)}]},
}


class Asked(Exception):
    """The request that the SDK sent."""


class Account:
    """Stands in for AWS; while ``closed`` any call is an error."""

    def __init__(self) -> None:
        self.closed = False

    def answer(self, client: Any, operation: str, request: dict[str, Any]) -> Any:
        assert not self.closed, f"the conversion called {operation}"
        from botocore.validate import ParamValidator

        shape = client.meta.service_model.operation_model(operation).input_shape
        if shape is not None:
            report = ParamValidator().validate(request, shape)
            if report.has_errors():
                raise ValueError(f"{operation}: {report.generate_report()}")
        if operation == "CreateHyperParameterTuningJob":
            raise Asked(request)
        return ANSWERS.get(operation, {})

    @contextlib.contextmanager
    def shut(self) -> Iterator[None]:
        self.closed = True
        try:
            yield
        finally:
            self.closed = False


def take_the_network_away(account: Account) -> None:
    client = importlib.import_module("botocore.client")

    def call(self: Any, operation: str, request: dict[str, Any]) -> Any:
        return account.answer(self, operation, request)

    def refuse(*_: object, **__: object) -> None:
        raise OSError("there is no network here")

    client.BaseClient._make_api_call = call
    socket.socket.connect = refuse  # type: ignore[method-assign]


def real_classes(version: str) -> dict[str, Any]:
    """The SDK's classes; those that take a session get one."""
    boto3 = importlib.import_module("boto3")
    session = boto3.Session("key", "secret", region_name="eu-west-1")
    if version == "3":
        modules = [importlib.import_module(f"sagemaker.{name}") for name in MODULES["3"]]
        classes = {name: value for module in reversed(modules) for name, value in vars(module).items()}
        trainer = importlib.import_module("sagemaker.train.model_trainer")
        made = importlib.import_module("sagemaker.core.helper.session_helper").Session(boto_session=session)
        classes["Mode"] = trainer.Mode
        classes["ModelTrainer"] = lambda **given: trainer.ModelTrainer(sagemaker_session=made, **given)
        return classes
    modules = [importlib.import_module(f"sagemaker.{name}") for name in MODULES["2"]]
    classes = {name: value for module in reversed(modules) for name, value in vars(module).items()}
    made = importlib.import_module("sagemaker.session").Session(boto_session=session)
    for name in ("Estimator", "PyTorch", "KMeans"):
        classes[name] = lambda of=classes[name], **given: of(sagemaker_session=made, **given)
    return classes


def start(case: Case) -> None:
    if hasattr(case.tuner, "tune"):
        case.tuner.tune(case.inputs, job_name=JOB, wait=False)
    else:
        # v2's default for this is refused by v2 itself when there are several estimators.
        of_classes: Any = {} if case.tuner.estimator is None else False
        case.tuner.fit(case.inputs, job_name=JOB, wait=False, include_cls_metadata=of_classes)


def asked_by_the_sdk(case: Case) -> dict[str, Any]:
    """{"request": ...} or {"failure": ...}"""
    try:
        start(case)
    except Asked as asked:
        return {"request": asked.args[0]}
    except Exception as error:
        return {"failure": f"{type(error).__name__}: {error}"}
    raise AssertionError("the SDK started no tuning job")


def converted(case: Case, account: Account) -> dict[str, Any]:
    with account.shut():
        try:
            spec = spec_from_tuner(case.tuner, inputs=case.inputs, job_name=JOB)
            return {"spec": spec.to_json(), "request": to_amt_request(spec)}
        except SpecError as error:
            return {"refused": [[problem.field, problem.message] for problem in error.problems]}


def attributes(case: Case, version: str) -> dict[str, list[str]]:
    """The names of what the tuner and its trainers have."""
    trainer = "model_trainer" if version == "3" else "estimator"
    holders = [getattr(case.tuner, trainer), *(getattr(case.tuner, f"{trainer}_dict") or {}).values()]
    # pydantic keeps private attributes apart.
    trainers = {
        name
        for one in holders
        if one is not None
        for name in (*dir(one), *getattr(type(one), "__private_attributes__", ()))
    }
    return {"tuner": dir(case.tuner), "trainer": sorted(trainers)}


def outcome(build: Any, kit: Kit, account: Account, version: str) -> dict[str, Any]:
    case: Case = build(kit)
    outcome: dict[str, Any] = {"attributes": attributes(case, version)}
    if case.prepared:
        outcome["unprepared"] = converted(case, account)
        prepare(case.tuner, inputs=case.inputs, job_name=JOB)
    outcome["ours"] = converted(case, account)
    outcome["again"] = converted(case, account)
    outcome["theirs"] = asked_by_the_sdk(case)
    return outcome


def main(version: str) -> None:
    warnings.simplefilter("ignore")
    account = Account()
    take_the_network_away(account)
    cases = importlib.import_module(f"sagemaker_sdk.cases_v{version}")
    able: Cases = cases.CASES
    refused: Cases = cases.REFUSED
    # The SDK puts the time into the addresses of what it uploads.
    time.time = lambda: 1_700_000_000.0
    with tempfile.TemporaryDirectory() as directory:
        kit = Kit(real_classes(version), source_dir(Path(directory)))
        outcomes = {name: outcome(build, kit, account, version) for name, build in able.items()}
        for name, build in refused.items():
            case = build(kit)
            outcomes[name] = converted(case, account)
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(sys.argv[1])
