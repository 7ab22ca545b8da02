"""Notebooks in a real kernel: the example, the display that is updated in place, and the interrupt."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest

from amt_flows.backends.places import open_journal
from amt_flows.events import TuningStatus
from amt_flows.ledger.record import load_ledger
from notebooks import executed, kernel, outputs

pytestmark = pytest.mark.long

EXAMPLES = Path(__file__).parents[2] / "examples"

TRAIN = """
import sys, time
from amt_flows.reporting import report
for epoch in range(1, int(sys.argv[sys.argv.index("--epochs") + 1]) + 1):
    report(epoch=epoch, accuracy=1 - 0.5**epoch)
    time.sleep(0.2)
"""

SPEC = """
import amt_flows
spec = amt_flows.TuningSpec(
    name="demo",
    objective={{"metric_name": "accuracy"}},
    continuous=[{{"name": "rate", "min_value": 0.1, "max_value": 0.9}}],
    strategy="Random",
    limits={{"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 4}},
    static_hyperparameters={{"epochs": {epochs}}},
    training_job={{"command": ["python", "train.py"], "stop_grace_seconds": 2}},
)
"""


def test_the_example_runs_and_shows_its_result(tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLES, tmp_path / "examples")
    notebook = nbformat.read(folder / "digits.ipynb", 4)
    setting = next(cell for cell in notebook.cells if "jobs = 12" in cell.source)
    setting.source = setting.source.replace("jobs = 12", "jobs = 4")

    executed(notebook, folder, tmp_path / "home")

    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = {cell.source.splitlines()[0]: outputs(cell) for cell in code}
    tuned = shown['limits = {**spec.to_json()["limits"], "max_number_of_training_jobs": jobs}']
    (panel,) = [one for one in tuned if one["output_type"] == "display_data"]
    assert "4 of 4 jobs ended, 0 running" in panel["data"]["text/html"]
    (result,) = shown["result"]
    html = result["data"]["text/html"]
    assert "4 of 4 training jobs launched" in html
    assert html.count("<img ") == 2
    assert len(result["data"]["text/plain"]) < 300
    (line,) = shown["from pathlib import Path"]
    assert re.search(r"It reads \d{3} of 899 held-out digits rightly", line["text"])


def test_five_lines_tune_a_cell_of_the_notebook(tmp_path: Path) -> None:
    notebook = nbformat.read(EXAMPLES / "five_lines.ipynb", 4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("jobs=20", "jobs=4")

    executed(notebook, tmp_path, tmp_path / "home")

    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    _, tried, tuned, result, best, frame, toml = [outputs(cell) for cell in code]
    assert "Found accuracy = 0." in tried[-1]["text"]
    (panel,) = [one for one in tuned if one["output_type"] == "display_data"]
    assert "4 of 4 jobs ended, 0 running" in panel["data"]["text/html"]
    assert "4 of 4 training jobs launched" in result[0]["data"]["text/html"]
    assert 0.5 < float(best[0]["data"]["text/plain"]) < 1
    assert "<table" in frame[0]["data"]["text/html"]
    assert 'function = "value:train:' in toml[0]["text"]
    assert not (tmp_path / "home" / ".functions").stat().st_mode & 0o077


def begun(folder: Path, epochs: int) -> str:
    (folder / "train.py").write_text(TRAIN)
    return SPEC.format(epochs=epochs)


def test_one_display_is_updated_where_it_stands(tmp_path: Path) -> None:
    spec = begun(tmp_path, epochs=12)
    seen: list[tuple[str, Any]] = []
    with kernel(tmp_path, tmp_path / "home") as running:
        seen.extend(running.messages(running.start(f"{spec}\nresult = amt_flows.tune(spec)")))
    first = [content for kind, content in seen if kind == "display_data"]
    later = [content for kind, content in seen if kind == "update_display_data"]
    assert len(first) == 1
    assert len(later) >= 3, "a cell that runs for five seconds is drawn once a second"
    assert {content["transient"]["display_id"] for content in later} == {first[0]["transient"]["display_id"]}
    assert "0 of 4 jobs ended, 2 running" in first[0]["data"]["text/html"]
    assert any(re.search(r"running</td>.*>\d+</td>", content["data"]["text/html"]) for content in later)
    assert "4 of 4 jobs ended, 0 running" in later[-1]["data"]["text/html"]
    assert [content for kind, content in seen if kind in ("stream", "error")] == []


INTERRUPTED = """
from amt_flows.errors import TuningJobFailed

try:
    result = amt_flows.tune(spec)
except TuningJobFailed as error:  # no training job had ended by itself
    result = error.result
"""


def test_an_interrupt_ends_it_and_its_result_is_there(tmp_path: Path) -> None:
    spec = begun(tmp_path, epochs=1000)
    panels: list[str] = []
    answers: list[Any] = []
    with kernel(tmp_path, tmp_path / "home") as running:
        interrupted = False
        for kind, content in running.messages(running.start(f"{spec}\n{INTERRUPTED}")):
            assert kind != "error", content
            if kind in ("display_data", "update_display_data"):
                panels.append(content["data"]["text/html"])
                if not interrupted and re.search(r">running</td><td [^>]*>\d+</td>", panels[-1]):
                    running.manager.interrupt_kernel()
                    interrupted = True
        answers.extend(
            running.messages(running.start("print(result.status.value, len(result.jobs))\nresult"))
        )
    ledger = load_ledger(open_journal("demo", tmp_path / "home"), "demo")
    assert ledger.status is TuningStatus.STOPPED
    assert not ledger.live
    assert "stopped by SIGINT" in panels[-1]
    assert "0 running" in panels[-1]
    assert ("stream", {"name": "stdout", "text": "Stopped 2\n"}) in answers
    (result,) = [content for kind, content in answers if kind == "execute_result"]
    assert "stopped by SIGINT" in result["data"]["text/html"]


def test_a_second_interrupt_leaves_no_display_that_says_it_runs(tmp_path: Path) -> None:
    """Jobs that take their time to stop: whoever interrupts again is not kept waiting."""
    (tmp_path / "train.py").write_text(
        f"import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n{TRAIN}"
    )
    spec = SPEC.format(epochs=1000).replace('"stop_grace_seconds": 2', '"stop_grace_seconds": 100')
    panels: list[str] = []
    errors: list[Any] = []
    with kernel(tmp_path, tmp_path / "home") as running:
        interrupts = 0
        for kind, content in running.messages(running.start(f"{spec}\nresult = amt_flows.tune(spec)")):
            if kind == "error":
                errors.append(content)
            if kind in ("display_data", "update_display_data"):
                panels.append(content["data"]["text/html"])
                started = re.search(r">running</td><td [^>]*>\d+</td>", panels[-1]) is not None
                if (interrupts == 0 and started) or (interrupts == 1 and ">stopping</td>" in panels[-1]):
                    running.manager.interrupt_kernel()
                    interrupts += 1
    assert interrupts == 2
    assert [error["ename"] for error in errors] == ["TuningInterrupted"]
    assert "not followed any more: run the cell again to go on from here" in panels[-1]
