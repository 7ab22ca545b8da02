"""Which training jobs are told to the server as task runs, and when, whatever the server does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.errors import BackendError
from amt_flows.events import Ended, Outcome
from amt_flows.flows.api import Api
from amt_flows.flows.tuning.bar_states import ended, message_of, name_of, state_of
from amt_flows.flows.tuning.bars import AT_THE_END, KEPT_FREE, Bars, is_one_of_many
from amt_flows.flows.tuning.budget import MOST_BARS, TaskRunBudget
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.ports import JobRequest, Launch
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from worlds import ended_job, opened, rising, running_job, spec

RUN = UUID(int=7)


@dataclass
class Server:
    """Takes events as Prefect's server does, keeps what it was told last of each task run, and may be away,
    or lose what it took just before it went."""

    clock: VirtualClock
    away: Callable[[float], bool] = lambda now: False
    told: list[dict[str, Any]] = field(default_factory=list)
    pages: list[Any] = field(default_factory=list)
    lines: list[Any] = field(default_factory=list)

    # As the client that bars are told by, and as what runs that in the background.
    @property
    def _client(self) -> Server:
        return self

    def post(self, path: str, json: Sequence[dict[str, Any]]) -> Server:
        if self.away(self.clock.now()):
            raise OSError("connection refused")
        self.told += json
        return self

    def raise_for_status(self) -> None:
        pass

    def create_logs(self, logs: Sequence[Any]) -> None:
        self.lines += logs

    def create_artifact(self, artifact: Any) -> None:
        self.pages.append(artifact)

    def soon(self, ask: Callable[[Server], None]) -> Future[None]:
        done: Future[None] = Future()
        try:
            ask(self)
            done.set_result(None)
        except OSError as error:
            done.set_exception(error)
        return done

    def meanwhile(self, ask: Callable[[Server], None]) -> Callable[[], None]:
        return Api.meanwhile(self, ask)  # type: ignore[arg-type]

    def now(self, ask: Callable[[Server], None]) -> None:
        ask(self)

    def last(self) -> dict[str, str]:
        """The name of each training job's last state."""
        order = sorted(self.told, key=lambda event: str(event["occurred"]))
        return {e["payload"]["task_run"]["dynamic_key"]: e["resource"]["prefect.state-name"] for e in order}


@dataclass
class Followed:
    """A tuning job whose ledger is written by hand."""

    ledger: Ledger
    clock: VirtualClock
    held_up_by: None = None

    def now(self) -> float:
        return self.clock.now()


def bars_to(server: Server, **budget: Any) -> Bars:
    clock = server.clock.now
    return Bars(server, RUN, TaskRunBudget(clock=clock, **budget), clock)  # type: ignore[arg-type]


def tuned(server: Server, backend: SimulatedBackend, jobs: int = 30) -> Tuning:
    """A tuning job that was driven to its end with bars at this server."""
    limits = {"max_parallel_training_jobs": 3, "max_number_of_training_jobs": jobs}
    asked = spec(limits=limits, early_stopping={"type": "Auto"})
    tuning = Tuning.open(asked, backend, MemoryJournal(), clock=server.clock)
    bars = bars_to(server)
    with bars.left_by(tuning):
        drive(tuning, on_tick=lambda tuning, news: bars.tick(tuning))
        bars.conclude(tuning)()
    return tuning


@settings(max_examples=25)
@given(began=st.floats(0, 60), lasts=st.floats(1, 90))
def test_each_training_job_is_told_however_long_the_server_is_away_meanwhile(
    began: float, lasts: float
) -> None:
    clock = VirtualClock()
    begin = clock.now() + began
    tuning_ended = [False]
    server = Server(clock, away=lambda now: begin <= now < begin + lasts and not tuning_ended[0])
    backend = SimulatedBackend(clock, rising)
    limits = {"max_parallel_training_jobs": 3, "max_number_of_training_jobs": 12}
    tuning = Tuning.open(
        spec(limits=limits, early_stopping={"type": "Auto"}), backend, MemoryJournal(), clock=clock
    )
    bars = bars_to(server)
    drive(tuning, on_tick=lambda tuning, news: bars.tick(tuning))
    tuning_ended[0] = True
    bars.conclude(tuning)()
    assert server.last() == {job.name: state_of(job)[1] for job in tuning.ledger.ended}
    ids = {e["resource"]["prefect.resource.id"] for e in server.told}
    assert len(ids) == len(tuning.ledger.jobs), "told again, it is the same task run"


def test_what_a_server_took_shortly_before_it_went_away_is_told_again() -> None:
    clock = VirtualClock()
    server, ledger = Server(clock), opened()
    followed, bars = Followed(ledger, clock), bars_to(server)
    first = ended_job(ledger, 1, [0.5])
    bars.tick(followed)  # type: ignore[arg-type]
    second = ended_job(ledger, 2, [0.6])
    server.away = lambda now: True
    for _ in range(3):
        clock.advance(2)
        bars.tick(followed)  # type: ignore[arg-type]
    assert set(server.last()) == {first}
    server.told.clear()  # as a server does that had it in its memory only
    server.away = lambda now: False
    for _ in range(4):
        clock.advance(10)
        bars.tick(followed)  # type: ignore[arg-type]
    assert set(server.last()) == {first, second}


class BreaksOff(SimulatedBackend):
    def launch(self, request: JobRequest) -> Launch:
        if len(self.launches) == 5:
            raise BackendError("The connection was lost.")
        return super().launch(request)


def test_no_bar_goes_on_for_ever_where_an_error_ends_the_run() -> None:
    clock = VirtualClock()
    server = Server(clock)
    with pytest.raises(BackendError):
        tuned(
            server,
            BreaksOff(clock, lambda h: Script([*rising(h).values] * (2 if len(server.told) % 2 else 1))),
        )
    assert server.told
    assert "Running" not in server.last().values()


def test_of_ten_thousand_the_failed_the_best_and_the_newest_are_shown_and_the_rest_is_counted() -> None:
    assert all(is_one_of_many(trial) for trial in range(1, 151))
    assert 700 < sum(map(is_one_of_many, range(1, 10_001))) < MOST_BARS - KEPT_FREE
    clock = VirtualClock()
    server, ledger = Server(clock), opened()
    budget = TaskRunBudget(clock=clock.now)
    bars = Bars(server, RUN, budget, clock.now)  # type: ignore[arg-type]
    failed = set()
    for trial in range(1, 3001):
        if trial % 50:
            ended_job(ledger, trial, [trial / 10_000])
        else:
            failed.add(ended_job(ledger, trial, [], outcome=Outcome.FAILED))
    followed = Followed(ledger, clock)
    bars.tick(followed)  # type: ignore[arg-type]
    assert len(server.told) <= 30, "a burst"
    bars.conclude(followed)()  # type: ignore[arg-type]
    shown = set(server.last())
    assert len(shown) == budget.bars <= AT_THE_END + 30
    assert failed <= shown
    assert ledger.best is not None
    assert ledger.best.name in shown
    newest = {job.name for job in ledger.ended[-100:] if is_one_of_many(job.trial)}
    assert newest <= shown


def test_the_rest_is_told_while_something_else_is_done_and_again_if_the_server_was_away() -> None:
    clock, away = VirtualClock(), [True]
    server, ledger = Server(clock, away=lambda now: away[0]), opened()
    names = {ended_job(ledger, trial, [0.5]) for trial in (1, 2)}
    bars = Bars(server, RUN, TaskRunBudget(clock=clock.now), clock.now)  # type: ignore[arg-type]
    wait_until_told = bars.conclude(Followed(ledger, clock))  # type: ignore[arg-type]
    away[0] = False
    assert not server.told
    wait_until_told()
    assert set(server.last()) == names


def test_however_many_fail_there_is_a_bar_for_what_is_best_in_the_end_and_no_more_than_a_ui_draws() -> None:
    clock = VirtualClock()
    server, ledger = Server(clock), opened()
    bars = Bars(server, RUN, TaskRunBudget(burst=100_000, clock=clock.now), clock.now)  # type: ignore[arg-type]
    followed = Followed(ledger, clock)
    for trial in range(1, 5001):
        if trial % 2:
            ended_job(ledger, trial, [], outcome=Outcome.FAILED)
        else:
            ended_job(ledger, trial, [0.5 - trial / 100_000])
        if trial % 50 == 0:
            clock.advance(10)
            bars.tick(followed)  # type: ignore[arg-type]
    assert len(server.last()) <= MOST_BARS - KEPT_FREE
    last = ended_job(ledger, 5001, [0.9])
    bars.conclude(followed)()  # type: ignore[arg-type]
    assert last in server.last()
    assert len(server.last()) == MOST_BARS


@pytest.mark.parametrize(
    ("outcome", "values", "kind", "name"),
    [
        (Outcome.COMPLETED, [0.5], "COMPLETED", "Completed"),
        (Outcome.COMPLETED, [float("nan")], "FAILED", "Failed"),
        (Outcome.STOPPED_EARLY, [0.5], "CANCELLED", "StoppedEarly"),
        (Outcome.TIMED_OUT, [0.5], "COMPLETED", "TimedOut"),
        (Outcome.TIMED_OUT, [], "FAILED", "TimedOut"),
        (Outcome.STOPPED, [], "CANCELLED", "Stopped"),
        (Outcome.STOPPED_OUTSIDE, [0.5], "CANCELLED", "StoppedOutside"),
        (Outcome.FAILED, [], "FAILED", "Failed"),
        (Outcome.NO_METRIC, [], "FAILED", "NoMetric"),
        (Outcome.INFRASTRUCTURE, [], "CRASHED", "InfrastructureFailed"),
        (Outcome.LOST, [], "CRASHED", "Lost"),
    ],
)
def test_the_state_says_how_a_training_job_ended(
    outcome: Outcome, values: list[float], kind: str, name: str
) -> None:
    ledger = opened()
    job = ledger.jobs[ended_job(ledger, 1, values, outcome=outcome)]
    assert state_of(job) == (kind, name)
    assert ended(ledger, job, RUN).lines[0].startswith(f"{name}: ")


def test_all_outcomes_have_a_state() -> None:
    ledger = opened()
    for trial, outcome in enumerate(Outcome, start=1):
        job = ledger.jobs[ended_job(ledger, trial, [], outcome=outcome)]
        assert state_of(job)[0] in ("COMPLETED", "CANCELLED", "FAILED", "CRASHED")


def test_a_page_has_the_reason_the_last_lines_and_links_that_a_browser_opens() -> None:
    console = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logs"
    clock = VirtualClock()
    server, ledger = Server(clock), opened()
    name = running_job(ledger, 1, [0.5])
    failure = "exit status 1; the last of its output:\nepoch 3\nValueError: out of memory"
    ledger.apply(Ended(3.0, name, Outcome.FAILED, 1.0, 3.0, {}, "s3://b/m.tar.gz", console, failure))
    bars = bars_to(server)
    bars.tick(Followed(ledger, clock))  # type: ignore[arg-type]
    assert message_of(ledger, ledger.jobs[name]) == "ValueError: out of memory"
    assert name_of(ledger, ledger.jobs[name]) == "001 learning_rate=0.5"
    said = [line.message for line in server.lines]
    assert said[0] == "Failed: ValueError: out of memory."
    assert "learning_rate = 0.5" in said[1]
    assert "s3://b/m.tar.gz" in said[1]
    assert said[2].endswith("epoch 3\nValueError: out of memory")
    (page,) = server.pages
    assert f"[its log]({console})" in page.data
    assert "console.aws.amazon.com/s3/object/b" in page.data
