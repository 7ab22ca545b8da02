"""The file that a spec writes is the file that it would be loaded from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.errors import SpecError
from amt_flows.spec import TuningSpec
from amt_flows.spec.toml import toml_text
from core import examples
from spec.generated import own_tuning_jobs
from spec.samples import good

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PLAIN = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab. \"'é\n", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@examples(50)
@given(own_tuning_jobs())
def test_a_spec_that_was_written_is_read_as_the_same(fields: dict[str, Any]) -> None:
    spec = TuningSpec.parse(fields)
    read = TuningSpec.parse(tomllib.loads(spec.to_toml()))
    assert read == spec
    assert read.fingerprint() == spec.fingerprint()


@given(st.dictionaries(st.text("ab. \"'é\x7f", max_size=3), PLAIN, max_size=4))
def test_whatever_json_holds_but_null_is_toml_too(content: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(content)) == content


def test_a_file_that_was_written_loads_as_the_same_from_its_directory(tmp_path: Path) -> None:
    job = {"command": ["python", "train.py"], "working_directory": str(tmp_path)}
    spec = TuningSpec(**{**good(), "training_job": job})
    file = tmp_path / "tuning.toml"
    file.write_text(spec.to_toml(), encoding="utf-8")
    assert TuningSpec.load(file) == spec


def test_a_null_has_no_word_in_toml() -> None:
    fields = {**good(), "training_job": {"function": "train:train"}}
    fields["categorical"] = [{"name": "weights", "values": [None, "balanced"]}]
    with pytest.raises(SpecError, match="TOML has no null"):
        TuningSpec(**fields).to_toml()
