"""The set of known good starts: what it says is readable, sourced, and what its description says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from amt_flows.space.space import Categorical, Continuous, Integer, Parameter, Scaling, Space
from amt_flows.tuning.starts.fitting import fitted
from amt_flows.tuning.starts.known_set import FILE, Known, Meaning, known_set
from amt_flows.tuning.starts.recognition import Recognised

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DESCRIBED = Path(__file__).resolve().parents[3] / "benchmarks" / "known_starts" / "algorithms.toml"


def test_the_set_says_what_its_description_says() -> None:
    """A description that is changed needs the set made anew."""
    described = tomllib.loads(DESCRIBED.read_text())["algorithms"]
    entries = json.loads(FILE.read_text())["algorithms"]
    assert [one["name"] for one in entries] == [one["name"] for one in described]
    for entry, one in zip(entries, described, strict=True):
        for field in ("hyperparameters", "marks", "libraries", "calls", "images", "otherwise", "source"):
            assert entry[field] == one.get(field, type(entry[field])()), (entry["name"], field)
        assert entry["documented_default_alone"] == ("table" not in one and "training" not in one)


@pytest.mark.parametrize("known", known_set().algorithms, ids=lambda known: known.name)
def test_every_entry_has_a_source_and_configurations_that_are_possible(known: Known) -> None:
    assert known.source
    assert known.marks or known.images or known.libraries
    assert all({name.lstrip("=") for name in mark} <= known.meanings.keys() for mark in known.marks)
    assert known.otherwise.keys() <= known.meanings.keys()
    assert len(known.configurations) == 1 if known.documented_default_alone else len(known.configurations) > 2
    for configuration in known.configurations:
        assert configuration.keys() <= known.meanings.keys()
        for name, value in configuration.items():
            meaning = known.meanings[name]
            assert isinstance(value, str) == meaning.of_words
            if not isinstance(value, str):
                assert meaning.least is not None
                assert meaning.most is not None
                assert meaning.least <= value <= meaning.most, (name, value)


@pytest.mark.parametrize("known", known_set().algorithms, ids=lambda known: known.name)
def test_a_space_as_wide_as_is_possible_gets_them_all(known: Known) -> None:
    """So that none is lost to a word that no choice has."""
    words = {
        name: tuple({str(one[name]) for one in known.configurations if name in one} | {"none of these"})
        for name, meaning in known.meanings.items()
        if meaning.of_words
    }
    space = Space(tuple(_widest(name, known.meanings[name], words) for name in known.meanings))
    found = fitted(Recognised(known, {name: name for name in known.meanings}, "a test"), space, {}, 100)
    assert all(space.contains(one) for one in found)
    whole = [one for one in known.configurations if 2 * len(one) >= len(known.meanings)]
    assert len(found) >= len(whole) / 2, "but for those that are next to the same in such a space"


def _widest(name: str, meaning: Meaning, words: dict[str, tuple[str, ...]]) -> Parameter:
    if meaning.least is None or meaning.most is None:
        return Categorical(name, words[name])
    if meaning.least >= 1 and meaning.logarithmic:
        return Integer(name, int(meaning.least), int(meaning.most), Scaling.LOGARITHMIC)
    if meaning.logarithmic:
        return Continuous(name, max(meaning.least, 1e-9), meaning.most, Scaling.LOGARITHMIC)
    return Continuous(name, meaning.least, meaning.most)
