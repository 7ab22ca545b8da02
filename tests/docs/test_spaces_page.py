"""The page on conditions, constraints and ordered values says what is so."""

from __future__ import annotations

import re
import sys

from amt_flows.space import constraints
from amt_flows.space.constraints import Constraint
from amt_flows.space.space import LISTED
from amt_flows.spec import TuningSpec, space_rules
from pages import ROOT, block, page

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = page("docs/spaces.md")


def row(title: str) -> list[str]:
    (found,) = re.findall(rf"^\| {title} \| (.*) \|$", PAGE, re.MULTILINE)
    return re.findall(r"`([^`]+)`", found)


def test_the_code_runs() -> None:
    exec(block(PAGE, "python"), {})


def test_the_settings_are_those_of_the_example() -> None:
    given = tomllib.loads(block(PAGE, "toml"))
    whole = tomllib.loads((ROOT / "examples/digits_models.toml").read_text(encoding="utf-8"))
    for key, value in given.items():
        if key == "constraints":
            assert value == whole[key]
            continue
        by_name = {one["name"]: one for one in whole[key]}
        for one in value:
            assert {**by_name[one["name"]], **one} == by_name[one["name"]]
    spec = TuningSpec(**given, objective={"metric_name": "a"}, limits={"max_number_of_training_jobs": 1})
    assert len(spec.space().conditions) == 4


def test_every_function_and_sign_is_listed_and_works() -> None:
    assert set(row("functions")) == constraints._FUNCTIONS.keys()
    for function in row("functions"):
        arguments = "a, 1" if function in ("min", "max") else "a"
        assert Constraint(f"{function}({arguments}) >= 0").holds({"a": 4})
    assert len(row("arithmetic")) == len(constraints._ARITHMETIC)
    for sign in row("arithmetic"):
        assert Constraint(f"a {sign} 2 >= 0").holds({"a": 4})
    signs, others = row("comparisons")[:6], row("comparisons")[7:]
    assert len(signs) + len(others) == len(constraints._COMPARISONS)
    for sign in signs:
        Constraint(f"a {sign} 2")
    assert others == ["in", "not in"]


def test_the_numbers_are_those_of_the_rules() -> None:
    assert f"Of {space_rules.DRAWN:,} configurations at random at least {space_rules.LEAST_MET} must" in PAGE
    assert f"at most {LISTED:,} configurations" in PAGE
