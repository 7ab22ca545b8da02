"""What people read of a tuning job: short numbers, whole tables, every fact that they need."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.cli.printing import show
from amt_flows.events import Concluding, Ended, Finished, Outcome, Reason, TuningStatus
from amt_flows.ledger.failures import failure_line
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import JobState
from amt_flows.results import TuningResult, result_of
from amt_flows.show import terminal
from amt_flows.show.leaderboard_rows import leaderboard
from amt_flows.show.markdown import cell, code, fenced, line_chart, table
from amt_flows.show.report import best_so_far, failure_groups, report_markdown
from amt_flows.show.terminal import terminal_summary
from amt_flows.show.text import (
    duration,
    hyperparameter,
    hyperparameters,
    money,
    number,
    place,
    shortened,
)
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from worlds import Train, ended_job, opened, rising, run, running_job, spec

NASTY = 'a|b `c` ```\n# d <script>"e" [f](g) \\ *h* _i_ ~j~ ]'


# -- short text -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9731423, "0.97314"),
        (12.0, "12"),
        (123456.7, "123457"),
        (1e6, "1000000"),
        (3.2123456e-7, "3.2123e-07"),
        (-0.5, "-0.5"),
        (1e15, "1e+15"),
        (math.nan, "NaN"),
        (-math.inf, "-inf"),
        (None, "–"),
    ],
)
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (12.34, "12.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (245, "4 min 5 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h"),
        (6780, "1 h 53 min"),
        (86399, "1 d"),
        (2 * 86400 + 3 * 3600, "2 d 3 h"),
        (math.inf, "for ever"),
        (None, "–"),
    ],
)
def test_durations_have_the_two_largest_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@given(st.floats(min_value=0, max_value=1e9))
def test_no_duration_has_a_unit_that_is_full(seconds: float) -> None:
    largest = {"s": 60.0, "min": 60.0, "h": 24.0}
    words = duration(seconds).split()
    for amount, unit in zip(words[::2], words[1::2], strict=True):
        assert float(amount) < largest.get(unit, math.inf)


def test_money_keeps_the_digits_that_a_small_amount_needs() -> None:
    assert [money(x) for x in (0, 12.345, 0.236, 0.00123)] == ["0.00", "12.35", "0.24", "0.0012"]


def test_a_file_uri_becomes_the_path_that_one_types() -> None:
    assert place("file:///a%20b/model") == "/a b/model"
    assert place("s3://bucket/model.tar.gz") == "s3://bucket/model.tar.gz"
    assert place("https://[nowhere") == "https://[nowhere"


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        ("exit status 1\nTraceback (most recent call last):\n  x\nValueError: no\n", "ValueError: no"),
        ("exit status 1\nfoo.bar.SomeError: deep", "foo.bar.SomeError: deep"),
        ("KeyError: 'x'\n\nDuring handling of the above:\n\nTypeError: y", "TypeError: y"),
        ("killed by SIGKILL (out of memory?)", "killed by SIGKILL (out of memory?)"),
        ("\n\n  the data is missing\nmore", "the data is missing"),
        ("x" * 500, "x" * 159 + "…"),
        ("", ""),
        (None, ""),
    ],
)
def test_of_a_failure_the_line_that_says_most_is_shown(failure: str | None, line: str) -> None:
    assert failure_line(failure) == line


def test_hyperparameters_are_written_as_they_are_given_or_shorter() -> None:
    assert [hyperparameter(v) for v in (0.1234567891, 7, "adam")] == ["0.123457", "7", "adam"]


def test_a_text_whose_ends_nobody_could_see_is_shown_in_quotes() -> None:
    shown = [hyperparameter(text) for text in ("", " a", "a\nb", "a b", "\x1b[31m", "null")]
    assert shown == ['""', '" a"', '"a\\nb"', "a b", '"\\u001b[31m"', "null"]


# -- markdown that stays whole --------------------------------------------------------------------


def unescaped_bars(line: str) -> int:
    return len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=3))
def test_nothing_in_a_cell_breaks_the_table(rows: list[tuple[str, str]]) -> None:
    text = table(["A", "B"], [(cell(a), code(b)) for a, b in rows])
    lines = text.split("\n")
    assert len(lines) == 2 + len(rows)
    assert all(unescaped_bars(line) == 3 for line in lines)


@given(st.text(alphabet="`a \n"))
def test_nothing_in_a_block_ends_it(text: str) -> None:
    block = fenced(text)
    first, *inside, last = block.split("\n")
    assert last == first.removesuffix("text")
    assert not any(line.strip().startswith(last) for line in inside)


def test_no_html_gets_through() -> None:
    assert "<script>" not in cell(NASTY)


def chart_numbers(chart: str) -> tuple[list[float], list[float]]:
    """The y range and the line of a chart, read as mermaid does: no exponents."""
    plain = r"-?\d+(?:\.\d+)?"
    axis = re.search(rf"^    y-axis ({plain}) --> ({plain})$", chart, re.MULTILINE)
    line = re.search(rf"^    line \[((?:{plain}(?:, )?)+)\]$", chart, re.MULTILINE)
    assert axis is not None
    assert line is not None
    return [float(axis[1]), float(axis[2])], [float(x) for x in line[1].split(", ")]


@pytest.mark.parametrize(
    "values",
    [[1e-9, 2e-9], [1e12, 1e20], [0.5, 0.5], [0.0, 0.0], [-1e-30, 1e30], [1.0, 1.0 + 1e-15]],
)
def test_a_chart_has_a_range_and_plain_numbers(values: list[float]) -> None:
    (low, high), line = chart_numbers(line_chart("t", "x", list(enumerate(values))))
    assert low < min(line)
    assert max(line) < high
    assert line == pytest.approx(values, rel=1e-5)


def test_a_long_chart_is_thinned_evenly_and_keeps_its_ends() -> None:
    chart = line_chart("t", "x", [(n, float(n)) for n in range(1, 1001)])
    _, line = chart_numbers(chart)
    assert (len(line), line[0], line[-1]) == (100, 1.0, 1000.0)
    assert max(b - a for a, b in pairwise(line)) <= 11
    assert 'x-axis "x" 1 --> 1000' in chart


@pytest.mark.parametrize("points", [[], [(1, 0.5)], [(1, math.nan), (2, math.inf), (3, 0.5)]])
def test_less_than_two_values_are_no_chart(points: list[tuple[int, float]]) -> None:
    assert line_chart("t", "x", points) == ""


def test_a_title_cannot_leave_its_quotes() -> None:
    chart = line_chart('say "hi"\n```', "x", [(1, 1.0), (2, 2.0)])
    assert "title \"say 'hi' '''\"" in chart


# -- the leaderboard ------------------------------------------------------------------------------


def result(ledger: Ledger, now: float | None = None) -> TuningResult:
    return result_of(ledger, "memory:", now)


def test_the_leaderboard_is_json_whatever_the_values() -> None:
    ledger = opened()
    for trial, value in enumerate((0.5, math.nan, math.inf, -math.inf), start=1):
        ended_job(ledger, trial, [value])
    ended_job(ledger, 5, [], Outcome.LOST)
    running_job(ledger, 6)
    rows = leaderboard(result(ledger, 9.0))
    json.dumps(rows, allow_nan=False)
    assert [row["Objective"] for row in rows] == [0.5, "", "NaN", "inf", "-inf", ""]
    assert [row["Rank"] for row in rows] == [1, "", "", "", "", ""]


def test_a_row_says_all_of_a_job() -> None:
    ledger = opened()
    name = running_job(ledger, 1, [0.1, 0.9731423])
    metrics = {"accuracy": 0.9731423}
    artifact = "file:///models/a%20b"
    log = "file:///logs/1.log"
    ledger.apply(Ended(90.0, name, Outcome.COMPLETED, 1.0, 66.0, metrics, artifact, log, None))
    assert leaderboard(result(ledger)) == [
        {
            "Rank": 1,
            "Training job": "demo-001-00000000",
            "Objective": 0.973142,
            "Status": "completed",
            "Why it stopped": "",
            "Epochs": 2,
            "Time": "1 min 5 s",
            "learning_rate": 0.5,
            "Model": "file:///models/a%20b",
            "Log": "file:///logs/1.log",
        }
    ]


def test_a_row_says_why_a_job_was_stopped_or_failed() -> None:
    ledger, _ = run(
        spec(early_stopping={"type": "Auto", "min_jobs": 1, "grace_epochs": 0}), worse_each_time()
    )
    rows = leaderboard(result(ledger))
    stopped = [row for row in rows if row["Status"] == "stopped early"]
    assert stopped
    assert all("is worse than" in str(row["Why it stopped"]) for row in stopped)
    failed_ledger = opened()
    name = running_job(failed_ledger, 1)
    failure = "exit status 1\nKeyError: 'x'"
    failed_ledger.apply(Ended(3.0, name, Outcome.FAILED, 1.0, 3.0, {}, None, None, failure))
    assert leaderboard(result(failed_ledger))[0]["Why it stopped"] == "KeyError: 'x'"


def test_the_leaderboard_ends_at_its_limit() -> None:
    ledger, _ = run(spec())
    rows = leaderboard(result(ledger), limit=3)
    assert [row["Rank"] for row in rows] == [1, 2, 3]


def test_a_hyperparameter_may_be_called_like_a_column() -> None:
    numbers = [{"name": name, "min_value": 1, "max_value": 2} for name in ("Epochs", "Model")]
    ledger, _ = run(
        spec(continuous=[], integer=numbers, limits={"max_number_of_training_jobs": 1}), one_epoch
    )
    (row,) = leaderboard(result(ledger))
    assert row["Epochs"] == 1
    assert row["Epochs (hyperparameter)"] in (1, 2)
    assert row["Model"] == "simulated:" + str(row["Training job"])


def one_epoch(hyperparameters: Mapping[str, str]) -> Script:
    return Script([0.5])


def worse_each_time(epochs: int = 4) -> Train:
    """Each training job is worse than the ones before it."""
    seen: list[float] = []

    def train(hyperparameters: Mapping[str, str]) -> Script:
        seen.append(1 / (1 + len(seen)))
        return Script([seen[-1]] * epochs)

    return train


# -- the report -----------------------------------------------------------------------------------


def strange(hyperparameters: Mapping[str, str]) -> Script:
    """Every kind of end, with text that tries to break out of its place."""
    rate = float(hyperparameters["learning_rate"])
    if rate < 0.002:
        return Script([math.nan], end=JobState.FAILED, failure=f"exit status 1\n{NASTY}\nValueError: {NASTY}")
    if rate < 0.005:
        return Script([])
    if rate < 0.02:
        return Script([math.nan, math.inf])
    return rising(hyperparameters)


def whole(markdown: str) -> None:
    """Every fence is closed, and every table's lines have the same number of cells."""
    open_fence: str | None = None
    bars: int | None = None
    for line in markdown.split("\n"):
        fence = re.match(r"`{3,}", line)
        if open_fence is not None:
            if line == open_fence:
                open_fence = None
            continue
        if fence is not None:
            open_fence = fence[0]
        elif line.startswith("|"):
            assert bars is None or unescaped_bars(line) == bars, line
            bars = unescaped_bars(line)
        else:
            bars = None
            assert "<script>" not in line
    assert open_fence is None


def test_at_every_moment_there_is_a_whole_report() -> None:
    tuning_spec = spec(
        objective={"metric_name": NASTY.replace("\n", " ")},
        early_stopping={"type": "Auto", "min_jobs": 1},
        limits={"max_parallel_training_jobs": 3, "max_number_of_training_jobs": 25},
        training_job={"command": ["train"], "price_per_hour": 2.0},
        categorical=[{"name": "a|b", "values": ["|", "`"]}],
    )
    backend = SimulatedBackend(VirtualClock(), strange)
    tuning = Tuning.open(tuning_spec, backend, MemoryJournal(), clock=backend.clock)
    whole(report_markdown(tuning.ledger, result(tuning.ledger)))
    ticks = 0

    def look(tuning: Tuning, news: object) -> None:
        nonlocal ticks
        ticks += 1
        if ticks % 5 == 0 or tuning.ledger.finished:
            whole(report_markdown(tuning.ledger, result(tuning.ledger, tuning.now())))

    drive(tuning, on_tick=look)
    report = report_markdown(tuning.ledger, result(tuning.ledger))
    for heading in ("Why it ended", "Best training job", "Leaderboard", "Early stopping", "Failures"):
        assert f"## {heading}" in report


def test_the_report_of_a_completed_tuning_job_has_its_facts() -> None:
    tuning_spec = spec(
        limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 12},
        early_stopping={"type": "Auto", "min_jobs": 2, "grace_epochs": 2},
        training_job={"command": ["train"], "price_per_hour": 36.0},
    )
    ledger, _ = run(tuning_spec)
    outcome = result(ledger)
    report = report_markdown(ledger, outcome)
    assert outcome.best is not None
    assert report.startswith("# demo: completed\n\nCompleted: best accuracy = ")
    assert "| `MaxNumberOfTrainingJobs` | 12 training jobs were launched" in report
    assert "launched 12, limit 12" in report
    assert f"`{outcome.best.name}`: accuracy = **{number(outcome.best.objective_value)}**" in report
    assert f"Its model is at `simulated:{outcome.best.name}`" in report
    stop = next(job.verdict for job in ledger.jobs.values() if job.verdict)
    assert f"| `{stop.job}` | {stop.epoch} | {number(stop.value)} | {number(stop.median)} |" in report
    assert f"saved about **{duration(outcome.saved.seconds)}** of training" in report
    rows = re.findall(r"^\| `demo-\S+` \| \d+ \|", report, re.MULTILINE)
    assert len(rows) == outcome.saved.stopped_jobs, "a row for each stop, none for what was let go"
    assert f"- wall clock {duration(outcome.runtime_seconds)}" in report
    assert f"- cost {money(outcome.cost or 0)}, at 36.00 an hour" in report
    assert "```mermaid\n%%{init" in report
    assert "\nxychart-beta\n" in report


def test_the_best_so_far_only_gets_better_and_starts_with_the_first_success() -> None:
    ledger = opened(spec(objective={"metric_name": "accuracy", "type": "Minimize"}))
    for trial, value in enumerate((math.nan, 0.5, 0.7, 0.4, 0.45), start=1):
        ended_job(ledger, trial, [value])
    assert best_so_far(ledger) == [(2, 0.5), (3, 0.5), (4, 0.4), (5, 0.4)]


def test_failures_that_are_alike_are_told_once() -> None:
    ledger = opened()
    for trial in range(1, 5):
        name = running_job(ledger, trial)
        failure = f"exit status 1\nValueError: bad size {trial}" if trial < 4 else "killed by SIGKILL"
        ledger.apply(
            Ended(9.0, name, Outcome.FAILED, 1.0, 9.0, {}, None, f"file:///logs/{trial}.log", failure)
        )
    ended_job(ledger, 5, [], Outcome.NO_METRIC)
    ended_job(ledger, 6, [math.nan])
    ended_job(ledger, 7, [], Outcome.STOPPED_EARLY)
    groups = failure_groups(result(ledger))
    assert sorted(len(group) for group in groups) == [1, 1, 1, 3]
    report = report_markdown(ledger, result(ledger))
    assert "6 training jobs of 7 failed." in report
    assert "### 3 × failed in training: ValueError: bad size 3" in report
    assert "All of its output: `/logs/3.log`" in report
    assert "no value of accuracy was found in the output" in report
    assert "### 1 × completed: accuracy was NaN" in report


def test_of_a_long_failure_the_report_has_the_end() -> None:
    ledger = opened()
    name = running_job(ledger, 1)
    failure = "\n".join(f"line {n}" for n in range(100))
    ledger.apply(Ended(9.0, name, Outcome.FAILED, 1.0, 9.0, {}, None, None, failure))
    report = report_markdown(ledger, result(ledger))
    assert "line 99" in report
    assert "line 84\n" not in report


def test_the_report_of_a_tuning_job_that_has_just_begun() -> None:
    report = report_markdown(opened(), result(opened(), 5.0))
    assert report.startswith("# demo: in progress")
    assert "None yet." in report
    assert "None was launched yet." in report


def test_early_stopping_that_stopped_nothing_says_so() -> None:
    ledger, _ = run(spec(early_stopping={"type": "Auto", "min_jobs": 9}), one_epoch)
    assert "No training job was stopped." in report_markdown(ledger, result(ledger))
    ledger, _ = run(spec(), one_epoch)
    assert "Early stopping" not in report_markdown(ledger, result(ledger))


# -- the terminal ---------------------------------------------------------------------------------


def printed(outcome: TuningResult, width: int = 100, home: str | None = None) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(terminal_summary(outcome, home=home))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_the_summary_has_the_best_the_reason_the_savings_the_model_and_the_next_step() -> None:
    ledger, _ = run(spec(early_stopping={"type": "Auto", "min_jobs": 2, "grace_epochs": 2}))
    outcome = result(ledger)
    text = printed(outcome)
    best = outcome.best
    assert best is not None
    assert "demo completed after" in text
    assert "10 of 10 training jobs launched" in text
    assert "MaxNumberOfTrainingJobs: 10 training jobs were launched" in text
    assert f"accuracy {number(best.objective_value)} by {best.name}" in text
    assert f"simulated:{best.name}" in text
    assert f"about {duration(outcome.saved.seconds)} of training saved" in text
    assert "amt-flows jobs demo" in text
    assert "and 5 more training jobs" in text


def test_the_summary_of_a_running_tuning_job_says_how_to_stop_it() -> None:
    ledger = opened(spec(limits={"max_number_of_training_jobs": 9, "max_runtime_seconds": 3600}))
    running_job(ledger, 1, [0.25])
    text = printed(result(ledger, 60.0), home="/my home")
    assert "demo in progress for 1 min of 1 h" in text
    assert "1 of 9 training jobs launched (1 running)" in text
    assert re.search(r"demo-001-00000000\s+running\s+0.25\s+1", text)
    assert "amt-flows stop demo --home '/my home'" in text


def test_the_summary_of_a_failed_tuning_job_says_what_failed_and_where_to_look() -> None:
    ledger = opened()
    name = running_job(ledger, 1)
    failure = "exit status 1\nImportError: no numpy"
    ledger.apply(Ended(9.0, name, Outcome.FAILED, 1.0, 9.0, {}, None, None, failure))
    ledger.apply(Concluding(9.0, TuningStatus.FAILED, (Reason("MaxFailedTrainingJobs", "it failed"),)))
    ledger.apply(Finished(9.0, TuningStatus.FAILED))
    text = printed(result(ledger))
    assert "demo failed after 9.0 s" in text
    assert f"{name}: ImportError: no numpy" in text
    assert f"amt-flows logs {name}" in text


def test_brackets_in_names_are_not_taken_for_markup() -> None:
    ledger, _ = run(
        spec(
            objective={"metric_name": "acc[red]"},
            categorical=[{"name": "size", "values": ["[bold]1[/bold]", "[/]"]}],
        ),
        one_epoch,
    )
    text = printed(result(ledger))
    assert "acc[red]" in text
    assert "[/]" in text


def test_hyperparameters_share_a_column_where_there_is_no_room_for_one_each() -> None:
    many = [{"name": f"p{n}", "min_value": 0.0, "max_value": 1.0} for n in range(8)]
    ledger, _ = run(spec(continuous=many), one_epoch)
    assert "hyperparameters" not in printed(result(ledger), width=200)
    text = printed(result(ledger), width=80)
    assert "hyperparameters" in text
    assert re.search(r"p0=\S+ p1=\S+", text)
    assert re.search(r"^001-[0-9a-f]{8} ", text, re.MULTILINE), "a name fits where the prefix is left out"


def test_the_table_of_very_many_jobs_folds_no_line_and_cuts_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, _ = run(spec(limits={"max_parallel_training_jobs": 4, "max_number_of_training_jobs": 12}))
    outcome = result(ledger)
    monkeypatch.setattr(terminal, "FOLDED_AT_MOST", 5)
    monkeypatch.setattr("rich.console.Console", lambda **given: Console(width=30))
    show(terminal.JobsTable(outcome))
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["training", "job", "status"]
    assert len(lines) == len(outcome.jobs)
    for line, job in zip(lines, outcome.jobs, strict=True):
        assert line.startswith(job.name.removeprefix("demo-"))
        assert line.rstrip().endswith(hyperparameters(job.hyperparameters))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["adam", "sgd"], ["adam", "sgd"]),
        (["category-number-1", "category-number-12"], ["…1", "…12"]),
        (["s3://data/1/train", "s3://data/20/train"], ["…1…", "…20…"]),
        (["all-the-same-name"], ["all-the-sa…"]),
        (["a-long-one-of-two", "b-long-two-of-two"], ["a-long-one…", "b-long-two…"]),
        ([], []),
    ],
)
def test_long_names_are_shortened_by_what_they_share(names: list[str], told: list[str]) -> None:
    assert shortened(names, 11) == told
