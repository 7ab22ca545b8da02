"""Scenes with real processes, and the proof that a stage sees what is wrong."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from amt_flows.testing.chaos import kills
from amt_flows.testing.chaos.kills import SCENES, cannot_play, play_scene
from amt_flows.testing.chaos.stage import JOBS, Stage
from amt_flows.testing.chaos.surroundings import surroundings
from scenes import play_some

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_breaks_no_promise(scene: str) -> None:
    if why := cannot_play(scene):
        pytest.skip(why)
    told = play_scene(scene, 0)
    assert not told.violations
    assert sum(told.faults.values()) > 0, "something was done to it"


def test_nor_does_it_with_the_record_in_s3() -> None:
    with surroundings(as_flow=False, in_s3=True) as around:
        play_some(around)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path, random.Random(0))
    yield stage
    stage.clear()


def test_a_stage_sees_what_was_lost_doubled_and_left_running(stage: Stage) -> None:
    stage.run_to_end()
    assert len(stage.starts()) == JOBS
    stage.judge()
    assert not stage.violations
    first = stage.starts()[0]
    with (stage.directory / "starts").open("a") as starts:
        starts.write(f"{first} 1\nchaos-099-00000000 1\n")
    # The system shows a process's environment only some time after it has started: wait for its word.
    idle = "import time; print('here', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", idle],
        env={**os.environ, "HELD": str(stage.home)},
        stdout=subprocess.PIPE,
        text=True,
    ) as stray:
        assert stray.stdout is not None
        assert stray.stdout.readline() == "here\n"
        stage.judge()
        stage.clear()
        assert stray.wait() == -9
    assert {violation.promise for violation in stage.violations} == {
        "doubled",
        "lost",
        "orphaned",
        "overshot",
    }


def test_only_an_end_from_before_the_fault_excuses_an_exit_without_an_error(stage: Stage) -> None:
    stage.run_to_end()
    kills._expect_in_time(stage, (0, ""), time.time(), 7, "is missing")
    assert not stage.violations
    kills._expect_in_time(stage, (0, ""), 0.0, 7, "is missing")
    assert [one.promise for one in stage.violations] == ["crashed"]
