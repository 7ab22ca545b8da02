"""Scenes with real processes, and the proof that a stage sees what is wrong."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from amt_flows.testing.chaos.kills import SCENES, play_scene
from amt_flows.testing.chaos.stage import JOBS, Stage

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_breaks_no_promise(scene: str) -> None:
    told = play_scene(scene, 0)
    assert not told.violations
    assert sum(told.faults.values()) > 0, "something was done to it"


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
    stray = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, "HELD": str(stage.home)}
    )
    stage.judge()
    assert {violation.promise for violation in stage.violations} == {
        "doubled",
        "lost",
        "orphaned",
        "overshot",
    }
    stage.clear()
    assert stray.wait() == -9
