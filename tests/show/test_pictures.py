"""Pictures of a tuning job: what is in them, that they are whole at every stage of it, and that the page with
them runs nothing."""

from __future__ import annotations

import base64
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.events import Concluding, Ended, Finished, Outcome, TuningStatus
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import JobState
from amt_flows.results import result_of
from amt_flows.show.page import report_page
from amt_flows.show.pictures import overview, pictures
from amt_flows.show.pictures.plot import told_apart
from amt_flows.show.pictures.progress import progress_picture
from amt_flows.show.pictures.timeline import timeline_picture
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from commands import cli
from svg import texts
from worlds import ended_job, opened, rising, run, running_job, spec

AUTO = {"type": "Auto", "min_jobs": 1, "grace_epochs": 0}
RICH: dict[str, Any] = {
    "early_stopping": AUTO,
    "integer": [{"name": "depth", "min_value": 1, "max_value": 64, "scaling_type": "Logarithmic"}],
    "categorical": [{"name": "kind", "values": ["<b>bold</b>", "10", "nag & co"]}],
    "completion": {"target_objective_metric_value": 0.9999},
}
# Enough completed training jobs for a model of three hyperparameters.
ENOUGH: dict[str, Any] = {
    **RICH,
    "seed": 1,
    "limits": {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 30},
    "completion": {"target_objective_metric_value": 2.0},
}
ALL = [
    "Best so far",
    "Learning curves",
    "Each hyperparameter",
    "All hyperparameters at once",
    "Importance",
    "Partial dependence",
    "Time",
]
OF_FEW_JOBS = [title for title in ALL if title not in ("Importance", "Partial dependence")]


def test_every_picture_says_what_it_shows() -> None:
    ledger, _ = run(spec(**ENOUGH))
    shown = {picture.title: texts(picture.svg) for picture in pictures(ledger)}
    assert list(shown) == ALL
    assert {"accuracy", "best so far", "target", "stopped early"} <= set(shown["Best so far"])
    assert {"epoch", "accuracy", "best", "stopped early"} <= set(shown["Learning curves"])
    assert {"learning_rate", "depth", "kind"} <= set(shown["Each hyperparameter"])
    assert {"learning_rate", "depth", "kind", "<b>bold</b>"} <= set(shown["All hyperparameters at once"])
    assert {"learning_rate", "depth", "kind", "by itself", "with interactions"} <= set(shown["Importance"])
    assert {"accuracy", "learning_rate", "depth", "kind", "<b>bold</b>"} <= set(shown["Partial dependence"])


def trouble(hyperparameters: Mapping[str, str]) -> Script:
    values = [float("nan"), float("inf"), 1e300]
    return Script(values, end=JobState.FAILED, failure="boom")


@pytest.mark.parametrize(
    ("train", "expected"),
    [(rising, OF_FEW_JOBS), (trouble, ["Learning curves", "Time"]), (lambda _: Script([]), ["Time"])],
    ids=["well", "failing", "silent"],
)
def test_at_every_moment_there_are_whole_pictures(train: Callable[..., Script], expected: list[str]) -> None:
    backend = SimulatedBackend(VirtualClock(), train)
    journal = MemoryJournal()
    few = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 4, "max_failed_training_jobs": 9}
    tuning = Tuning.open(spec(**RICH, limits=few), backend, journal, clock=backend.clock)
    assert pictures(tuning.ledger) == []
    assert overview(tuning.ledger) is None
    seen: list[list[str]] = []

    def draw(tuning: Tuning, news: Any) -> None:
        if news.ended or len(seen) < 3:
            shown = pictures(tuning.ledger)
            for picture in shown:
                texts(picture.svg)
            seen.append([picture.title for picture in shown])

    drive(tuning, on_tick=draw)
    assert seen[-1] == expected


def test_the_largest_values_have_places() -> None:
    """A loss that explodes on its way to infinity."""
    values = itertools.cycle([1e308, -1e308, 1.7976931348623157e308, 0.5])
    few = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 4}
    ledger, _ = run(spec(limits=few), lambda _: Script([next(values) for _ in range(3)]))
    page = report_page(ledger, result_of(ledger, "journal"))
    places = re.findall(r'(?:x|y|r|cx|cy|d|width|height|points)="([^"]*)"', page)
    assert places
    assert not [one for one in places if "nan" in one or "inf" in one]


def test_of_one_parameter_and_one_job_there_are_no_parallel_lines() -> None:
    ledger, _ = run(spec(limits={"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 1}))
    assert "All hyperparameters at once" not in [picture.title for picture in pictures(ledger)]


def test_the_same_ledger_gives_the_same_picture() -> None:
    ledger, _ = run(spec(**ENOUGH))
    assert [p.svg for p in pictures(ledger)] == [p.svg for p in pictures(ledger)]


def test_the_overview_is_one_image_with_all_of_them() -> None:
    ledger, _ = run(spec(**ENOUGH))
    kind, _, data = str(overview(ledger)).partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert set(ALL) <= set(texts(base64.b64decode(data).decode()))


def test_no_picture_of_the_overview_is_cut() -> None:
    """Each is as large as its view, in the units of the whole; and none reaches into the next one's place."""
    ledger, _ = run(spec(**RICH))
    whole = base64.b64decode(str(overview(ledger)).partition(",")[2]).decode()
    sizes = re.findall(r"<svg [^>]*?>", whole)
    assert len(sizes) == 1 + len(pictures(ledger))
    tops = [float(top) for top in re.findall(r'<g transform="translate\(0 ([0-9.]+)\)"><svg', whole)]
    for i, tag in enumerate(sizes[1:]):
        width, height = re.findall(r' (?:width|height)="([0-9.]+)"', tag)
        assert f'viewBox="0 0 {width} {height}"' in tag
        if i + 1 < len(tops):
            assert tops[i] + float(height) < tops[i + 1]


def test_what_was_saved_is_drawn() -> None:
    stopped, _ = run(spec(**RICH))
    unstopped, _ = run(spec(**{**RICH, "early_stopping": {"type": "Off"}}))
    assert "pattern" in str(timeline_picture(stopped)), "hatched"
    assert "pattern" not in str(timeline_picture(unstopped))


def test_each_training_job_has_a_bar_that_is_seen() -> None:
    """One that was over at once, one that never came to run, and one that runs; all within the picture."""
    ledger = opened()
    ended_job(ledger, 1, outcome=Outcome.FAILED, seconds=0.0)
    refused = running_job(ledger, 2)
    ledger.apply(Ended(2.0, refused, Outcome.INFRASTRUCTURE, None, 2.0, {}, None, None, "no room"))
    ended_job(ledger, 3, [0.5], seconds=3600.0)
    running_job(ledger, 4, [0.1], at=4000.0)
    ledger.apply(Concluding(4400.0, TuningStatus.STOPPED, ()))
    ledger.apply(Finished(5000.0, TuningStatus.STOPPED))
    drawn = str(timeline_picture(ledger))
    bars = re.findall(r'<a href="#job-([^"]+)"><rect x="([0-9.]+)" y="[0-9.]+" width="([0-9.]+)"', drawn)
    assert [name for name, _, _ in bars] == list(ledger.jobs)
    assert all(float(width) >= 2 for _, _, width in bars)
    assert 0.19 < float(bars[3][2]) / 722 < 0.21, "a fifth of the whole: from its launch until now"
    assert float(bars[3][1]) + float(bars[3][2]) <= 746
    (end,) = re.findall(r'd="M([0-9.]+) [0-9.]+V[0-9.]+" class="axis"', drawn)
    assert float(end) == 746, "and the tuning job's end is where the picture ends"


def test_a_thousand_jobs_are_still_a_picture() -> None:
    ledger: Ledger = opened()
    for trial in range(1, 1001):
        running_job(ledger, trial, [0.1, 0.2])
    curves = next(picture for picture in pictures(ledger) if picture.title == "Learning curves")
    assert len(curves.svg) < 500_000
    assert any("of 1000" in text for text in texts(curves.svg))
    times = texts(str(timeline_picture(ledger)))
    assert any("the newest 200 of 1000 training jobs" in text for text in times)


# -- the page -------------------------------------------------------------------------------------


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"{tag} has a handler {name}"
            if name in ("src", "href", "xlink:href"):
                self.addresses.append(str(value))


HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1)) ![y](http://e.vil/y)"
)


def hostile(hyperparameters: Mapping[str, str]) -> Script:
    return Script([0.1], end=JobState.FAILED, failure=HOSTILE)


def test_the_page_needs_nothing_and_runs_nothing() -> None:
    ledger, _ = run(spec(**{**RICH, "static_hyperparameters": {"note": HOSTILE}}), hostile)
    page = Page(report_page(ledger, result_of(ledger, "file:///journal")))
    assert page.tags.count("svg") >= 2
    assert "table" in page.tags
    assert not {"script", "img", "iframe", "link", "object"} & set(page.tags)
    # Within the pictures; nothing leads out of the page.
    assert all(address.startswith("#") for address in page.addresses), page.addresses


def test_each_point_says_which_training_job_it_is_and_leads_to_its_row() -> None:
    ledger, _ = run(spec(**RICH))
    page = report_page(ledger, result_of(ledger, "file:///journal"))
    rows = set(re.findall(r'<div class="row job[^>]*id="(job-[^"]+)"', page))
    assert rows == {f"job-{name}" for name in ledger.jobs}
    points = re.findall(r'<a href="#(job-[^"]+)">.*?<title>(.*?)</title>', page, re.DOTALL)
    assert {anchor for anchor, _ in points} == rows
    for anchor, title in points:
        assert title.startswith(anchor.removeprefix("job-"))
        assert "learning_rate = " in title


def test_the_table_sorts_by_every_column_without_a_script() -> None:
    ledger, _ = run(spec(**RICH))
    page = report_page(ledger, result_of(ledger, "file:///journal"))
    columns = re.findall(r'<input type="radio" name="by" id="up(\d+)">', page)
    assert len(columns) > 8
    for k in columns:
        assert f".jobs:has(#up{k}:checked) .job{{order:var(--c{k})}}" in page
        places = [int(place) for place in re.findall(rf"--c{k}:(\d+)", page)]
        assert sorted(places) == list(range(len(ledger.jobs)))


def test_the_pictures_need_no_library() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from test_pictures import ENOUGH; from worlds import run, spec\n"
        "from amt_flows.results import result_of; from amt_flows.show.page import report_page\n"
        "ledger = run(spec(**ENOUGH))[0]; print(report_page(ledger, result_of(ledger, 'memory:')))"
    )
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": str(tests)},
        check=True,
    )
    assert [title for title in ALL if f"<h2>{title}</h2>" in done.stdout] == ALL


def test_the_axis_is_where_the_progress_is() -> None:
    ledger: Ledger = opened()
    for trial in range(1, 21):
        ended_job(ledger, trial, [0.9 + trial / 1000] if trial % 5 else [-1e6])
    drawn = texts(str(progress_picture(ledger)))
    assert "0.91" in drawn
    assert any("6 beyond it" in text for text in drawn)


def test_the_command_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    backend = SimulatedBackend(VirtualClock(), rising)
    journal = DirectoryJournal(tmp_path / "home" / "demo" / "journal")
    drive(Tuning.open(spec(), backend, journal, clock=backend.clock))
    home = ("--home", tmp_path / "home")
    assert cli("report", "demo", *home).stdout == "demo.html\n"
    assert Path("demo.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert cli("report", "demo", "--markdown", *home).stdout.startswith("# demo")
    assert cli("report", "nobody", *home).exit_code == 3
    refused = cli("report", "demo", "-o", tmp_path / "no" / "where.html", *home)
    assert refused.exit_code == 1
    assert "can't be written" in refused.stderr


def test_ticks_that_differ_look_different() -> None:
    assert told_apart([0.99991, 0.99995, 1.0]) == ["0.99991", "0.99995", "1"]
    assert told_apart([0.5, 1.0]) == ["0.5", "1"]
    assert told_apart([2.0, 2.0]) == ["2", "2"]
