"""The pages of the libraries' recipes show the examples as they are, and their settings are settings."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from amt_flows.backends.places import open_backend
from amt_flows.metrics.expressions import lint, warnings
from amt_flows.spec import TuningSpec
from docs.recipes import EXAMPLE, EXAMPLES, PAGES, blocks, page

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EVERY_PAGE = pytest.mark.parametrize("name", sorted(EXAMPLE))


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """``one`` with what ``other`` says beside or instead of it."""
    both = dict(one)
    for key, value in other.items():
        both[key] = merged(both.get(key, {}), value) if isinstance(value, Mapping) else value
    return both


def example(name: str) -> dict[str, Any]:
    given: dict[str, Any] = tomllib.loads((EXAMPLES / f"{EXAMPLE[name]}.toml").read_text(encoding="utf-8"))
    return given


def test_every_example_has_a_page_and_every_page_an_example() -> None:
    assert {file.stem for file in PAGES.glob("*.md")} == set(EXAMPLE)
    assert {file.stem for file in EXAMPLES.glob("*.py")} == set(EXAMPLE.values())
    assert {file.stem for file in EXAMPLES.glob("*.toml")} == set(EXAMPLE.values())


@EVERY_PAGE
def test_the_page_shows_the_example(name: str) -> None:
    for suffix, language in ((".py", "python"), (".toml", "toml")):
        file = EXAMPLES / f"{EXAMPLE[name]}{suffix}"
        assert file.read_text(encoding="utf-8") in blocks(name, language)
        assert f"`examples/recipes/{file.name}`" in page(name)
    assert f"amt-flows run examples/recipes/{EXAMPLE[name]}.toml" in blocks(name, "sh")[0]


@EVERY_PAGE
def test_every_hyperparameter_of_the_spec_is_an_argument_of_the_script(name: str) -> None:
    """And the other way: what the script takes is tuned or given."""
    spec = TuningSpec.load(EXAMPLES / f"{EXAMPLE[name]}.toml")
    tuned = set(spec.space().names)
    script = (EXAMPLES / f"{EXAMPLE[name]}.py").read_text(encoding="utf-8")
    assert tuned | set(spec.static_hyperparameters) == set(re.findall(r'"--(\w+)"', script))
    for one in tuned:
        assert f"`{one}`" in page(name), f"the page has no range for {one}"


@EVERY_PAGE
def test_every_block_of_settings_fits_the_spec(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for block in blocks(name, "toml"):
        spec = TuningSpec.parse(merged(example(name), tomllib.loads(block)))
        if "AlgorithmSpecification" in spec.training_job.sagemaker:
            assert list(open_backend("sagemaker").check(spec)) == []


@EVERY_PAGE
def test_every_expression_in_a_text_is_a_sound_one(name: str) -> None:
    """Beside the blocks, for the other ways in which a library prints the same."""
    found = re.findall(r"`(['\"][^`]*\(\[?[^`]*\)['\"])`", page(name))
    assert len(found) >= {"xgboost": 2, "lightgbm": 2}.get(name, 0)
    for text in found:
        regex = tomllib.loads(f"regex = {text}")["regex"]
        assert lint(regex) == []
        assert warnings(regex) == []


@EVERY_PAGE
def test_every_block_of_code_is_code(name: str) -> None:
    """The scripts themselves are run with their libraries, in the tests of the recipes."""
    for block in blocks(name, "python"):
        ast.parse(block)


def test_spot_instances_with_checkpoints_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    (spot,) = [block for block in blocks("pytorch", "toml") if "# spot.toml" in block]
    given = tomllib.loads((Path(EXAMPLES).parent / "digits_on_sagemaker.toml").read_text(encoding="utf-8"))
    # Spot instances can't be kept warm.
    del given["training_job"]["sagemaker"]["ResourceConfig"]["KeepAlivePeriodInSeconds"]
    spec = TuningSpec.parse(merged(given, tomllib.loads(spot)))
    assert list(open_backend("sagemaker").check(spec)) == []
