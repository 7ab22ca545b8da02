"""The operations on algorithms of one's own, which a training job may name in the place of an image.

By their references; that one is Completed at once is assumed, for its validation isn't simulated, and so are
the words of refusals, by analogy with models (the question ``unknown-deployed``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from amt_flows.testing.sagemaker import tags
from amt_flows.testing.sagemaker.calls import Answer, Call, Place, arn_of
from amt_flows.testing.sagemaker.clocks import naive
from amt_flows.testing.sagemaker.filters import Listing
from amt_flows.testing.sagemaker.refusals import Refusal, validation
from amt_flows.testing.sagemaker.shared_state import SharedState

ALGORITHM = "algorithm"
LISTING = Listing("AlgorithmSummaryList", "AlgorithmName", descending=False)
SUMMARY = ("AlgorithmName", "AlgorithmArn", "AlgorithmDescription", "CreationTime", "AlgorithmStatus")


@dataclass
class Algorithm:
    """One that was created, as it was asked for: it is validated at once."""

    arn: str
    answer: dict[str, Any]
    tags: list[dict[str, str]]


@dataclass
class AlgorithmOperations:
    """Keeps the algorithms. Methods are called with the world's lock held."""

    shared: SharedState
    existing: dict[tuple[Place, str], Algorithm] = field(default_factory=dict)

    def operations(self) -> dict[str, Callable[[Call], Answer]]:
        return {
            "CreateAlgorithm": self._create,
            "DescribeAlgorithm": lambda call: self._find(call).answer,
            "DeleteAlgorithm": self._delete,
            "ListAlgorithms": self._list,
        }

    def _create(self, call: Call) -> Answer:
        name = str(call.params["AlgorithmName"])
        key, arn = (call.place, name.lower()), arn_of(call.place, ALGORITHM, name)
        if key in self.existing:
            raise Refusal("ConflictException", f"Algorithm already exists: {arn}")
        answer = {
            **{member: value for member, value in call.params.items() if member != "Tags"},
            "AlgorithmArn": arn,
            "CreationTime": naive(self.shared.now()),
            "AlgorithmStatus": "Completed",
            "AlgorithmStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        }
        self.existing[key] = Algorithm(arn, answer, tags.merged([], call.params.get("Tags") or []))
        return {"AlgorithmArn": arn}

    def named(self, place: Place, name: str) -> Algorithm | None:
        """By its name or its ARN."""
        return self.existing.get((place, name.rpartition("/")[2].lower()))

    def _find(self, call: Call) -> Algorithm:
        name = str(call.params["AlgorithmName"])
        found = self.named(call.place, name)
        if found is None:
            arn = name if name.startswith("arn:") else arn_of(call.place, ALGORITHM, name)
            raise validation(f"Algorithm {arn} does not exist.")
        return found

    def _delete(self, call: Call) -> Answer:
        self._find(call)
        del self.existing[call.place, str(call.params["AlgorithmName"]).rpartition("/")[2].lower()]
        return {}

    def _list(self, call: Call) -> Answer:
        told = [one.answer for (place, _), one in self.existing.items() if place == call.place]
        entries = [{name: one[name] for name in SUMMARY if name in one} for one in told]
        return LISTING.answer(entries, call.params)

    def forget(self, place: Place) -> None:
        for key in [key for key in self.existing if key[0] == place]:
            del self.existing[key]
