"""What the simulated service says no with: AWS's error codes and, as far as they are known, its words.

Texts come from the service model, from SageMaker's API reference, and from answers of the real service that
people quoted in public issues.
"""

from __future__ import annotations

__all__ = [
    "ConnectionLost",
    "Refusal",
    "access_denied",
    "connection_lost",
    "expired_credentials",
    "in_use",
    "internal_failure",
    "limit_exceeded",
    "not_found",
    "service_unavailable",
    "throttled",
    "unsimulated",
    "validation",
]


class Refusal(Exception):
    """An error answer: AWS's error ``code``, a ``message`` and the HTTP ``status``."""

    # Not one of moto's exceptions: moto looks up the service of those by the name of their module.

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class ConnectionLost(Refusal):
    """The answer never arrives. In process botocore sees a broken connection, behind the server HTTP 503."""


def validation(message: str) -> Refusal:
    return Refusal("ValidationException", message)


def not_found() -> Refusal:
    """What Describe and Stop say of a job that doesn't exist: no ResourceNotFound, as one would expect."""
    return validation("Requested resource not found.")


def in_use(message: str) -> Refusal:
    return Refusal("ResourceInUse", message)


def limit_exceeded(what: str, limit: int, used: int, asked: int) -> Refusal:
    """A quota is used up; ``what`` names it, the rest are numbers of instances."""
    return Refusal(
        "ResourceLimitExceeded",
        f"The account-level service limit '{what}' is {limit} Instances, with current utilization of {used} "
        f"Instances and a request delta of {asked} Instances. Please use AWS Service Quotas to request an "
        "increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an "
        "increase for this quota.",
    )


def throttled() -> Refusal:
    return Refusal("ThrottlingException", "Rate exceeded")


def expired_credentials() -> Refusal:
    return Refusal("ExpiredTokenException", "The security token included in the request is expired")


def access_denied(action: str) -> Refusal:
    """``action`` as in a policy, for instance ``sagemaker:CreateTrainingJob``."""
    return Refusal(
        "AccessDeniedException",
        f"User: arn:aws:sts::123456789012:assumed-role/tuner/session is not authorized to perform: {action} "
        f"because no identity-based policy allows the {action} action",
    )


def internal_failure() -> Refusal:
    return Refusal("InternalFailure", "We encountered an internal error. Please try again.", status=500)


def service_unavailable() -> Refusal:
    return Refusal("ServiceUnavailable", "The service is temporarily unavailable.", status=503)


def unsimulated(action: str) -> Refusal:
    """What nobody answers here; in the code by which AWS's JSON services tell of an operation that they don't
    have. ``action`` as in a policy."""
    return Refusal(
        "UnknownOperationException",
        f"The simulated AWS: {action} is not simulated, neither by amt-flows nor by moto.",
    )


def broken(action: str, error: Exception) -> Refusal:
    """Moto, or the simulator, failed at a call."""
    return Refusal(
        "InternalFailure", f"The simulated AWS: {action} failed in the simulation: {error!r}", status=500
    )


def connection_lost() -> Refusal:
    return ConnectionLost("ServiceUnavailable", "The connection was lost.", status=503)
