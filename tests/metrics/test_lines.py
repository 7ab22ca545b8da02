"""Output as a person sees it, and the numbers in it: the same for every reader."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.backends.local_worker.search import as_the_service
from amt_flows.backends.local_worker.values import Values
from amt_flows.backends.sagemaker.events import Events, found_in
from amt_flows.metrics.expressions import required_text
from amt_flows.metrics.lines import escaped, is_plain, printed_lines, seen_lines, unescaped
from amt_flows.metrics.numbers import NUMBER, number_in, whole_around
from amt_flows.metrics.reading import read_values, rules_of
from amt_flows.metrics.search import Rule
from amt_flows.spec import MetricDefinition
from amt_flows.testing.sagemaker.publishing import LONGEST_EVENT, events_of

LOSS = MetricDefinition(name="loss", regex=rf"loss[=:]\s*({NUMBER})")
ANY = MetricDefinition(name="loss", regex=r"loss[=:]\s*(\S+)")


def by_the_worker(output: bytes, directory: Path, definition: MetricDefinition = LOSS) -> list[float]:
    rule = {"name": "loss", "regex": definition.regex, "literal": required_text(definition.regex)}
    values = Values(str(directory), [rule])
    for start in range(0, len(output), 50_001):
        values.feed(output[start : start + 50_001])
    values.finish()
    file = directory / "metrics.jsonl"
    entries = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    file.unlink(missing_ok=True)
    return [float(entry["value"]) for entry in entries if "value" in entry]


def by_cloudwatch(output: bytes, definition: MetricDefinition = LOSS) -> list[float]:
    """As the service's agent hands the output over."""
    events, rules = Events(), rules_of([definition])
    texts = [
        text
        for line in output.decode("utf-8", "replace").split("\n")
        for event in events_of(escaped(line))
        for text in events.take(event)
    ]
    found = [one for text in [*texts, *events.rest()] for one in found_in(text, rules)]
    return [one.value for one in found if one.value is not None]


@pytest.mark.parametrize(
    ("output", "values"),
    [
        (b"\x1b[32mloss\x1b[0m=\x1b[1m0.5\x1b[0m\n", [0.5]),
        (b"\x1b]8;;http://x\x1b\\loss\x1b]8;;\x07=0.5\n", [0.5]),
        (b"\rloss=0.5\rloss=0.4\r\nloss=0.3", [0.5, 0.4, 0.3]),
        (b"loss=0.5\x1b[1Gloss=0.4\x1b[A\x1b[2Kloss=0.3\n", [0.5, 0.4, 0.3]),
        (b"loss=0.5\b\b\b0.4 |\b/\b-\n", [0.4]),
        (b"\b\b\b\b\rloss: 0.5" + b"\b" * 9 + b"\rloss: 0.4\n", [0.5, 0.4]),
        (b"loss=\x1b[3C0.5\n", [0.5]),
        (b"lo\0ss=0\0.5\n", [0.5]),
        ("loss=0.5\nloss=0.25\r\n".encode("utf-16"), [0.5, 0.25]),
        ("loss=0.5\nloss=0.25\n".encode("utf-16-be"), [0.5, 0.25]),
        (b"\xef\xbb\xbfloss=0.5\n", [0.5]),
        (b"\xff\xfe\x80 loss=0.5\xff\n", [0.5]),
        (b"Trial #010 loss=0.5\n", [0.5]),
        (b"loss=0.5 " + b"x" * 300_000 + b" loss=0.1\nloss=0.4\n", [0.5, 0.4]),
        (b"x" * (LONGEST_EVENT - 8) + b" loss=0.5\nloss=0.4\n", [0.4]),
        (b"\r" + b"=" * 60_000 + b"\r" + b"loss=0.25 " * 30_000 + b"\nloss=0.4\n", [0.25, 0.4]),
        (b"x" * 200_000 + b"\r" + b"y" * 62_112 + b"loss=0.25\rloss=0.5\nloss=0.75\n", [0.25, 0.5, 0.75]),
        (b"'eval_loss': tensor(0.3)\n", []),
        (b"{'loss': 0.3}\n", []),
    ],
)
def test_a_line_is_read_as_a_person_sees_it_here_and_in_cloudwatch(
    output: bytes, values: list[float], tmp_path: Path
) -> None:
    assert by_the_worker(output, tmp_path) == values
    assert by_cloudwatch(output) == values


LONG = b"<131,000 letters>"
PIECES = st.sampled_from(
    [
        *(b"loss=0.5", b"loss: 0.25", b"loss=0.", b"75", b"loss=-1e-5", b"loss=nan ", b"loss=1,234.5"),
        *(b"\n", b"\r", b"\r\n", b"\b", b"\t", b"\0", b"\x1b[32m", b"\x1b[0m", b"\x1b[2K", b"\x1b[A"),
        *("é█".encode(), b"#", b"\xff", b" ", b"x", LONG),
    ]
)


@given(pieces=st.lists(PIECES, max_size=12))
@pytest.mark.parametrize("definition", [LOSS, ANY])
def test_the_same_output_gives_the_same_curve_here_and_in_cloudwatch(
    tmp_path_factory: pytest.TempPathFactory, definition: MetricDefinition, pieces: list[bytes]
) -> None:
    output = b"".join(pieces).replace(LONG, b"y" * 131_000)
    here = by_the_worker(output, tmp_path_factory.getbasetemp(), definition)
    there = by_cloudwatch(output, definition)
    assert [repr(value) for value in here] == [repr(value) for value in there]


def test_aws_own_expressions_of_escaped_tabs_work_here_too(tmp_path: Path) -> None:
    aws = MetricDefinition(name="loss", regex=r".*\[[0-9]+\].*#011validation-rmse:([-+]?[0-9]*\.?[0-9]+).*")
    output = b"[0]\ttrain-rmse:0.5\tvalidation-rmse:0.25\n"
    assert by_the_worker(output, tmp_path, aws) == by_cloudwatch(output, aws) == [0.25]


@given(value=st.floats() | st.integers(-(10**30), 10**30))
def test_what_python_prints_of_a_number_is_that_number(value: float) -> None:
    for text in (repr(value), f"{float(value):g}", f"{float(value):e}", json.dumps(value)):
        found = number_in(text)
        assert found is not None
        assert found == float(text) or math.isnan(value)


@pytest.mark.parametrize("text", ["-.5", "+3", "5.", "1e-05", "1E5", "NaN", "-inf", "Infinity", " 0.5 "])
def test_a_number_is_a_number(text: str) -> None:
    assert repr(number_in(text)) == repr(float(text))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1_000",
            "0x10",
            "1,234.5",
            "12%",
            "0.95.",
            "0.95,",
            "tensor(0.5)",
            "np.float64(0.5)",
            "",
            ".",
            "-",
        ),
        *(
            "\u0663",
            "\uff11",
            "1e",
            "e5",
            "nan0",
            "infin",
            "1.2.3",
            "0.5}",
            "'0.5'",
            "1 2",
            "0.5\n",
            "--1",
            "true",
        ),
    ],
)
def test_what_only_looks_like_a_number_is_none(text: str) -> None:
    assert number_in(text) is None


@pytest.mark.parametrize(
    ("line", "part", "whole"),
    [
        ("loss=0.95", "0.", "0.95"),
        ("loss=0.95", "5", "0.95"),
        ("loss=1e-5", "1", "1e-5"),
        ("loss: -0.25", "0.25", "-0.25"),
        ("loss: 1,234.5 s", "1", "1,234.5"),
        ("loss: 1_000", "1", "1_000"),
        ("loss: 0x10", "0", "0x10"),
        ("loss: info", "inf", "info"),
        ("loss=0.95", "0.95", ""),
        ("loss-0.5-0.6", "0.5", ""),
        ("2026-01-31 loss", "31", ""),
        ("3/10", "3", ""),
        ("0.47+0.012", "0.47", ""),
        ("640x480", "640", ""),
        ("12%", "12", ""),
        ("nan, 3", "nan", ""),
    ],
)
def test_a_part_of_a_number_is_known_for_one(line: str, part: str, whole: str) -> None:
    start = line.rindex(part)
    assert whole_around(line, start, start + len(part)) == whole


def test_a_part_of_a_number_is_no_value() -> None:
    short = MetricDefinition(name="loss", regex=r"loss=([0-9]\.?)")
    assert read_values([short], ["loss=0.95", "loss=1e-5", "loss=7"]) == (("loss", 1, 7.0),)


@given(text=st.text(st.characters(max_codepoint=0x250), max_size=30))
def test_escapes_of_a_log_are_undone(text: str) -> None:
    if unescaped(text) == text:
        assert unescaped(escaped(text)) == text


@given(block=st.binary(max_size=60))
def test_plain_output_is_seen_as_it_is(block: bytes) -> None:
    if is_plain(block):
        assert all(seen_lines(line) == [line] for line in printed_lines(block))


@pytest.mark.parametrize("text", ["1_000", "0x10", "\u0660.\u0665", "97.5%", "0.5", " -.5e3 ", "NaN", "inf"])
def test_the_simulated_service_takes_the_same_texts_for_numbers_as_every_reader(text: str) -> None:
    found = as_the_service(f"m={text};", Rule("m", "m=([^;]+);"))
    assert bool(found) is (number_in(text) is not None)
