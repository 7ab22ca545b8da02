"""A spec's file is read in whatever format and encoding an editor saved it, by one set of rules."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.errors import SpecError
from amt_flows.spec import TuningSpec
from amt_flows.spec.files import MOST_NODES, read_document

TOML = """
objective = { metric_name = "accuracy" }
limits = { max_number_of_training_jobs = 3 }
continuous = [{ name = "lr", min_value = 1e-5, max_value = 0.1 }]
categorical = [{ name = "é", values = ["no", "1e-5", "12:30", "2026-01-31", "on"] }]
training_job = { command = ["python", "train.py"] }
"""
YAML = """
objective: &objective {metric_name: accuracy}
limits: {max_number_of_training_jobs: 3}
continuous:
  - {name: lr, min_value: 1e-5, max_value: 0.1}
categorical:
  - {name: é, values: [no, "1e-5", 12:30, 2026-01-31, on]}
training_job:
  command: [python, train.py]
"""


def written(directory: Path, name: str, content: str | bytes) -> Path:
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        read_document(path)
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_the_same_spec_in_every_format_and_encoding(tmp_path: Path, encoding: str) -> None:
    data = json.dumps(read_document(written(tmp_path, "plain.toml", TOML)), ensure_ascii=False)
    specs = [
        TuningSpec.load(written(tmp_path, name, text.encode(encoding)))
        for name, text in (("a.toml", TOML), ("a.json", data), ("a.yaml", YAML), ("b.YML", YAML))
    ]
    assert all(spec == specs[0] for spec in specs)
    assert specs[0].categorical[0].values == ("no", "1e-5", "12:30", "2026-01-31", "on")
    assert specs[0].continuous[0].min_value == 1e-5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("1e-5", 1e-5), ("1E3", 1000.0), ("-0.5", -0.5), ("+3", 3), ("1_000", 1000), ("0x10", 16)],
        *[("0o10", 8), ("0b11", 3), (".5", 0.5), ("5.", 5.0), ("0", 0), ("0.1", 0.1), ("!!float 12", 12)],
        *[("inf", float("inf")), ("-.inf", -float("inf")), ("null", None), ("~", None), ("", None)],
        *[("true", True), ("False", False), ("'1e-5'", "1e-5"), ('"true"', "true"), ("!!str 12", "12")],
        *[(word, word) for word in ("no", "yes", "on", "off", "y", "N", "12:30", "12:30:45", "2026-01-31")],
        *[(word, word) for word in ("1__0", "_1", "1.2.3", "e5", "0x", "=", ".", "+", "1e", "None", "infra")],
        ("'010'", "010"),
    ],
)
def test_a_word_of_yaml_means_what_a_person_sees(tmp_path: Path, text: str, value: Any) -> None:
    found = read_document(written(tmp_path, "a.yaml", f"a: {text}\n"))["a"]
    assert (type(found), found) == (type(value), value)


@given(
    value=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        # A key in one line of YAML has 1,024 characters at most; JSON's escapes take twelve for one.
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=80), inner, max_size=3),
        max_leaves=12,
    )
)
def test_what_yaml_and_json_write_is_read_back(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    directory = tmp_path_factory.getbasetemp()
    for name, text in (
        ("v.json", json.dumps({"v": value})),
        ("v.yaml", yaml.safe_dump({"v": value})),
        ("w.yaml", json.dumps({"v": value})),
    ):
        found = read_document(written(directory, name, text.encode("utf-8", "surrogatepass")))
        assert found == {"v": value}, name


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.toml", b"a = 'caf\xe9'", "byte 0xe9 in line 1"),
        ("a.json", codecs.BOM_UTF16_LE + b"{\0}\0x", "as a text"),
        ("a.json", b"[" * 100_000, "depth"),
        ("a.yaml", b"[" * 500, "depth"),
        ("a.toml", b"a = " + b"[" * 5_000, "depth"),
        ("a.json", b'{"a": ' * 60 + b"1" + b"}" * 60, "depth"),
        ("a.json", b'{"a": 1, "a": 2}', "'a' twice"),
        ("a.yaml", b"a: 1\na: 2", "'a' twice"),
        ("a.toml", b"a = 1\na = 2", "not valid TOML"),
        ("a.yaml", b"a: 010", "010 in line 1"),
        ("a.yaml", b"a: 007.5", "007.5"),
        ("a.yaml", b"a: !!python/object/apply:os.system [ls]", "tag"),
        ("a.yaml", b"a: !!timestamp 2026-01-31", "tag"),
        ("a.yaml", b"a: &a [*a]", "depth"),
        ("a.yaml", b"a: 1\n---\nb: 2", "not valid YAML"),
        ("a.yaml", b"a: [1", "not valid YAML"),
        ("a.yaml", b"? [a]\n: 1", "no text"),
        ("a.yaml", b"- 1", "one object"),
        ("a.yaml", b"", "one object"),
        ("a.yaml", b"a: \x00", "not valid YAML"),
        ("a.json", b"", "not valid JSON"),
    ],
)
def test_what_can_not_be_read_is_refused_by_a_sentence(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    assert said in refused(written(tmp_path, name, content))


def test_aliases_are_bounded(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert f"{MOST_NODES:,}" in refused(written(tmp_path, "bomb.yaml", "\n".join(lines)))


def test_a_merge_takes_what_is_not_given(tmp_path: Path) -> None:
    text = "base: &base {a: 1, b: 2}\nit: {<<: *base, b: 3}\nthem: {<<: [{a: 0}, *base]}\n"
    found = read_document(written(tmp_path, "a.yaml", text))
    assert found["it"] == {"a": 1, "b": 3}
    assert found["them"] == {"a": 0, "b": 2}


def test_names_of_yaml_are_texts(tmp_path: Path) -> None:
    found = read_document(written(tmp_path, "a.yaml", "1: a\non: b\n1e5: c\n"))
    assert found == {"1": "a", "on": "b", "1e5": "c"}
