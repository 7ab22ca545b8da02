"""What a pipeline that may promote a model came to: a value in every case, for the next step to act on."""

from __future__ import annotations

from enum import Enum
from typing import Any

from prefect.serializers import JSONSerializer
from pydantic import BaseModel, ConfigDict

from amt_flows.deploy.champion import Comparison
from amt_flows.deploy.promotion import Promotion
from amt_flows.flows.promotion import persistence

_OUTCOME = "amt_flows.outcome"


class Decision(str, Enum):
    PROMOTED = "promoted"
    CHAMPION_ALREADY = "champion already"
    """This very model was promoted by an earlier run."""
    NOT_BETTER = "not better"
    REJECTED = "rejected"
    TIMED_OUT = "timed out"
    """Nobody decided in time."""


class Outcome(BaseModel):
    """What was decided, and why."""

    model_config = ConfigDict(frozen=True)

    decision: Decision
    sentence: str
    tuning_job: str
    training_job: str
    comparison: Comparison
    promotion: Promotion | None = None
    """What is at work now; None when nothing was changed."""

    @property
    def promoted(self) -> bool:
        return self.decision is Decision.PROMOTED


def encode(value: object) -> Any:
    """JSON for what JSON has no word for."""
    if isinstance(value, Outcome):
        return {_OUTCOME: value.model_dump(mode="json")}
    return persistence.encode(value)


def decode(found: dict[str, Any]) -> Any:
    """The value that :func:`encode` was given."""
    return Outcome.model_validate(found[_OUTCOME]) if _OUTCOME in found else persistence.decode(found)


SERIALIZER: JSONSerializer[Any] = JSONSerializer(
    object_encoder=f"{__name__}.{encode.__name__}", object_decoder=f"{__name__}.{decode.__name__}"
)
