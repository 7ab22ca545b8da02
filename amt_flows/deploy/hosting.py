"""SageMaker's calls for models, endpoints and the model registry, with its oddities put right.

SageMaker has no error of its own for what is missing, taken or busy: all three are a ValidationException, and
only the words tell them apart ("Could not find model", "Cannot create already existing endpoint", "Cannot
update in-progress endpoint"). No decision that could destroy anything is taken on these words alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from amt_flows.backends.sagemaker.clients import Clients
from amt_flows.backends.sagemaker.errors import Diagnosis, Trouble, diagnose
from amt_flows.backends.sagemaker.tags import as_pairs, from_pairs
from amt_flows.errors import BackendError, CapacityUnavailable

PAGE: Final = 100
Record = Mapping[str, Any]

_WORDS: Final[Mapping[str, Trouble]] = {
    "could not find": Trouble.NOT_FOUND,
    "already exist": Trouble.IN_USE,
    "in-progress": Trouble.IN_USE,
}
_REMEDIES: Final[Mapping[Trouble, str]] = {
    Trouble.DENIED: "allow the action; amt_flows.deploy.policy has the least policy that works",
    Trouble.EXPIRED: "renew the credentials (for instance `aws sso login`), then do the same again",
    Trouble.CREDENTIALS: "configure credentials as for any program with boto3",
    Trouble.QUOTA: "choose a smaller instance or fewer, or ask for more in AWS's Service Quotas",
}
_AGAIN: Final = "mend what the message names, then do the same again: what is done already is found"


class Hosting:
    """SageMaker as a place where models are put to work. ``region`` and ``session`` are boto3's;
    ``now`` and ``sleep`` are time, in seconds, for those who wait.

    Every method raises CapacityUnavailable when the same call may succeed later, else BackendError.
    """

    def __init__(
        self,
        session: Any = None,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        config: Any = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clients = Clients(session, region, endpoint_url, config)
        self.now, self.sleep = now, sleep

    @cached_property
    def _client(self) -> Any:
        try:
            return self._clients.sagemaker
        except BackendError:
            raise
        except Exception as error:
            raise failure("connecting to SageMaker", diagnose(error)) from error

    @property
    def region(self) -> str | None:
        return self._clients.region

    def call(self, operation: str, asked: Record, what: str) -> dict[str, Any]:
        """The answer; ``operation`` is the name of a method of boto3's client."""
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**asked)
        except BackendError:
            raise
        except Exception as error:
            raise failure(what, _diagnosis(error)) from error
        return answer

    def look(self, operation: str, asked: Record, what: str) -> dict[str, Any] | None:
        """The same, and None for what doesn't exist."""
        try:
            return self.call(operation, asked, what)
        except BackendError as error:
            if trouble_of(error) is Trouble.NOT_FOUND:
                return None
            raise

    def pages(self, operation: str, asked: Record, what: str) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            more = {} if token is None else {"NextToken": token}
            page = self.call(operation, {**asked, **more}, what)
            yield page
            token = page.get("NextToken")
            if not token:
                return

    # -- tags ------------------------------------------------------------------------------------

    def tags(self, arn: str) -> dict[str, str]:
        asked = {"ResourceArn": arn}
        pages = self.pages("list_tags", asked, f"reading the tags of {arn}")
        return from_pairs(tag for page in pages for tag in page.get("Tags", ()))

    def add_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        self.call("add_tags", {"ResourceArn": arn, "Tags": as_pairs(tags)}, f"tagging {arn}")

    # -- endpoints -------------------------------------------------------------------------------

    def endpoint(self, name: str) -> dict[str, Any] | None:
        """None for an endpoint that doesn't exist."""
        return self.look("describe_endpoint", {"EndpointName": name}, f"describing endpoint {name}")

    def configuration(self, name: str) -> dict[str, Any] | None:
        asked = {"EndpointConfigName": name}
        return self.look("describe_endpoint_config", asked, f"describing endpoint configuration {name}")


def trouble_of(error: BaseException) -> Trouble | None:
    """What kind of trouble an error of :class:`Hosting` is about."""
    found = getattr(error, "because", "")
    return next((one for one in Trouble if one.value == found), None)


def failure(what: str, found: Diagnosis) -> BackendError:
    """The error for a call that failed; ``what`` was being done."""
    # A quota of endpoints or instances does not free itself, as one of training jobs does.
    passing = found.passing and found.trouble is not Trouble.QUOTA
    return (CapacityUnavailable if passing else BackendError)(
        f"While {what}: {found.text}",
        because=found.trouble.value,
        remedy=_REMEDIES.get(found.trouble, "do the same again later" if passing else _AGAIN),
    )


def _diagnosis(error: Exception) -> Diagnosis:
    found = diagnose(error)
    if found.trouble is not Trouble.INVALID:
        return found
    told = found.text.lower()
    return next((Diagnosis(trouble, found.text) for words, trouble in _WORDS.items() if words in told), found)
