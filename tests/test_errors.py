from __future__ import annotations

import pickle

import pytest

from amt_flows import errors
from amt_flows.errors import AmtFlowsError, Problem, SpecError, TuningJobFailed
from error_tree import tree


def test_the_drawn_tree_is_the_real_one() -> None:
    drawn = errors.__doc__ or ""
    for cls in tree():
        if cls.__module__ == errors.__name__:
            lines = [line for line in drawn.splitlines() if f"{cls.__name__} " in line + " "]
            assert len(lines) == 1, f"{cls.__name__} is not drawn once"
            assert f" {cls.exit_code} " in lines[0] + " ", f"{cls.__name__} has another exit code"
            assert cls.__name__ in errors.__all__ or cls is AmtFlowsError


def test_a_message_has_its_three_parts() -> None:
    error = AmtFlowsError("It fell.", because="it was pushed", remedy="catch it")
    assert str(error).splitlines() == [
        "It fell.",
        "  Probably because: it was pushed",
        "  What to do: catch it",
    ]


@pytest.mark.parametrize(
    "error",
    [
        AmtFlowsError("It fell.", because="it was pushed", remedy="catch it"),
        SpecError([Problem("limits.max_cost", -1, "must be positive")]),
        TuningJobFailed("It failed.", result={"name": "demo"}, remedy="look"),
    ],
)
def test_errors_travel_between_processes_whole(error: AmtFlowsError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert back.__dict__ == error.__dict__


def test_a_long_value_is_cut_in_a_problem() -> None:
    assert len(str(Problem("static_hyperparameters.x", "y" * 5000, "is too long"))) < 200
