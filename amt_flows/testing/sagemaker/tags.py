"""Tags of jobs.

At most 50 is AddTags' reference; the order in which they are listed and the words of the refusal are assumed
(the question ``tags``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from amt_flows.testing.sagemaker.paging import page
from amt_flows.testing.sagemaker.refusals import validation

MOST = 50
PAGE = 50

Tags = Sequence[Mapping[str, str]]


def merged(tags: Tags, added: Tags) -> list[dict[str, str]]:
    """What AddTags makes of them: a key that is there already gets the new value. Raises a
    ValidationException for more than 50."""
    values = {tag["Key"]: tag["Value"] for tag in [*tags, *added]}
    if len(values) > MOST:
        raise validation(f"The number of tags can't be more than {MOST}.")
    return [{"Key": key, "Value": value} for key, value in values.items()]


def without(tags: Tags, keys: Sequence[str]) -> list[dict[str, str]]:
    return [dict(tag) for tag in tags if tag["Key"] not in keys]


def listed(tags: Tags, params: Mapping[str, Any]) -> dict[str, Any]:
    """ListTags' answer, in the order in which they were added; MaxResults is 50 or more in the service's
    model, so one page holds all that there may be."""
    numbered = list(enumerate(tags))
    found, token = page(numbered, lambda one: (one[0], ""), {"MaxResults": PAGE, **params}, descending=False)
    return {"Tags": [dict(tag) for _, tag in found], **({"NextToken": token} if token else {})}
