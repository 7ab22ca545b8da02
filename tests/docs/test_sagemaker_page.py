"""The page on SageMaker: its policy is the one that is tested, its example runs."""

from __future__ import annotations

import json
import re

from amt_flows.backends.sagemaker.policy import policy
from amt_flows.testing.sagemaker.__main__ import main as simulator
from pages import block, blocks, page

PAGE = page("docs/sagemaker.md")


def test_the_policy_is_what_the_command_prints() -> None:
    printed = block(PAGE, "json")
    role, journal = "arn:aws:iam::123456789012:role/my-training-role", "s3://my-bucket/tunings"
    assert json.loads(printed) == policy(role=role, journal=journal)


def test_the_example_runs() -> None:
    exec(block(PAGE, "python"), {})


def test_the_simulators_options_are_there() -> None:
    known = {option for parameter in simulator.params for option in parameter.opts}
    used = {word for code in blocks(PAGE, "sh") for word in re.findall(r"--[a-z-]+", code)}
    assert used <= known
