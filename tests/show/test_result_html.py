"""A result as a notebook shows it: all that one wants to know, whole at every stage, small, and without a way
in for what stands in it."""

from __future__ import annotations

import base64
import json
import math
import subprocess
import sys
from collections.abc import Mapping
from html.parser import HTMLParser

import pytest

from amt_flows.backends.simulated import Script
from amt_flows.events import Ended, Outcome
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import JobState
from amt_flows.results import TuningResult, result_of
from amt_flows.results.from_result import ledger_of
from amt_flows.show.html import image
from amt_flows.show.pictures.progress import progress_picture
from amt_flows.show.pictures.slices import slices_picture
from amt_flows.space.space import Value
from worlds import ended_job, opened, rising, run, running_job, spec

NASTY = "<img src=x onerror=alert(1)><script>alert('x')</script>\"' & `b` </td></table>"
ALLOWED = {"div", "span", "code", "table", "thead", "tbody", "tr", "th", "td", "a", "img"}


class Seen(HTMLParser):
    """The tags, attributes and words of a page. Fails when it is not whole."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag != "img":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def shown(result: TuningResult) -> Seen:
    page = result._repr_html_()
    seen = Seen(page)
    assert set(seen.tags) <= ALLOWED
    assert {name for name, _ in seen.attributes} <= {"style", "href", "target", "rel", "title", "alt", "src"}
    for name, value in seen.attributes:
        if name == "href":
            assert value.startswith(("https://", "file:///"))
        if name == "src":
            assert value.startswith("data:image/svg+xml;base64,")
    return seen


def of(ledger: Ledger, now: float | None = None) -> TuningResult:
    return result_of(ledger, "file:///records/demo/journal", now)


def test_it_says_what_came_of_it_what_was_best_and_what_that_took() -> None:
    tuning_spec = spec(
        limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 14},
        early_stopping={"type": "Auto", "min_jobs": 2, "grace_epochs": 2},
        training_job={"command": ["train"], "price_per_hour": 36.0},
    )
    ledger, _ = run(tuning_spec)
    result = of(ledger)
    assert result.best is not None
    assert result.saved.stopped_jobs
    text = shown(result).text
    assert text.startswith("demo completed after ")
    assert "14 training jobs were launched, the maximum asked for." in text
    assert (
        f"accuracy {result.best.objective_value:.5g} (larger is better) by {result.best.name} , after" in text
    )
    assert "14 of 14 training jobs launched (" in text
    assert f"cost {result.cost:.2f}" in text
    assert f"early stopping {result.saved.stopped_jobs} job" in text
    assert f"its output amt-flows logs {result.best.name}" in text
    assert "record /records/demo/journal" in text
    assert "and 4 more training jobs: result.to_frame() has all of them" in text
    values = [job.latest_value for job in result.jobs[:10]]
    places = [text.index(f"{value:.5g} ", text.index("Leaderboard")) for value in values if value is not None]
    assert places == sorted(places), "the best is above"


def test_it_says_why_a_job_was_stopped_or_failed() -> None:
    ledger = opened()
    name = running_job(ledger, 1)
    ledger.apply(Ended(3.0, name, Outcome.FAILED, 1.0, 3.0, {}, None, None, "exit status 1\nKeyError: 'x'"))
    ended_job(ledger, 2, [0.5])
    text = shown(of(ledger)).text
    assert "why it stopped" in text
    assert "failed in training" in text
    assert text.count("KeyError: 'x'") == 2


def test_a_row_has_links_to_the_model_and_the_log() -> None:
    ledger = opened()
    name = running_job(ledger, 1, [0.5])
    values = {"accuracy": 0.5}
    ledger.apply(
        Ended(3.0, name, Outcome.COMPLETED, 1.0, 3.0, values, "file:///m%20n", "file:///l.log", None)
    )
    seen = shown(of(ledger))
    hrefs = [value for name, value in seen.attributes if name == "href"]
    # Once with the best training job, and once in its row.
    assert sorted(hrefs) == ["file:///l.log"] * 2 + ["file:///m%20n"] * 2
    assert ("title", "/m n") in seen.attributes
    assert all(value == "noopener noreferrer" for name, value in seen.attributes if name == "rel")


def nasty(hyperparameters: Mapping[str, str]) -> Script:
    if float(hyperparameters["learning_rate"]) < 0.02:
        return Script([math.nan], end=JobState.FAILED, failure=f"exit status 1\nValueError: {NASTY}")
    return rising(hyperparameters)


def test_nothing_that_a_user_or_a_script_writes_is_obeyed() -> None:
    tuning_spec = spec(
        objective={"metric_name": NASTY},
        categorical=[{"name": NASTY, "values": [NASTY, "other"]}],
        limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 20},
        training_job={"command": ["train"], "max_retry_attempts": 0},
    )
    ledger, _ = run(tuning_spec, nasty)
    result = of(ledger)
    assert any(job.failure for job in result.jobs)
    evil = {"artifact": "javascript:alert(1)", "log": f'https://x.org/"{NASTY}'}
    jobs = tuple(job.model_copy(update=evil) for job in result.jobs)
    name = {"name": NASTY, "journal": NASTY, "jobs": jobs, "best": jobs[0]}
    seen = shown(result.model_copy(update=name))
    assert "<script>alert('x')</script>" in seen.text
    # A vector graphic in an image runs nothing; in what is drawn, the words are words too.
    sources = [value for name, value in seen.attributes if name == "src"]
    assert sources
    assert all(b"<script" not in base64.b64decode(source.partition(",")[2]) for source in sources)


def test_it_is_whole_at_every_stage() -> None:
    ledger = opened()
    begun = shown(of(ledger, 5.0)).text
    assert begun.startswith("demo in progress for 5.0 s: it still runs. Best training job None yet.")
    assert "None was launched yet." in begun
    running_job(ledger, 1, [0.1, 0.2])
    assert "running 2" in shown(of(ledger, 9.0)).text
    ended_job(ledger, 2, [math.inf])
    ended_job(ledger, 3, [], Outcome.LOST)
    text = shown(of(ledger, 9.0)).text
    assert "lost" in text
    assert "inf" in text


def test_many_hyperparameters_share_a_column() -> None:
    names = [f"rate_{n}" for n in range(8)]
    ranges = [{"name": name, "min_value": 0.1, "max_value": 1.0} for name in names]

    def train(hyperparameters: Mapping[str, str]) -> Script:
        return Script([0.5])

    ledger, _ = run(spec(continuous=ranges), train)
    text = shown(of(ledger)).text
    assert "hyperparameters" in text
    assert text.count("rate_7=0.") == 10


def test_a_thousand_training_jobs_are_not_a_megabyte() -> None:
    tuning_spec = spec(
        limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 750},
        integer=[{"name": "depth", "min_value": 1, "max_value": 64}],
        categorical=[{"name": "kind", "values": ["a" * 200, "b" * 200]}],
    )
    ledger = opened(tuning_spec)
    for trial in range(1, 1001):
        name = running_job(ledger, trial, [math.sin(trial)])
        configuration: dict[str, Value] = {
            "learning_rate": 1 / (trial + 1),
            "depth": 1 + trial % 64,
            "kind": "ab"[trial % 2] * 200,
        }
        ledger.trials[trial] = ledger.trials[trial].__class__(trial, configuration, "test", "")
        outcome = Outcome.COMPLETED if trial % 3 else Outcome.FAILED
        failure = None if trial % 3 else "x" * 5000
        ledger.apply(
            Ended(trial + 1.0, name, outcome, 1.0, trial + 1.0, {}, "s3://b/m", "file:///l", failure)
        )
    page = of(ledger)._repr_html_()
    assert len(page) < 300_000
    assert page.count("<img ") == 2


def test_where_there_is_no_html_it_is_one_line() -> None:
    class Printer:
        def __init__(self) -> None:
            self.lines: list[str] = []

        def text(self, line: str) -> None:
            self.lines.append(line)

    ledger, _ = run(spec())
    printer, result = Printer(), of(ledger)
    result._repr_pretty_(printer, cycle=False)
    assert printer.lines == [f"TuningResult('demo', {result.headline})"]


def test_without_matplotlib_it_has_its_pictures_all_the_same() -> None:
    code = """
import sys
sys.modules["matplotlib"] = sys.modules["matplotlib.figure"] = None
from amt_flows.results import TuningResult
page = TuningResult.model_validate_json(sys.stdin.read())._repr_html_()
assert page.count("<img") == 2
assert "Leaderboard" in page
"""
    ledger, _ = run(spec())
    subprocess.run([sys.executable, "-c", code], input=of(ledger).model_dump_json(), text=True, check=True)


# -- the result as a ledger -----------------------------------------------------------------------


def test_a_result_read_back_draws_the_pictures_that_its_ledger_does() -> None:
    tuning_spec = spec(
        limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 14},
        early_stopping={"type": "Auto", "min_jobs": 2, "grace_epochs": 2},
        integer=[{"name": "depth", "min_value": 1, "max_value": 64}],
    )
    ledger, _ = run(tuning_spec)
    again = ledger_of(TuningResult.model_validate(json.loads(of(ledger).model_dump_json())))
    assert any(job.outcome is Outcome.STOPPED_EARLY for job in ledger.ended)
    assert [job.name for job in again.ended] == [job.name for job in ledger.ended]
    assert progress_picture(again) == progress_picture(ledger)
    assert slices_picture(again) == slices_picture(ledger)
    assert (again.status, again.reasons, again.finished_at) == (
        ledger.status,
        ledger.reasons,
        ledger.finished_at,
    )
    assert result_of(again, "file:///records/demo/journal").best == of(ledger).best


@pytest.mark.parametrize("svg", ["<svg/>", "<svg>ü</svg>"])
def test_an_image_holds_its_graphic(svg: str) -> None:
    page = image(svg, 'a "title"')
    (source,) = [value for name, value in Seen(page).attributes if name == "src"]
    assert base64.b64decode(source.partition(",")[2]).decode() == svg
    assert ("alt", 'a "title"') in Seen(page).attributes
