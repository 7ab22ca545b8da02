"""What an endpoint goes back to, as tags tell: after a failure, and in a roll-back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from amt_flows.deploy.attempt import Attempt
from amt_flows.deploy.bodies import MADE_FOR
from amt_flows.deploy.hosting import Hosting
from amt_flows.deploy.succession import Line, behind, gone_back, taken_over

PREVIOUS: Final = "amt-flows-previous-configuration"
"""A tag of an endpoint: what it served when its last change was asked for. A change that fails is undone to
this."""
SUCCESSION: Final = "amt-flows-succession"
"""A tag of an endpoint: which configuration took over from which, a line of names with spaces between. A
roll-back goes along this. An endpoint of before there was one has PREVIOUS only."""
LONGEST_VALUE: Final = 256

Tags = Mapping[str, str]


def behind_of(tags: Tags, serving: str) -> Line:
    """What the configuration that an endpoint serves took over from, the latest first."""
    known = behind(tuple(tags.get(SUCCESSION, "").split()), serving)
    if known is not None:
        return known
    previous = tags.get(PREVIOUS)
    return () if previous is None or previous == serving else (previous,)


def tag_change(hosting: Hosting, attempt: Attempt, serving: str) -> None:
    """Write down on the endpoint, before it changes, what it goes back to."""
    before = behind_of(hosting.tags(attempt.arn), serving)
    if attempt.is_roll_back:
        line = gone_back(serving, before, attempt.configuration)
    else:
        line = taken_over(attempt.configuration, serving, before)
    hosting.add_tags(attempt.arn, way_back_tags(serving, line))


def way_back_tags(previous: str, line: Line) -> dict[str, str]:
    """The tags that say so: of a long line as much as a tag's value holds, four names at least."""
    text = " ".join(line)
    if len(text) > LONGEST_VALUE:
        text = text[: LONGEST_VALUE + 1].rpartition(" ")[0]
    return {PREVIOUS: previous, SUCCESSION: text}


def tagged_previous(hosting: Hosting, attempt: Attempt) -> str | None:
    """What the endpoint served before its configuration, also if an earlier call changed it."""
    previous = hosting.tags(attempt.arn).get(PREVIOUS)
    return None if previous == attempt.configuration else previous


# -- where it outlives the endpoint ------------------------------------------------------------------------


def remember_previous(hosting: Hosting, attempt: Attempt) -> None:
    """Write down what the endpoint goes back to with the configuration that was made for it."""
    if attempt.previous is None:
        return
    answer = hosting.configuration(attempt.configuration)
    if (
        answer is not None
        and hosting.tags(str(answer["EndpointConfigArn"])).get(MADE_FOR) == attempt.endpoint
    ):
        before = behind_of(hosting.tags(attempt.arn), attempt.previous)
        line = taken_over(attempt.configuration, attempt.previous, before)
        hosting.add_tags(str(answer["EndpointConfigArn"]), way_back_tags(attempt.previous, line))


def kept_way_back(hosting: Hosting, attempt: Attempt) -> dict[str, str]:
    """The tags that :func:`remember_previous` wrote; empty if it didn't."""
    answer = hosting.configuration(attempt.configuration)
    tags = {} if answer is None else hosting.tags(str(answer["EndpointConfigArn"]))
    if tags.get(MADE_FOR) != attempt.endpoint:
        return {}
    return {key: tags[key] for key in (PREVIOUS, SUCCESSION) if key in tags}


def remembered_previous(hosting: Hosting, attempt: Attempt) -> str | None:
    return kept_way_back(hosting, attempt).get(PREVIOUS)
