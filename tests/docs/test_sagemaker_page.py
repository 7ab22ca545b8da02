"""The page on SageMaker: its policy is the one that is tested, its example runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

from amt_flows.backends.sagemaker.policy import policy
from amt_flows.testing.sagemaker.__main__ import main as simulator

PAGE = (Path(__file__).parents[2] / "docs" / "sagemaker.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_policy_is_what_the_command_prints() -> None:
    (printed,) = blocks("json")
    role, journal = "arn:aws:iam::123456789012:role/my-training-role", "s3://my-bucket/tunings"
    assert json.loads(printed) == policy(role=role, journal=journal)


def test_the_example_runs() -> None:
    (example,) = blocks("python")
    exec(example, {})


def test_the_simulators_options_are_there() -> None:
    known = {option for parameter in simulator.params for option in parameter.opts}
    used = {word for block in blocks("sh") for word in re.findall(r"--[a-z-]+", block)}
    assert used <= known
