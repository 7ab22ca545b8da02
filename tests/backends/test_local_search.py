"""Regexes that take for ever: deadlines and stops don't wait for them, and it is said."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from amt_flows.backends.local_worker.search import MOST_TIMES, SEARCH_SECONDS
from amt_flows.backends.local_worker.values import Values
from amt_flows.ports import JobState
from amt_flows.spec import MetricDefinition

if TYPE_CHECKING:
    from backends.conftest import Site

ENDLESS = r"^(?:a+)+;acc=([0-9.]+)"
SLOW_LINE = "a" * 45 + "acc=1"
SLOW = (MetricDefinition(name="acc", regex=ENDLESS), MetricDefinition(name="loss", regex=r"loss=([0-9.]+)"))
# Quadratic and worse, with nothing in it that looks dangerous.
ORDINARY = r".*loss: ([0-9.]+).*accuracy: [0-9.]+"


def job(site: Site, script: str, **template: Any) -> str:
    given = {"metric_definitions": SLOW, "stop_grace_seconds": 2.0, **template}
    return site.launch(site.sh(script, **given), other_metrics=("loss",))


HANGS = f"echo '{SLOW_LINE};acc='; echo ready; sleep 600"


def test_a_time_limit_does_not_wait_for_a_search(site: Site) -> None:
    began = time.monotonic()
    name = job(site, HANGS.replace("sleep 600", "exec sleep 600"), max_runtime_seconds=2)
    report = site.end(name)
    assert (report.state, report.timed_out) == (JobState.STOPPED, True)
    assert time.monotonic() - began < 2 + MOST_TIMES * SEARCH_SECONDS + 90


@pytest.mark.parametrize("kill", [False, True])
def test_a_stop_does_not_wait_for_a_search(site: Site, kill: bool) -> None:
    lines = f"for i in 1 2 3 4 5 6; do echo '{SLOW_LINE};acc='; done; echo ready; exec sleep 600"
    name = job(site, lines)
    site.until_printed(name, "ready")
    site.stop(name, kill=kill)
    assert site.end(name, seconds=10).state is JobState.STOPPED


def test_what_took_too_long_is_told_once_and_the_rest_is_read(site: Site) -> None:
    lines = "; ".join(f"echo '{SLOW_LINE};acc='; echo loss=0.{i}" for i in range(1, 6))
    name = job(site, f"{lines}; echo 'a;acc=0.5'")
    report = site.end(name, seconds=60)
    assert report.state is JobState.COMPLETED
    assert site.values(name, "loss") == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert [note.count("the regex of 'acc' took longer than 1 s") for note in report.notes] == [1]


def test_a_line_that_takes_long_costs_no_other_its_value(tmp_path: Path) -> None:
    values = Values(str(tmp_path), [{"name": "v", "regex": ENDLESS, "literal": "acc="}])
    values.feed(f"aa;acc=1\n{SLOW_LINE};acc=\naa;acc=2\n".encode())
    values.finish()
    written = (tmp_path / "metrics.jsonl").read_text()
    assert [f'"epoch": {n}, "value": {n}.0' in written for n in (1, 2, 3)] == [True, True, False]


def test_an_ordinary_regex_on_long_lines_holds_up_no_deadline(site: Site) -> None:
    slow = (MetricDefinition(name="acc", regex=ORDINARY),)
    script = "import time; line = 'loss: 1.0 ' * 6000; print(line); print(line); print(line); time.sleep(600)"
    name = site.launch(site.python(script, metric_definitions=slow, max_runtime_seconds=2))
    began = time.monotonic()
    report = site.end(name)
    assert (report.state, report.timed_out) == (JobState.STOPPED, True)
    assert time.monotonic() - began < 100


def test_a_search_outlives_neither_its_worker_nor_the_job(site: Site) -> None:
    # What is left running is looked for after every test.
    name = job(site, HANGS)
    site.until_printed(name, "ready")
    site.stop(name, kill=True)
    site.end(name)
