"""The errors that are known by now: those of every module that was imported."""

from __future__ import annotations

from amt_flows.errors import AmtFlowsError


def tree(cls: type[AmtFlowsError] = AmtFlowsError) -> list[type[AmtFlowsError]]:
    return [cls, *(sub for child in cls.__subclasses__() for sub in tree(child))]
