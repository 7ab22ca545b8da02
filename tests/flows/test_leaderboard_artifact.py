"""The leaderboard has every training job, as far as Prefect carries it, and says what it leaves out; a large
result is compressed."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.flows import load_result
from amt_flows.flows.tuning import artifacts
from amt_flows.flows.tuning.artifacts import PACKED, leaderboard_page
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.results import TrainingJobRecord, TuningResult, result_of
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import Stages, take_round
from flows.simulated import World, artifact
from worlds import rising, run, spec

JOBS = 60


def many() -> TuningResult:
    limits = {"max_parallel_training_jobs": 10, "max_number_of_training_jobs": JOBS}
    ledger, _ = run(spec(limits=limits))
    return result_of(ledger, "memory:")


def rows_of(data: str) -> list[dict[str, Any]]:
    return list(json.loads(data))


def test_every_training_job_has_its_row() -> None:
    result = many()
    page = leaderboard_page(result, result.headline)
    assert [row["Training job"] for row in rows_of(page.data)] == [job.name for job in result.jobs]
    assert page.description == result.headline


def test_what_does_not_fit_is_counted_and_has_a_place() -> None:
    result = many()
    whole = leaderboard_page(result, "").data
    page = leaderboard_page(result, "Completed", largest=len(whole) // 2)
    *shown, last = rows_of(page.data)
    assert [row["Training job"] for row in shown] == [job.name for job in result.jobs[: len(shown)]]
    assert 20 < len(shown) < 40
    left_out = JOBS - len(shown)
    assert last["Training job"].startswith(f"and {left_out} more training jobs: amt-flows jobs demo")
    assert set(last) == set(shown[0]), "a table has the columns of its first row"
    assert f"Left out are {left_out} more training jobs" in page.description
    assert len(leaderboard_page(result, "", largest=len(whole)).data) == len(whole)


def test_what_is_shown_of_a_running_tuning_job_loads_nothing_large_and_stays_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is drawn between two launches."""
    monkeypatch.setattr(artifacts, "LIVE_ROWS", 10)
    # What explains needs scipy: to load it takes a second, and seconds of a busy machine.
    monkeypatch.setitem(sys.modules, "amt_flows.results.explain", None)
    world = SimulatedBackend(VirtualClock(), rising)
    asked = spec(limits={"max_parallel_training_jobs": 10, "max_number_of_training_jobs": JOBS})
    tuning = Tuning.open(asked, world, MemoryJournal(), clock=world.clock)
    kept: dict[str, TrainingJobRecord] = {}
    while len(tuning.ledger.ended) < JOBS // 2:
        take_round(tuning, Stages())
        tuning.wait()
        now = tuning.now()
        result = result_of(tuning.ledger, "memory:", now, kept)
        assert result == result_of(tuning.ledger, "memory:", now)
    drawn = {page.kind: page for page in artifacts.pages(tuning.ledger, result, now)}
    assert set(drawn) == {"progress", "leaderboard", "report", "curves"}
    left_out = len(result.jobs) - 10
    assert rows_of(drawn["leaderboard"].data)[-1]["Training job"].startswith(f"and {left_out} more")


def test_a_flow_run_publishes_more_than_a_screenful() -> None:
    limits = {"max_parallel_training_jobs": 10, "max_number_of_training_jobs": JOBS}
    World().tune(spec(name="many", limits=limits))
    published = artifact("leaderboard", "many")
    assert len(rows_of(str(published.data))) == JOBS


def test_a_large_result_is_compressed_and_loaded_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"max_parallel_training_jobs": 10, "max_number_of_training_jobs": JOBS}
    monkeypatch.setattr(artifacts, "LARGEST_RESULT", 10_000)
    World().tune(spec(name="large", limits=limits))
    published = artifact("result", "large")
    data = published.data
    content = json.loads(data) if isinstance(data, str) else data
    assert isinstance(content, dict)
    assert set(content) == {"name", "journal", PACKED}
    loaded = load_result("large")
    assert len(json.dumps(content)) < len(loaded.model_dump_json()) / 4
    assert [job.name for job in loaded.jobs] == [
        row["Training job"] for row in rows_of(str(artifact("leaderboard", "large").data))
    ]
    assert loaded.headline == published.description
