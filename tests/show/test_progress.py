"""Progress: what is shown where, one line per event in a log, and never an error."""

from __future__ import annotations

import html
import io
import math
import re
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from rich.console import Console

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.events import Concluding, Finished, Outcome, Reason, StopAsked, TuningStatus
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import News
from amt_flows.ports import JobState
from amt_flows.run import tune
from amt_flows.show.progress import bar as progress_module
from amt_flows.show.progress.bar import progress_bar, rows_more
from amt_flows.show.progress.lines import Lines
from amt_flows.show.progress.notebook import in_notebook, picture
from amt_flows.show.progress.panel import done_share, panel
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.interrupts import InterruptedAgain
from amt_flows.tuning.loop import drive
from worlds import Train, drive_until, ended_job, opened, rising, running_job, spec


def begun(tuning_spec: TuningSpec | None = None, train: Train = rising) -> Tuning:
    backend = SimulatedBackend(VirtualClock(), train)
    return Tuning.open(tuning_spec or spec(), backend, MemoryJournal(), clock=backend.clock)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


Stderr = Callable[[io.StringIO], io.StringIO]


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Stderr:
    """Sets standard error. Called in the test, since pytest sets its own between set-up and test."""

    def use(stream: io.StringIO) -> io.StringIO:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return use


class ZMQInteractiveShell:
    """A Jupyter kernel's shell, by its name."""


class Shell(ZMQInteractiveShell):
    """That of a notebook service: a kind of it."""


class Notebook:
    """What IPython gives a kernel: ``display`` with an id, and a handle to update it."""

    def __init__(self) -> None:
        self.shown: list[Any] = []
        self.displays = 0

    def display(self, shown: Any, *, raw: bool, display_id: bool) -> Notebook:
        assert display_id
        self.displays += 1
        self.update(shown, raw=raw)
        return self

    def update(self, shown: Any, *, raw: bool) -> None:
        assert raw
        self.shown.append(shown["text/html"])


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    kernel = Notebook()
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = Shell  # type: ignore[attr-defined]
    displaying = types.ModuleType("IPython.display")
    displaying.display = kernel.display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", displaying)
    return kernel


# -- where what is shown --------------------------------------------------------------------------


def test_a_terminal_gets_a_display_that_renews_itself(stderr: Stderr) -> None:
    terminal = stderr(Terminal())
    with progress_bar() as tick:
        drive(begun(), on_tick=tick)
    text = terminal.getvalue()
    assert "\x1b[?25l" in text, "the cursor is hidden while the display lives"
    assert text.rindex("\x1b[?25h") > text.rindex("10 of 10 jobs ended")
    assert "ended: 10 training jobs were launched" in text


def test_a_notebook_gets_one_display_that_is_updated(notebook: Notebook, stderr: Stderr) -> None:
    log = stderr(io.StringIO())
    with progress_bar() as tick:
        drive(begun(), on_tick=tick)
    assert notebook.displays == 1
    assert "10 of 10 jobs ended" in notebook.shown[-1]
    assert log.getvalue() == ""


def test_ipython_in_a_terminal_is_no_notebook(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    for shell in (object, lambda: None):
        monkeypatch.setattr(sys.modules["IPython"], "get_ipython", shell)
        assert not in_notebook()


def test_a_cell_that_is_left_says_that_nobody_follows_any_more(notebook: Notebook) -> None:
    def look(tuning: Tuning, news: News) -> None:
        tick(tuning, news)
        raise KeyError("somebody else's fault")

    with pytest.raises(KeyError), progress_bar() as tick:
        drive(begun(), on_tick=look)
    assert notebook.displays == 1
    assert "not followed any more" not in notebook.shown[0]
    assert "not followed any more" in notebook.shown[-1]


def test_the_cell_shows_how_far_what_runs_and_the_best_whatever_the_names() -> None:
    limits = {"max_number_of_training_jobs": 20, "max_runtime_seconds": 3600}
    ledger = opened(spec(limits=limits, objective={"metric_name": "<b>accuracy</b>"}))
    ended_job(ledger, 1, [0.5, 0.75])
    running_job(ledger, 2, [0.1, 0.2, 0.25])
    stopping = running_job(ledger, 3)
    ledger.apply(StopAsked(9.0, (stopping,), True, "poor"))
    ledger.apply(Concluding(9.0, TuningStatus.STOPPED, (Reason("StoppedByUser", "<script>enough</script>"),)))
    drawn = picture(ledger, 65.0, "no <place>")
    words = texts(drawn["text/html"])
    assert "1 of 20 jobs ended, 2 running 1 min 5 s of 1 h" in words
    assert "best <b>accuracy</b> 0.75 demo-001-00000000 learning_rate=0.5" in words
    assert "demo-002-00000000 running 3 0.25 1 min 3 s" in words
    assert "demo-003-00000000 stopping – – 1 min 2 s" in words
    assert "ending: <script>enough</script>" in words
    assert words.endswith("no <place>")
    assert "<script" not in drawn["text/html"]
    assert "<b>" not in drawn["text/html"]
    assert drawn["text/plain"].startswith("demo  1 of 20 jobs ended")


def test_of_many_running_jobs_the_cell_shows_some() -> None:
    ledger = opened()
    for trial in range(1, 31):
        running_job(ledger, trial)
    assert "and 22 more" in texts(picture(ledger, 1.0)["text/html"])


def texts(page: str) -> str:
    """The words of a page, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.mark.parametrize(("progress", "silent"), [(None, True), (False, True), (True, False)])
def test_elsewhere_there_are_lines_only_when_asked_for(
    stderr: Stderr, progress: bool | None, silent: bool
) -> None:
    log = stderr(io.StringIO())
    with progress_bar(progress) as tick:
        drive(begun(), on_tick=tick)
    assert (log.getvalue() == "") is silent


def test_false_is_silent_in_a_terminal_too(stderr: Stderr) -> None:
    terminal = stderr(Terminal())
    with progress_bar(False) as tick:
        drive(begun(), on_tick=tick)
    assert terminal.getvalue() == ""


def test_nothing_is_shown_where_there_is_no_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with progress_bar() as tick:
        drive(begun(), on_tick=tick)


def test_tune_shows_progress_and_calls_the_callers_tick(stderr: Stderr) -> None:
    terminal = stderr(Terminal())
    ticks: list[News] = []
    backend = SimulatedBackend(VirtualClock(), lambda hyperparameters: Script([0.5], 0.01))
    tune(spec(), backend, journal=MemoryJournal(), on_tick=lambda tuning, news: ticks.append(news))
    assert ticks
    assert "10 of 10 jobs ended" in terminal.getvalue()


def test_what_a_callback_prints_into_a_pipe_stays_out_of_the_display(
    stderr: Stderr, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal, pipe = stderr(Terminal()), io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    with progress_bar() as tick:

        def look(tuning: Tuning, news: News) -> None:
            tick(tuning, news)
            print("tock")

        drive(begun(), on_tick=look)
    assert pipe.getvalue().startswith("tock\n")
    assert "tock" not in terminal.getvalue()


def test_a_display_that_was_never_drawn_is_closed_without_a_trace(stderr: Stderr) -> None:
    terminal = stderr(Terminal())
    with progress_bar():
        pass
    assert terminal.getvalue() == ""


def test_tune_is_silent_when_told_to(stderr: Stderr) -> None:
    terminal = stderr(Terminal())
    backend = SimulatedBackend(VirtualClock(), lambda hyperparameters: Script([0.5], 0.01))
    tune(spec(), backend, journal=MemoryJournal(), progress=False)
    assert terminal.getvalue() == ""


# -- never an error -------------------------------------------------------------------------------


class Broken:
    """Breaks on the n-th call, and tells how often it was called."""

    def __init__(self, fails_on: str) -> None:
        self.fails_on = fails_on
        self.calls: list[str] = []

    def _call(self, what: str) -> None:
        self.calls.append(what)
        if what == self.fails_on:
            raise OSError("the terminal is gone")

    def show(self, tuning: Tuning, news: News) -> None:
        self._call("show")

    def close(self) -> None:
        self._call("close")


@pytest.mark.parametrize("fails_on", ["show", "close"])
def test_a_display_that_breaks_falls_silent(monkeypatch: pytest.MonkeyPatch, fails_on: str) -> None:
    display = Broken(fails_on)
    monkeypatch.setattr(progress_module, "_display", lambda progress: display)
    tuning = begun()
    with progress_bar() as tick:
        drive(tuning, on_tick=tick)
    assert tuning.ledger.finished
    assert display.calls.count(fails_on) == 1


def test_a_second_interrupt_gets_through_a_display_that_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Broken):
        def _call(self, what: str) -> None:
            if what == self.fails_on:
                raise InterruptedAgain

    monkeypatch.setattr(progress_module, "_display", lambda progress: Interrupted("show"))
    with pytest.raises(InterruptedAgain), progress_bar() as tick:
        drive(begun(), on_tick=tick)


def test_a_closed_stream_does_not_end_the_tuning(stderr: Stderr) -> None:
    log = stderr(io.StringIO())
    tuning = begun()
    with progress_bar(True) as tick:
        log.close()
        drive(tuning, on_tick=tick)
    assert tuning.ledger.finished


def test_the_display_is_closed_when_the_tuning_breaks(stderr: Stderr) -> None:
    terminal = stderr(Terminal())

    def look(tuning: Tuning, news: News) -> None:
        tick(tuning, news)
        raise KeyError("somebody else's fault")

    with pytest.raises(KeyError), progress_bar() as tick:
        drive(begun(), on_tick=look)
    assert "\x1b[?25h" in terminal.getvalue(), "the cursor is shown again"


def test_a_terminal_is_not_drawn_at_every_tick(stderr: Stderr, monkeypatch: pytest.MonkeyPatch) -> None:
    stderr(Terminal())
    drawn: list[float] = []

    def counted(ledger: Ledger, now: float) -> Any:
        drawn.append(now)
        return panel(ledger, now)

    monkeypatch.setattr(progress_module, "panel", counted)
    with progress_bar() as tick:
        drive(begun(spec(limits={"max_number_of_training_jobs": 40})), on_tick=tick)
    assert 2 <= len(drawn) < 20, "some 400 ticks went by in a fraction of a second"


# -- lines ----------------------------------------------------------------------------------------


def lines_of(tuning: Tuning) -> list[str]:
    """What a log gets of a whole tuning, without the times of day."""
    written: list[str] = []
    lines = Lines(written.append)
    drive(tuning, on_tick=lines.show)
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in written)
    assert not any("\n" in line for line in written)
    return [line[9:] for line in written]


def one_fails_and_the_rest_get_worse() -> Train:
    jobs = 0

    def train(hyperparameters: Mapping[str, str]) -> Script:
        nonlocal jobs
        jobs += 1
        if jobs == 3:
            failure = "exit status 1\nTraceback\nValueError: too small"
            return Script([], end=JobState.FAILED, failure=failure)
        return Script([1 / jobs] * 10, stopping_seconds=2.5)

    return train


def test_every_event_is_one_line_and_told_once() -> None:
    limits = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 12}
    policy = {"type": "Auto", "min_jobs": 2, "grace_epochs": 2}
    tuning = begun(spec(limits=limits, early_stopping=policy), one_fails_and_the_rest_get_worse())
    lines = lines_of(tuning)
    ledger = tuning.ledger
    assert lines[0] == "demo started"
    for job in ledger.jobs.values():
        assert sum(line.startswith(f"{job.name} launched: learning_rate=") for line in lines) == 1
        assert sum(re.match(rf"\[ ?\d+/12\] {job.name} ", line) is not None for line in lines) == 1
    stopped = [job for job in ledger.ended if job.outcome is Outcome.STOPPED_EARLY]
    assert stopped
    for job in stopped:
        assert lines.count(f"{job.name} is being stopped: {job.stop_why}") == 1
    failures = [line for line in lines if "failed in training" in line]
    assert failures
    assert all(line.endswith(": ValueError: too small") for line in failures)
    assert lines[-2] == "demo is ending: 12 training jobs were launched, the maximum asked for"
    assert lines[-1].startswith("demo ended: Completed, best accuracy 1 by demo-001-")
    numbers = [int(match[1]) for line in lines if (match := re.match(r"\[ ?(\d+)/12\]", line))]
    assert numbers == list(range(1, 13))
    launches = len(ledger.jobs)
    assert len(lines) == 1 + launches + len(ledger.ended) + len(stopped) + 2


def test_the_line_of_an_end_has_the_value_the_epochs_and_the_time() -> None:
    lines = lines_of(begun(spec(limits={"max_number_of_training_jobs": 1})))
    assert re.fullmatch(
        r"\[1/1\] demo-001-\w{8} completed: accuracy 0\.\d+ after 10 epochs in 10\.0 s, the best so far",
        lines[2],
    )


def test_nan_and_missing_values_are_said_plainly() -> None:
    def train(hyperparameters: Mapping[str, str]) -> Script:
        return Script([math.nan] if float(hyperparameters["learning_rate"]) < 0.01 else [])

    text = "\n".join(lines_of(begun(train=train)))
    assert "completed: accuracy NaN after 1 epoch" in text
    assert "no metric: no accuracy in" in text


def test_what_happened_before_is_summed_up_in_one_line() -> None:
    tuning = begun()
    drive_until(tuning, lambda: len(tuning.ledger.ended) >= 4)
    assert not tuning.ledger.finished
    backend = tuning.backend
    assert isinstance(backend, SimulatedBackend)
    again = Tuning.open(spec(), backend.view(), tuning.journal, clock=backend.clock)
    lines = lines_of(again)
    assert re.fullmatch(r"demo taken up: 4 jobs ended before, best accuracy \S+ by \S+", lines[0])
    ends = [line for line in lines if line.startswith("[")]
    assert [line[:7] for line in ends] == [f"[{n:>2}/10]" for n in range(5, 11)]
    old = [job.name for job in again.ledger.ended[:4]]
    assert not any(name in line for name in old for line in lines[1:])


def test_a_quiet_minute_gets_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amt_flows.show.progress.lines.QUIET_SECONDS", 0.0)
    written: list[str] = []
    lines = Lines(written.append)
    tuning = begun(train=lambda hyperparameters: Script([0.5, 0.6], hangs=True))
    ticks = 0

    def look(tuning: Tuning, news: News) -> None:
        nonlocal ticks
        ticks += 1
        lines.show(tuning, news)
        if ticks == 3:
            tuning.request_stop("enough")

    drive(tuning, on_tick=look)
    quiet = [line for line in written if "2 running (demo-001" in line]
    assert quiet
    assert "epoch 1 0.5" in quiet[0]


# -- the picture ----------------------------------------------------------------------------------


def drawn(ledger: Ledger, now: float) -> str:
    console = Console(file=io.StringIO(), width=120, highlight=False)
    console.print(panel(ledger, now))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_the_picture_shows_how_far_what_runs_and_the_best() -> None:
    limits = {"max_number_of_training_jobs": 20, "max_runtime_seconds": 3600}
    ledger = opened(spec(limits=limits, early_stopping={"type": "Auto"}))
    ended_job(ledger, 1, [0.5, 0.75])
    ended_job(ledger, 2, [0.1], Outcome.STOPPED_EARLY)
    ended_job(ledger, 3, [], Outcome.FAILED)
    running_job(ledger, 4, [0.1, 0.2, 0.25])
    stopping = running_job(ledger, 5)
    ledger.apply(StopAsked(9.0, (stopping,), True, "poor"))
    text = drawn(ledger, 65.0)
    assert "demo  3 of 20 jobs ended, 2 running, 1 stopped early, 1 failed  1 min 5 s of 1 h" in text
    assert "best accuracy 0.75  demo-001-00000000  learning_rate=0.5" in text
    assert re.search(r"demo-004-00000000\s+running\s+epoch 3\s+0.25\s+1 min 1 s", text)
    assert re.search(r"demo-005-00000000\s+stopping\s+no value yet\s+–\s+1 min", text)


def test_the_picture_says_why_it_ends() -> None:
    ledger = opened()
    ledger.apply(Concluding(1.0, TuningStatus.STOPPED, (Reason("StoppedByUser", "enough [now]"),)))
    assert "ending: enough [now]" in drawn(ledger, 2.0)
    ledger.apply(Finished(3.0, TuningStatus.STOPPED))
    assert "ended: enough [now]" in drawn(ledger, 1e9)
    assert "  3.0 s" in drawn(ledger, 1e9), "the clock stops with the tuning job"


def test_of_many_running_jobs_some_are_shown() -> None:
    ledger = opened()
    for trial in range(1, 31):
        running_job(ledger, trial)
    text = drawn(ledger, 1.0)
    assert "30 running" in text
    assert "and 22 more" in text


@pytest.mark.parametrize(
    ("limits", "now", "share"),
    [
        ({"max_number_of_training_jobs": 4}, 5.0, 0.5),
        ({"max_runtime_seconds": 100}, 25.0, 0.25),
        ({"max_number_of_training_jobs": 4, "max_runtime_seconds": 10}, 9.0, 0.9),
        ({"max_runtime_seconds": 10}, 99.0, 1.0),
    ],
)
def test_the_nearest_limit_tells_how_far_it_is(limits: dict[str, int], now: float, share: float) -> None:
    ledger = opened(spec(limits=limits))
    ended_job(ledger, 1, [0.5])
    ended_job(ledger, 2, [0.5])
    assert done_share(ledger, now) == share


def test_without_a_limit_nobody_knows_how_far_it_is() -> None:
    ledger = opened(spec(limits={}, completion={"target_objective_metric_value": 0.9}))
    assert done_share(ledger, 5.0) is None
    assert "best accuracy –" in drawn(ledger, 5.0)


def test_what_holds_the_launches_up_is_said_once(stderr: Stderr) -> None:
    output = stderr(io.StringIO())
    backend = SimulatedBackend(VirtualClock(), rising, capacity=1)
    tuning = Tuning.open(spec(), backend, MemoryJournal(), clock=backend.clock)
    with progress_bar(True) as tick:
        drive(tuning, on_tick=tick)
    assert "waits for a place to run: All 1 places are taken." in output.getvalue()


def test_a_terminal_that_shrinks_is_left_no_rows_of_the_frame_before(
    stderr: Stderr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal breaks the rows that are too long for it by now: what draws next goes up by as many more."""
    terminal = stderr(Terminal())
    tuning = begun()

    def ups(columns: int) -> int:
        monkeypatch.setenv("COLUMNS", str(columns))
        before = len(terminal.getvalue())
        show(tuning, News())
        return terminal.getvalue()[before:].count("\x1b[1A")

    monkeypatch.setattr(progress_module, "TERMINAL_SECONDS", 0)
    monkeypatch.delenv("COLUMNS", raising=False)  # else it is as wide for good as at its start
    with progress_bar() as show:
        first, again, narrow = ups(100), ups(100), ups(20)
    assert first == 0
    assert again > 0
    assert narrow > again


def test_rows_that_still_fit_take_no_more() -> None:
    assert rows_more([80, 10, 0], 80) == 0
    assert rows_more([80, 81, 0], 40) == 1 + 2
    assert rows_more([5], 0) == 4
