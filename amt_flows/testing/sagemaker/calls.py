"""A call of the simulated service, and small things that all its answers need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.utilities.utils import get_partition

Answer = Mapping[str, Any]
Place = tuple[str, str]
"""An account and a region."""


@dataclass(frozen=True)
class Call:
    """One call of an operation, with its parameters as they came."""

    operation: str
    account: str
    region: str
    params: Mapping[str, Any]

    @property
    def place(self) -> Place:
        return self.account, self.region


def arn_of(place: Place, kind: str, name: str) -> str:
    """The ARN of a job. The service spells names in lower case there."""
    account, region = place
    return f"arn:{get_partition(region)}:sagemaker:{region}:{account}:{kind}/{name.lower()}"


def in_page(answer: Answer, token: str | None) -> Answer:
    """An answer with the token of the next page, if there is one."""
    return answer if token is None else {**answer, "NextToken": token}
