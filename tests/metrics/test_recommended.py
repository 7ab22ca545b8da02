"""What `plan` recommends finds the value, and what the expression shows to go wrong is told."""

from __future__ import annotations

import re

import pytest

from amt_flows.metrics.expressions import LONGEST_REGEX, lint, recommended, warnings
from amt_flows.metrics.names import names_in
from amt_flows.metrics.reading import read_values
from amt_flows.spec import MetricDefinition

LINES = (
    "{'loss': 0.3}",
    '{"epoch": 3, "loss": 0.3, "acc": 1.0}',
    "{'loss': '0.3', 'epoch': '1.0'}",
    "INFO:root:loss=0.3",
    "2026-01-31 12:00:00,123 INFO loss = 0.3",
    "loss: 0.3, acc: 0.9",
    "loss: 0.3.",
    "loss 0.3",
    "{'loss': tensor(0.3)}",
    "'loss': tensor(0.3000, device='cuda:0')",
    "'loss': np.float64(0.3)",
    "'loss': array(0.3, dtype=float32)",
    "\x1b[1mloss\x1b[0m: \x1b[32m0.3\x1b[0m",
)


@pytest.mark.parametrize(
    "regex", ["loss: (.*?)", "loss=([0-9.]+)", "loss.*([0-9])", '"loss": ([0-9])', "^loss=([0-9]+)"]
)
def test_what_is_recommended_instead_finds_the_value(regex: str) -> None:
    (told,) = [text for text in [*lint(regex), *warnings(regex)] if "write " in text]
    better = told.partition("write ")[2]
    assert lint(better) == warnings(better) == []
    assert len(better) <= LONGEST_REGEX
    for line in LINES:
        assert read_values([MetricDefinition(name="loss", regex=better)], [line]) == (("loss", 1, 0.3),), line


@pytest.mark.parametrize("line", LINES)
def test_the_example_finds_the_value_and_its_name_is_known(line: str) -> None:
    assert read_values([MetricDefinition(name="loss", regex=recommended("loss"))], [line]) == (
        ("loss", 1, 0.3),
    )
    if re.search(r"loss\W*[:=]", line):
        assert "loss" in {name.rpartition(":")[2] for name in names_in([line])}


@pytest.mark.parametrize(
    ("regex", "said"),
    [
        (r"loss=([0-9]\.?)", "takes only 0. of 0.95"),
        (r"loss=([0-9]+)", "takes only 0 of 0.95"),
        (r"loss=(0\.[0-9]{2})", "takes only 0.95 of 0.951234"),
        (r"loss=([0-9.]+)", "an exponent"),
        (r"^loss=(\S+)", "INFO"),
    ],
)
def test_a_part_of_a_number_is_told_where_the_expression_shows_it(regex: str, said: str) -> None:
    assert said in " ".join(warnings(regex))


def test_another_group_in_front_of_the_value_is_told_and_what_is_recommended_finds_it() -> None:
    (told,) = warnings(r"(loss|cost): ([0-9.eE+-]+)")
    assert "(loss|cost), takes no number" in told
    better = told.partition("write ")[2]
    assert read_values([MetricDefinition(name="loss", regex=better)], ["cost: 0.3"]) == (("loss", 1, 0.3),)


def test_the_example_for_an_expression_without_a_group_has_its_own_name() -> None:
    (told,) = lint("val_loss=[0-9.]+")
    assert recommended("val_loss") in told


def test_names_are_those_in_front_of_numbers_the_latest_first() -> None:
    lines = [
        "epoch=1 lr=0.1 val_acc=0.5 took 3",
        "amt-report epoch=1; validation:acc=0.5; loss=1e-5;",
        "done: yes",
    ]
    assert names_in(lines) == ("loss", "validation:acc", "val_acc")


def test_a_line_that_goes_on_for_ever_holds_nobody_up() -> None:
    endless = ["y" * 1_000_000, "a=b" * 100_000, "amt-report " + "x" * 1_000_000]
    assert names_in([*endless, "loss=1"]) == ("loss",)
