"""What AWS's errors mean to us.

``diagnose`` sorts whatever boto3 raises into a few kinds of trouble, and these decide: *passing* trouble is
waited out, the rest is told to a person. Codes are those of the service models (a test demands that every
modelled one is here) and of https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from amt_flows.errors import BackendError, CapacityUnavailable, LaunchRejected


class Trouble(str, Enum):
    THROTTLED = "too many calls"
    QUOTA = "a quota is used up"
    IN_USE = "the name is taken, or the thing is busy"
    NOT_FOUND = "there is no such thing"
    ENDED = "the training job has ended already"
    DENIED = "not allowed"
    EXPIRED = "the credentials have expired"
    CREDENTIALS = "no valid credentials"
    INVALID = "a wrong request"
    SERVICE = "the service failed"
    NETWORK = "the service can't be reached"
    UNKNOWN = "an error we don't know"


PASSING: Final = frozenset(
    {Trouble.THROTTLED, Trouble.QUOTA, Trouble.EXPIRED, Trouble.SERVICE, Trouble.NETWORK}
)

CODES: Final[Mapping[str, Trouble]] = {
    **dict.fromkeys(
        (
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "SlowDown",
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "TooManyRequestsException",
            "ProvisionedThroughputExceededException",
            "PriorRequestNotComplete",
            "LimitExceededException",
        ),
        Trouble.THROTTLED,
    ),
    "ResourceLimitExceeded": Trouble.QUOTA,
    **dict.fromkeys(
        ("ConflictException", "ResourceAlreadyExists", "ResourceInUse", "ResourceAlreadyExistsException"),
        Trouble.IN_USE,
    ),
    **dict.fromkeys(("ResourceNotFound", "ResourceNotFoundException"), Trouble.NOT_FOUND),
    **dict.fromkeys(
        ("AccessDenied", "AccessDeniedException", "NotAuthorized", "OptInRequired", "UnauthorizedOperation"),
        Trouble.DENIED,
    ),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), Trouble.EXPIRED),
    **dict.fromkeys(
        (
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        Trouble.CREDENTIALS,
    ),
    **dict.fromkeys(
        (
            "InvalidAction",
            "InvalidNextToken",
            "InvalidParameterCombination",
            "InvalidParameterException",
            "InvalidParameterValue",
            "MalformedQueryString",
            "MissingAction",
            "MissingParameter",
            "SerializationException",
            "ValidationError",
            "ValidationException",
        ),
        Trouble.INVALID,
    ),
    **dict.fromkeys(
        (
            "InternalError",
            "InternalFailure",
            "InternalServerError",
            "InternalServerException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
        ),
        Trouble.SERVICE,
    ),
    **dict.fromkeys(("RequestTimeout", "RequestTimeoutException"), Trouble.NETWORK),
}

# Names of botocore's exceptions, looked up along their base classes, so that this file needs no botocore.
_EXCEPTIONS: Final[Mapping[str, Trouble]] = {
    "CredentialRetrievalError": Trouble.EXPIRED,
    "TokenRetrievalError": Trouble.EXPIRED,
    "UnauthorizedSSOTokenError": Trouble.EXPIRED,
    "SSOTokenLoadError": Trouble.CREDENTIALS,
    "NoCredentialsError": Trouble.CREDENTIALS,
    "PartialCredentialsError": Trouble.CREDENTIALS,
    "ProfileNotFound": Trouble.CREDENTIALS,
    "HTTPClientError": Trouble.NETWORK,
    "ConnectionError": Trouble.NETWORK,
    "IncompleteReadError": Trouble.NETWORK,
    "ParamValidationError": Trouble.INVALID,
    "NoRegionError": Trouble.INVALID,
}

_REMEDIES: Final[Mapping[Trouble, str]] = {
    Trouble.DENIED: "allow the action; amt_flows.backends.sagemaker.policy has the least policy that works",
    Trouble.EXPIRED: "renew the credentials (for instance `aws sso login`)",
    Trouble.CREDENTIALS: "configure credentials as for any program with boto3",
    Trouble.NETWORK: "see whether this machine reaches the region's endpoint; a VPC needs one of its own",
    Trouble.QUOTA: "wait for other jobs to end, or ask for more in AWS's Service Quotas",
    Trouble.THROTTLED: "wait; other programs of this account call the same service",
    Trouble.UNKNOWN: "",
}


@dataclass(frozen=True)
class Diagnosis:
    trouble: Trouble
    text: str
    """AWS's or boto3's own words."""

    @property
    def passing(self) -> bool:
        """Whether the same call may succeed later, with nobody changing it."""
        return self.trouble in PASSING


def diagnose(error: Exception) -> Diagnosis:
    """What an exception of boto3's means; anything else is raised again."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping) and "Error" in response:
        code = str(response["Error"].get("Code", ""))
        message = str(response["Error"].get("Message", ""))
        status = int((response.get("ResponseMetadata") or {}).get("HTTPStatusCode") or 0)
        return Diagnosis(_of_answer(code, message, status), f"{code}: {message}")
    for kind in type(error).__mro__:
        if kind.__module__.startswith("botocore") and kind.__name__ in _EXCEPTIONS:
            return Diagnosis(_EXCEPTIONS[kind.__name__], str(error))
    if type(error).__module__.startswith(("botocore", "boto3")):
        return Diagnosis(Trouble.UNKNOWN, str(error))
    raise error


def _of_answer(code: str, message: str, status: int) -> Trouble:
    trouble = CODES.get(code)
    if trouble is Trouble.INVALID:
        # SageMaker says so of unknown and of ended jobs, instead of an error of its own.
        if "not found" in message.lower() or "does not exist" in message.lower():
            return Trouble.NOT_FOUND
        if "is in status" in message:
            return Trouble.ENDED
    if trouble is None:
        return Trouble.SERVICE if status >= 500 else Trouble.UNKNOWN
    return trouble


def launch_error(name: str, found: Diagnosis) -> CapacityUnavailable | LaunchRejected:
    """What ``Backend.launch`` raises: passing trouble makes the engine wait and ask again."""
    if found.passing:
        return CapacityUnavailable(
            f"SageMaker can't take training job {name} now: {found.text}",
            because=found.trouble.value,
            remedy=_REMEDIES.get(found.trouble, "nothing; it is tried again"),
        )
    return LaunchRejected(
        f"SageMaker refused training job {name}: {found.text}",
        because=found.trouble.value,
        remedy=_REMEDIES.get(found.trouble, "change what the message names"),
    )


def call_error(what: str, found: Diagnosis) -> BackendError:
    """For any other call that failed for good; ``what`` was being done."""
    return BackendError(
        f"While {what}: {found.text}",
        because=found.trouble.value,
        remedy=_REMEDIES.get(found.trouble, "run the same tuning job again: it goes on from its journal"),
    )
