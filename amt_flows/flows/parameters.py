"""What parameters of flows are called in the form of Prefect's UI, and those that several flows have.

Prefect takes a parameter's help from the flow's docstring and its label from its name; a text that may be
left out gets two tabs, "str" and "None". Here are labels for people, and one box for such a text.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema


def labelled(label: str) -> Any:
    """For ``Annotated``: what the form calls a parameter."""
    return Field(json_schema_extra={"title": label})


def labelled_text(label: str) -> Any:
    """The same for an ``OptionalText``. Its default must be a text for the form, which would send ``null``
    otherwise and be refused by the server; a flow gets None for it."""
    return Field(json_schema_extra={"title": label, "default": ""})


def _or_none(value: object) -> object:
    return value or None


OptionalText = Annotated[str | None, BeforeValidator(_or_none), WithJsonSchema({"type": "string"})]
"""A text that may be left empty, which is None then."""


def _a_place(name: str) -> str:
    kind, _, where = name.partition(":")
    if name not in PLACES and not (kind in ("ray", "work-pool") and where):
        raise ValueError(f"write one of {', '.join(PLACES)}, ray:http://head:8265 or work-pool:NAME")
    return name


PLACES = ("local", "sagemaker", "amt")
PLACE_PATTERN = f"^({'|'.join(PLACES)}|ray:https?://.+|work-pool:.+)$"
PlaceName = Annotated[
    str, AfterValidator(_a_place), WithJsonSchema({"type": "string", "pattern": PLACE_PATTERN})
]
"""No box of names: by this the server checks what deployments are given, and a place may have an address."""


def _number_or_none(value: object) -> object:
    if value is None or value == "":
        return None
    try:
        return float(str(value))
    except ValueError:
        raise ValueError("write a number, e.g. 0.95, or leave it empty") from None


OptionalNumber = Annotated[float | None, BeforeValidator(_number_or_none), WithJsonSchema({"type": "string"})]
"""A number that may be left empty, which is None then. The form has a box for a text: one for a number sends
a number or ``null``, which is none."""

Backend = Annotated[PlaceName, labelled("Backend")]
Region = Annotated[OptionalText, labelled_text("AWS region")]
TrainingBlock = Annotated[OptionalText, labelled_text("Training block")]
Home = Annotated[OptionalText, labelled_text("Home of tuning jobs")]
TuningJobName = Annotated[str, labelled("Tuning job"), Field(min_length=1)]

MinImprovement = Annotated[float, labelled("Promote only if better by")]
OnlyIfBetter = Annotated[bool, labelled("Promote only if better")]
AskForApproval = Annotated[bool, labelled("Ask for approval")]
ApprovalTimeout = Annotated[int, labelled("Time for approval (seconds)"), Field(ge=1)]
