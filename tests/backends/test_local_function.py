"""Functions as training jobs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from amt_flows.backends.local.function import argument
from amt_flows.ledger.failures import failure_line
from amt_flows.ports import JobReport, JobState
from amt_flows.spec import TrainingJobTemplate

if TYPE_CHECKING:
    from backends.conftest import Site

MODULE = """
import sys

def product(rate, layers, name):
    assert type(rate) is float and type(layers) is int and type(name) is str, (rate, layers, name)
    return rate * layers

def curve(**_):
    from amt_flows.reporting import model_dir, report
    (model_dir() / "weights").touch()
    for n in range(3):
        report(acc=n / 4)

def crash(rate, **_):
    raise ValueError(f"the loss exploded at rate {rate}\\nand more")

def leave(**_):
    sys.exit(7)

class Trainer:
    @staticmethod
    def fit(**_):
        return 2

nan = lambda **_: float("nan")
truth = lambda **_: True
silent = lambda **_: None
"""

VALUES = {"rate": "0.5", "layers": "3", "name": "nan"}


def run(site: Site, tmp_path: Path, target: str) -> JobReport:
    (tmp_path / "shop.py").write_text(MODULE)
    template = TrainingJobTemplate(function=target, working_directory=str(tmp_path))
    return site.run(template, hyperparameters=VALUES)


def test_the_returned_number_is_the_objective(site: Site, tmp_path: Path) -> None:
    report = run(site, tmp_path, "shop:product")
    assert report.state is JobState.COMPLETED, report
    assert site.values(report.name) == [1.5]


def test_a_function_may_report_for_itself(site: Site, tmp_path: Path) -> None:
    report = run(site, tmp_path, "shop:curve")
    assert site.values(report.name) == [0.0, 0.25, 0.5]
    assert report.failure is None
    assert report.artifact is not None


def test_an_exception_is_the_reason_with_the_frames_from_the_functions_own_on(
    site: Site, tmp_path: Path
) -> None:
    report = run(site, tmp_path, "shop:crash")
    assert report.state is JobState.FAILED
    first, frame, *_ = (report.failure or "").splitlines()
    assert first == "ValueError: the loss exploded at rate 0.5" == failure_line(report.failure)
    assert "shop.py" in frame
    assert "in crash" in frame
    log = (site.directory(report.name) / "output.log").read_text()
    assert "Traceback" in log
    assert "in crash" in log


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("shop:nothing", "AttributeError: module 'shop' has no attribute 'nothing'"),
        ("nowhere:fit", "ModuleNotFoundError: No module named 'nowhere'"),
        ("shop:crash.more", "AttributeError: 'function' object has no attribute 'more'"),
    ],
)
def test_what_is_missing_is_the_reason(site: Site, tmp_path: Path, target: str, said: str) -> None:
    assert run(site, tmp_path, target).failure == said


def test_an_argument_too_many_is_the_reason(site: Site, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("def f(): ...")
    template = TrainingJobTemplate(function="shop:f", working_directory=str(tmp_path))
    assert "unexpected keyword argument 'rate'" in (site.run(template).failure or "")


def test_an_exit_status_is_honoured(site: Site, tmp_path: Path) -> None:
    assert (run(site, tmp_path, "shop:leave").failure or "").startswith("exit status 7")


def test_a_method_will_do(site: Site, tmp_path: Path) -> None:
    report = run(site, tmp_path, "shop:Trainer.fit")
    assert site.values(report.name) == [2.0]


def test_a_boolean_is_no_number_and_nan_is(site: Site, tmp_path: Path) -> None:
    assert site.values(run(site, tmp_path, "shop:truth").name) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("5.", 5.0),
        ("1_000", "1_000"),
        ("nan", "nan"),
        ("true", "true"),
        ("0x10", "0x10"),
        (" 3", " 3"),
        ("3\n", "3\n"),
        ("", ""),
    ],
)
def test_only_literals_of_numbers_become_numbers(text: str, value: object) -> None:
    assert argument(text) == value
    assert type(argument(text)) is type(value)


def test_a_function_that_returns_and_reports_nothing_is_named(site: Site, tmp_path: Path) -> None:
    assert "silent gave no number: it returned None" in str(run(site, tmp_path, "shop:silent").failure)
