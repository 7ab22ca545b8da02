from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.ledger.names import parse_training_job_name, training_job_name
from amt_flows.names import is_tuning_job_name, made_up_name, tuning_job_name_from

AMT_TRAINING_JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
tuning_names = st.from_regex(r"[a-zA-Z0-9](-?[a-zA-Z0-9]){0,15}", fullmatch=True)
configurations = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3)


@given(tuning_names, st.integers(1, 5000), configurations, st.integers(1, 30))
def test_a_training_jobs_name_tells_what_it_runs_and_is_one_that_amt_takes(
    tuning: str, trial: int, configuration: dict[str, str | int], attempt: int
) -> None:
    name = training_job_name(tuning, trial, configuration, attempt)
    assert AMT_TRAINING_JOB_NAME.fullmatch(name)
    assert name == training_job_name(tuning, trial, dict(reversed(configuration.items())), attempt)
    parsed = parse_training_job_name(name)
    assert parsed is not None
    assert (parsed.tuning_job, parsed.trial, parsed.attempt) == (tuning, trial, attempt)


def test_the_longest_tuning_name_leaves_room() -> None:
    assert len(training_job_name("x" * 32, 99_999, {"a": 1}, 30)) <= 63


def test_a_one_and_a_text_one_are_different_configurations() -> None:
    assert training_job_name("t", 1, {"a": 1}) != training_job_name("t", 1, {"a": "1"})


@given(st.text(max_size=80))
def test_any_text_gives_a_valid_name(text: str) -> None:
    assert is_tuning_job_name(tuning_job_name_from(text))


@pytest.mark.parametrize("name", ["", "-a", "a-", "a_b", "../x", "x" * 33, "a b", "ä", "a\n", "a/b"])
def test_bad_tuning_names_are_told(name: str) -> None:
    assert not is_tuning_job_name(name)


def test_made_up_names_are_valid_and_differ() -> None:
    names = {made_up_name() for _ in range(50)}
    assert len(names) == 50
    assert all(is_tuning_job_name(name) for name in names)


@pytest.mark.parametrize("name", ["demo", "demo-1-00000000", "demo-001-zzzzzzzz", "demo-001-0000000", ""])
def test_names_that_are_not_ours_are_not_parsed(name: str) -> None:
    assert parse_training_job_name(name) is None


@given(st.from_regex(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,9}", fullmatch=True))
def test_of_several_algorithms_the_name_tells_one_from_another(definition: str) -> None:
    """An algorithm that is alone has no name in it."""
    plain = training_job_name("t", 1, {"a": 1}, definition="")
    assert plain == training_job_name("t", 1, {"a": 1})
    named = training_job_name("t", 1, {"a": 1}, definition=definition)
    assert named != plain
    assert named != training_job_name("t", 1, {"a": 1}, definition=f"{definition}x")
    assert parse_training_job_name(named) is not None
