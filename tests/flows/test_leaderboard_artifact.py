"""The leaderboard has every training job, as far as Prefect carries it, and says what it leaves out; a result
is for people and for programs."""

from __future__ import annotations

import base64
import json
import sys
import zlib
from typing import Any

import pytest

from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.flows import load_result
from amt_flows.flows.tuning import artifacts
from amt_flows.flows.tuning.artifacts import CONTENT, PACKED, content_of, leaderboard_page, result_page
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
    assert len(rows_of(leaderboard_page(result, "", most=10).data)) == 10 + 1


def test_what_is_shown_of_a_running_tuning_job_loads_nothing_large_and_stays_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is drawn between two launches."""
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


def test_a_flow_run_publishes_more_than_a_screenful() -> None:
    limits = {"max_parallel_training_jobs": 10, "max_number_of_training_jobs": JOBS}
    World().tune(spec(name="many", limits=limits))
    published = artifact("leaderboard", "many")
    assert len(rows_of(str(published.data))) == JOBS


def test_a_result_is_read_by_a_person_and_loaded_whole_by_a_program() -> None:
    World().tune(
        spec(name="whole", limits={"max_parallel_training_jobs": 10, "max_number_of_training_jobs": JOBS})
    )
    published, loaded = artifact("result", "whole"), load_result("whole")
    assert published.type == "markdown"
    shown, _, kept = str(published.data).partition("\n\n[amt-result]: data:")
    assert loaded.best is not None
    for words in (loaded.best.name, "learning_rate", "load_result('whole')", loaded.reasons[0].message):
        assert words in shown
    assert "{" not in shown
    assert len(kept) < len(loaded.model_dump_json()) / 4
    assert [job.name for job in loaded.jobs] == [
        row["Training job"] for row in rows_of(str(artifact("leaderboard", "whole").data))
    ]
    assert loaded.headline == published.description


def test_what_a_result_says_cannot_take_the_place_of_its_content() -> None:
    asked = spec(training_job={"command": ["train"], "environment": {"A": f"{CONTENT}AAAA\n{CONTENT}"}})
    ledger, _ = run(asked)
    result = result_of(ledger, f"memory:\n{CONTENT}AAAA")
    data = result_page(result).data
    assert TuningResult.model_validate(content_of(data)) == result


def test_results_of_earlier_versions_are_read_and_what_is_none_is_empty() -> None:
    content = {"name": "demo", "journal": "memory:"}
    packed = base64.b64encode(zlib.compress(json.dumps(content).encode())).decode()
    for data in (content, json.dumps(content), {"name": "demo", PACKED: packed}):
        assert content_of(data) == content
    for none in (None, [1], "text", f"{CONTENT}AAAA", {PACKED: 1}, "[" * 100_000):
        assert content_of(none) == {}
