"""SageMaker's statuses and errors in our words. AWS adds to both: then a test here fails."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from amt_flows.backends.sagemaker.errors import CODES, Trouble, diagnose, launch_error
from amt_flows.backends.sagemaker.service_model import service_model
from amt_flows.backends.sagemaker.states import (
    RESTARTS,
    SECONDARY,
    STATUSES,
    TIME_LIMITS,
    is_infrastructure,
    state_of,
)
from amt_flows.errors import CapacityUnavailable, LaunchRejected
from amt_flows.ports import JobState
from amt_flows.testing.sagemaker import refusals
from amt_flows.testing.sagemaker.scripts import CAPACITY_ERROR, INTERNAL_ERROR


def enum(shape: str) -> set[str]:
    return set(service_model("sagemaker").shape_for(shape).enum)


def test_every_status_has_a_meaning() -> None:
    assert set(STATUSES) == enum("TrainingJobStatus")
    assert set(SECONDARY) == enum("SecondaryStatus")
    assert {*RESTARTS, *TIME_LIMITS} <= set(SECONDARY)


def test_only_the_status_ends_a_job() -> None:
    """A job that is Stopping holds its slot, whatever its secondary status says."""
    for secondary in (*SECONDARY, None):
        assert not state_of("InProgress", secondary).terminal
        assert state_of("Stopping", secondary) is JobState.STOPPING
        assert state_of("Stopped", secondary) is JobState.STOPPED
        assert state_of("Completed", secondary) is JobState.COMPLETED
        assert state_of("Failed", secondary) is JobState.FAILED


def test_a_status_of_tomorrow_keeps_its_slot() -> None:
    assert state_of("Paused", None) is JobState.RUNNING
    assert state_of("InProgress", "Humming") is JobState.RUNNING


@pytest.mark.parametrize(
    ("reason", "infrastructure"),
    [
        (INTERNAL_ERROR, True),
        (CAPACITY_ERROR, True),
        (
            "Unable to provision requested ML compute capacity",
            True,
        ),
        ("AlgorithmError: CUDA out of memory, exit code: 1", False),
        ("AlgorithmError: InternalServerError was raised by my own code, exit code: 1", False),
        ("ClientError: Data download failed", False),
        ("", False),
    ],
)
def test_whose_fault_a_failure_was(reason: str, infrastructure: bool) -> None:
    assert is_infrastructure(reason) is infrastructure


# -- errors ----------------------------------------------------------------------------------------------


def codes_of(service: str, *operations: str) -> set[str]:
    model = service_model(service)
    shapes = [s for name in operations for s in model.operation_model(name).error_shapes]
    if not operations:
        shapes = list(model.error_shapes)
    return {str((shape.metadata.get("error") or {}).get("code") or shape.name) for shape in shapes}


def test_every_error_of_the_service_has_a_meaning() -> None:
    assert codes_of("sagemaker") - set(CODES) == set()


def test_every_error_of_our_calls_to_other_services_has_a_meaning() -> None:
    assert codes_of("logs", "DescribeLogStreams", "GetLogEvents") - set(CODES) == set()
    # CloudWatch's model names its errors by their classes; it answers with the code.
    assert codes_of("cloudwatch", "GetMetricData") - set(CODES) - {"InvalidNextTokenException"} == set()


def answer(code: str, message: str = "", status: int = 400) -> ClientError:
    told: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(told, "CreateTrainingJob")


@pytest.mark.parametrize(
    ("error", "trouble", "passing"),
    [
        (answer("ThrottlingException", "Rate exceeded"), Trouble.THROTTLED, True),
        (answer("ResourceLimitExceeded"), Trouble.QUOTA, True),
        (answer("ResourceInUse"), Trouble.IN_USE, False),
        (answer("ValidationException", "1 validation error detected"), Trouble.INVALID, False),
        (answer("ValidationException", "Requested resource not found."), Trouble.NOT_FOUND, False),
        (
            answer("ValidationException", "The request was rejected: the training job is in status X."),
            Trouble.ENDED,
            False,
        ),
        (answer("AccessDeniedException"), Trouble.DENIED, False),
        (answer("ExpiredTokenException"), Trouble.EXPIRED, True),
        (answer("UnrecognizedClientException"), Trouble.CREDENTIALS, False),
        (answer("Weird", status=503), Trouble.SERVICE, True),
        (answer("Weird"), Trouble.UNKNOWN, False),
        (exceptions.EndpointConnectionError(endpoint_url="x"), Trouble.NETWORK, True),
        (exceptions.ReadTimeoutError(endpoint_url="x"), Trouble.NETWORK, True),
        (exceptions.ConnectTimeoutError(endpoint_url="x"), Trouble.NETWORK, True),
        (exceptions.ConnectionClosedError(endpoint_url="x"), Trouble.NETWORK, True),
        (exceptions.SSLError(endpoint_url="x", error="y"), Trouble.NETWORK, True),
        (exceptions.NoCredentialsError(), Trouble.CREDENTIALS, False),
        (exceptions.CredentialRetrievalError(provider="x", error_msg="y"), Trouble.EXPIRED, True),
        (exceptions.ParamValidationError(report="x"), Trouble.INVALID, False),
        (exceptions.NoRegionError(), Trouble.INVALID, False),
        (exceptions.UnknownServiceError(service_name="x", known_service_names="y"), Trouble.UNKNOWN, False),
    ],
)
def test_what_an_error_means(error: Exception, trouble: Trouble, passing: bool) -> None:
    found = diagnose(error)
    assert (found.trouble, found.passing) == (trouble, passing)
    assert str(error)[:20] in found.text or found.text.startswith(error.response["Error"]["Code"])  # type: ignore[attr-defined]


def test_an_error_that_is_not_of_boto3_is_a_bug_and_goes_on() -> None:
    with pytest.raises(ZeroDivisionError):
        diagnose(ZeroDivisionError())


def test_every_network_error_of_botocore_is_known() -> None:
    """Whatever botocore raises for a connection passes."""
    for kind in vars(exceptions).values():
        if isinstance(kind, type) and issubclass(kind, exceptions.HTTPClientError):
            arguments = {"endpoint_url": "x", "error": "y", "proxy_url": "z"}
            assert diagnose(kind(**arguments)).trouble is Trouble.NETWORK, kind


def test_every_trouble_is_told_with_aws_own_words() -> None:
    for trouble in Trouble:
        code = next((code for code, meaning in CODES.items() if meaning is trouble), None)
        if code is not None:
            error = launch_error("demo-001", diagnose(answer(code, "their words")))
            assert "their words" in str(error)
            assert isinstance(error, CapacityUnavailable | LaunchRejected)


def test_the_simulated_services_refusals_are_all_known() -> None:
    for name in ("throttled", "expired_credentials", "internal_failure", "service_unavailable", "not_found"):
        refusal = getattr(refusals, name)()
        found = diagnose(answer(refusal.code, refusal.message, refusal.status))
        assert found.trouble is not Trouble.UNKNOWN
