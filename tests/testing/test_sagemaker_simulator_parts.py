"""The simulated SageMaker: its small parts on their own."""

from __future__ import annotations

import gzip
import json
import math
import re
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from amt_flows.backends.sagemaker.service_model import compiled, service_model
from amt_flows.reporting import metric_regex
from amt_flows.testing.sagemaker.agenda import Agenda
from amt_flows.testing.sagemaker.artifacts import files_in, join_uri, split_uri, tar_gz
from amt_flows.testing.sagemaker.commands import Command, Commands, command_line, find_command, user_arguments
from amt_flows.testing.sagemaker.faults import Faults
from amt_flows.testing.sagemaker.job import MESSAGES
from amt_flows.testing.sagemaker.lags import Delayed, Lags
from amt_flows.testing.sagemaker.lines import lines_for, value_in
from amt_flows.testing.sagemaker.paging import page
from amt_flows.testing.sagemaker.refusals import Refusal, throttled
from amt_flows.testing.sagemaker.request_check import check, shown
from amt_flows.testing.sagemaker.service import OPERATIONS
from testing.sagemaker_requests import shapes_below, training

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


def test_every_pattern_of_the_simulated_operations_can_be_checked() -> None:
    seen: dict[str, Any] = {}
    for operation in OPERATIONS:
        seen |= shapes_below(service_model("sagemaker").operation_model(operation).input_shape)
    for shape in seen.values():
        if "pattern" in shape.metadata:
            compiled(shape.metadata["pattern"])
    assert "TrainingJobName" in seen


def test_every_status_that_a_job_takes_is_the_services() -> None:
    assert set(MESSAGES) <= set(service_model("sagemaker").shape_for("SecondaryStatus").metadata["enum"])


@pytest.mark.parametrize("text", ["ä é", "日本", "a_b:c/d=e+f-g@h.i", "²"])
def test_letters_of_all_languages_may_stand_in_tags(text: str) -> None:
    assert check("CreateTrainingJob", training(Tags=[{"Key": text, "Value": text}])) is None


def test_a_good_request_breaks_no_rule() -> None:
    assert check("CreateTrainingJob", training()) is None
    # What the service doesn't know it ignores.
    assert check("CreateTrainingJob", {**training(), "Nonsense": 1}) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (3, "3"), ("x", "x"), ([1, "a"], "[1, a]"), ({"a": {"b": False}}, "{a={b=false}}")],
)
def test_values_are_quoted_as_java_prints_them(value: object, text: str) -> None:
    assert shown(value) == text


@given(NUMBERS, st.from_regex(r"[a-zA-Z][a-zA-Z0-9:_\-/ ]{0,20}[a-z]", fullmatch=True))
def test_a_scripts_value_is_found_by_reports_expression(value: float, name: str) -> None:
    name = name.replace(" ", "")
    if name == "epoch":
        return
    regex = metric_regex(name)
    [line] = lines_for({name: value}, 3, [{"Name": name, "Regex": regex}])
    found = value_in(line, re.compile(regex))
    assert found == value or (math.isnan(value) and found is not None and math.isnan(found))


@pytest.mark.parametrize(
    "regex",
    [
        r"validation accuracy: ([0-9.]+)",
        r"\[\d+\]#011validation-auc:(\S+)",
        r"'test_loss': ([0-9\.]+)",
        r"#quality_metric: host=\S+, test dcg <score>=(\S+)",
        r"^Val.*?Acc = (?P<v>[0-9.]+)%$",
        r"epoch\s+\d+.*loss=(\S+),",
        r"Train_loss=(.*?);",
        r"amt-report (?:.*; )?steps=([-+]?\d+);",
        r"(?:.*\s)?test: ([0-9]*\.?[0-9]+)",
    ],
)
def test_lines_for_expressions_that_people_write(regex: str) -> None:
    name = "steps" if "steps" in regex else "m"
    [line] = lines_for({name: 2}, 1, [{"Name": name, "Regex": regex}])
    assert value_in(line, re.compile(regex)) == 2


@given(
    st.lists(st.tuples(st.integers(0, 50), st.text(max_size=3)), unique=True),
    st.integers(1, 7),
    st.booleans(),
)
def test_pages_hold_every_item_once_and_in_order(
    items: list[tuple[int, str]], size: int, descending: bool
) -> None:
    found: list[tuple[int, str]] = []
    token: str | None = None
    while True:
        some, token = page(
            items, lambda item: item, {"MaxResults": size, "NextToken": token}, descending=descending
        )
        assert len(some) <= size
        found += some
        if token is None:
            break
    assert found == sorted(items, reverse=descending)


@pytest.mark.parametrize("token", ["x", "e30=", "W10=", "WzFd", "ä"])
def test_tokens_from_elsewhere_are_refused(token: str) -> None:
    with pytest.raises(Refusal, match="NextToken"):
        page([1], lambda item: (item, ""), {"NextToken": token}, descending=False)


def test_an_agenda_keeps_the_order_of_time_and_late_things_last() -> None:
    agenda, done = Agenda(), []
    agenda.add(2.0, lambda at: done.append(("late", at)), late=True)
    agenda.add(2.0, lambda at: done.append(("b", at)))
    agenda.add(2.0, lambda at: done.append(("c", at)))
    agenda.add(1.0, lambda at: agenda.add(1.5, lambda then: done.append(("a", then))))
    agenda.add(3.0, lambda at: done.append(("never", at)))
    agenda.settle(2.5)
    assert done == [("a", 1.5), ("b", 2.0), ("c", 2.0), ("late", 2.0)]
    assert agenda.next_time() == 3.0


def test_delayed_answers() -> None:
    delayed = Delayed(2)
    assert [delayed.swap({"n": n})["n"] for n in range(5)] == [0, 0, 0, 1, 2]
    with pytest.raises(ValueError, match="negative"):
        Lags(log_seconds=-1)


def test_a_fault_that_is_removed_strikes_no_more() -> None:
    faults = Faults(0)
    fault = faults.order("Describe*", throttled(), times=2)
    assert faults.strikes("CreateTrainingJob", {}) is None
    assert faults.strikes("DescribeTrainingJob", {}) is fault
    fault.remove()
    fault.remove()
    assert faults.strikes("DescribeTrainingJob", {}) is None


def test_commands_by_name_and_by_pattern() -> None:
    commands: Commands = {"*": ["any"], "my-image:1": Command(["exact"], hyperparameters_as_arguments=True)}
    assert find_command(training(), commands).argv == ["exact"]
    specification = {"TrainingImage": "other", "ContainerArguments": ["-x"], "ContainerEntrypoint": ["no"]}
    found = find_command(training(AlgorithmSpecification=specification), commands)
    assert list(found.argv) == ["any", "-x"]
    named = {"AlgorithmName": "my-algorithm"}
    assert list(find_command(training(AlgorithmSpecification=named), {"my-*": ["a"]}).argv) == ["a"]


def test_hyperparameters_as_arguments(tmp_path: Any) -> None:
    values = {"rate": "0.1", "kind": '"a b"', "sagemaker_program": '"train.py"', "layers": "[1, 2]"}
    assert user_arguments(values) == ["--rate", "0.1", "--kind", "a b", "--layers", "[1, 2]"]
    command = Command(["x", "/opt/ml/input"], hyperparameters_as_arguments=True)
    assert command_line(command, {"a": "1"}, tmp_path) == ["x", str(tmp_path / "input"), "--a", "1"]


def test_uris() -> None:
    assert split_uri("s3://bucket/a/b.txt") == ("bucket", "a/b.txt")
    assert join_uri("s3://bucket/", "job", "/output/", "m") == "s3://bucket/job/output/m"
    assert join_uri("s3://bucket", "") == "s3://bucket"


def test_archives_are_the_same_for_the_same_files() -> None:
    files = {"a": b"1", "b/c": b"2"}
    assert tar_gz(files) == tar_gz(files)
    assert gzip.decompress(tar_gz(files)).startswith(b"a")


def test_the_error_of_a_refusal_reads_well() -> None:
    assert str(throttled()) == "ThrottlingException: Rate exceeded"
    assert json.loads(json.dumps(throttled().message)) == "Rate exceeded"


def test_a_file_that_goes_while_a_job_s_output_is_collected_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a process does that outlived its training, and renames what it writes."""
    (tmp_path / "deep").mkdir()
    for name in ("a", "b", "deep/c"):
        (tmp_path / name).write_text(name)
    real = Path.read_bytes

    def read(path: Path) -> bytes:
        if path.name == "b":
            path.unlink()
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    assert list(files_in(tmp_path)) == [("a", b"a"), ("deep/c", b"deep/c")]
