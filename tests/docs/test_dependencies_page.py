"""Each package that a user gets with amt-flows has its reason and its licence in the documentation."""

from __future__ import annotations

import re

from pages import page


def test_every_package_that_is_asked_for_has_a_reason_and_a_licence() -> None:
    block = re.search(r"^dependencies = \[(.*?)^\]", page("pyproject.toml"), re.DOTALL | re.MULTILINE)
    assert block is not None
    asked = re.findall(r'^\s*"([A-Za-z0-9-]+)', block[1], re.MULTILINE)
    reasons = page("docs/dependencies.md")
    licences = re.findall(r"^\| ([\w-]+) \| .+ \|$", page("docs/licences.md"), re.MULTILINE)
    assert len(asked) > 5
    for name in asked:
        assert re.search(rf"^\|[^|]*\b{name}\b", reasons, re.MULTILINE), name
        assert name in licences or name == "tomli", name  # tomli comes to Python 3.10 alone
