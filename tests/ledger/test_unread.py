"""What is said of values that were not found."""

from __future__ import annotations

import pytest

from amt_flows.ledger.observations import repeated
from amt_flows.ledger.unread import no_usable_value, unread_in_words
from amt_flows.ports import Unread


def test_what_was_found_instead_is_told_with_the_nearest_name() -> None:
    found = Unread("acc", "0.95,")
    said = no_usable_value("acc", defined=True, unread=[found], names=["loss", "val_acc"])
    assert "found '0.95,', which is no number" in said
    assert "it has loss, val_acc. Is val_acc meant?" in said


def test_a_name_that_is_printed_in_a_way_the_expression_does_not_match_is_told() -> None:
    said = no_usable_value("acc", defined=True, unread=[], names=["acc"])
    assert "it has acc in front of a number" in said


@pytest.mark.parametrize(
    ("metric", "meant"),
    [("validation:accuracy", "val_acc"), ("eval_f1", "f1"), ("validation:lossy", None)],
)
def test_a_metric_that_was_never_defined_is_offered_an_expression(metric: str, meant: str | None) -> None:
    said = no_usable_value(metric, defined=False, unread=[], names=["train_rmse", "val_acc", "f1"])
    assert "no line of `report` has it" in said
    assert "it has train_rmse, val_acc, f1" in said
    assert (f"If {meant} is meant" in said) == (meant is not None)


def test_a_part_and_a_repetition_are_told_with_what_to_do() -> None:
    assert "only a part of '1e-5'" in unread_in_words(Unread("loss", "1", "1e-5"))
    assert "RANK" in unread_in_words(Unread("loss", epoch=3))


@pytest.mark.parametrize(
    ("values", "times"),
    [
        ([0.5, 0.5, 0.6, 0.6, 0.7, 0.7, 0.8], 2),
        ([1.0] * 4 + [2.0] * 4 + [3.0] * 4 + [4.0], 4),
        ([0.5, 0.5, 0.6, 0.6, 0.7], 0),
        ([0.5, 0.6, 0.6, 0.7, 0.7], 0),
        ([0.5] * 40, 0),
        ([0.1, 0.2, 0.3, 0.4], 0),
    ],
)
def test_values_of_several_processes_are_known_by_their_rhythm(values: list[float], times: int) -> None:
    assert repeated(values) == times
