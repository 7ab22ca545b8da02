"""What somebody has put in place of what a directory of versions says of itself: told in a sentence, at once,
and nothing hangs or breaks."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from amt_flows.deploy import current_version, local_champion, promote_local, roll_back_local, versions
from amt_flows.errors import DeployFailed, DeployRejected
from deploy.candidates import candidate, model_directory

FIRST, SECOND = "0001-demo-001-0a1b2c3d", "0002-demo-002-0a1b2c3d"


def removed(path: Path) -> Path:
    path.unlink()
    return path


DAMAGES: dict[str, Callable[[Path], object]] = {
    "nested": lambda path: path.write_text("[" * 5000 + "]" * 5000),
    "nested objects": lambda path: path.write_text('{"a":' * 5000 + "1" + "}" * 5000),
    "200 MB": lambda path: os.truncate(path, 200_000_000),
    "null characters": lambda path: path.write_text('{"v": 1, "name": "\0"}'),
    "no text": lambda path: path.write_bytes(b"\xff\xfe{}"),
    "a number without end": lambda path: path.write_text("1" * 10_000),
    "another shape": lambda path: path.write_text('{"line": {"a": 1}, "number": []}'),
    "nothing": lambda path: path.write_text(""),
    "a FIFO": lambda path: os.mkfifo(removed(path)),
    "a directory": lambda path: removed(path).mkdir(),
}


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    for job in (1, 2):
        promote_local(
            candidate(model_directory(tmp_path / str(job), {"w": str(job)}), job), tmp_path / "shelf"
        )
    return tmp_path / "shelf"


def told(error: pytest.ExceptionInfo[DeployFailed]) -> str:
    assert "can't be read" in error.value.happened
    assert "\n" not in error.value.happened
    assert len(error.value.happened) < 600
    return error.value.happened


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_version_whose_record_is_none_is_told_by_whoever_reads_it(shelf: Path, damage: str) -> None:
    DAMAGES[damage](shelf / "versions" / SECOND / "model.json")
    for act in (versions, current_version, local_champion):
        with pytest.raises(DeployFailed) as raised:
            act(shelf)
        assert SECOND in told(raised)
    assert roll_back_local(shelf).version == FIRST, "the way back doesn't lead through it"
    with pytest.raises(DeployFailed):
        versions(shelf)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_succession_that_is_none_is_told_and_changes_nothing(shelf: Path, damage: str) -> None:
    DAMAGES[damage](shelf / "succession.json")
    with pytest.raises(DeployFailed) as raised:
        roll_back_local(shelf)
    assert "succession.json" in told(raised)
    current = current_version(shelf)
    assert current is not None
    assert current.name == SECOND


@pytest.mark.parametrize(
    "replaced", [SECOND, "0003-demo-003-0a1b2c3d", "../../shelf/versions/" + FIRST, "\0"]
)
def test_versions_that_say_to_have_taken_over_in_a_circle_or_from_elsewhere_lead_nowhere(
    shelf: Path, replaced: str
) -> None:
    (shelf / "succession.json").unlink()
    path = shelf / "versions" / SECOND / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "replaced": replaced}))
    with pytest.raises(DeployRejected, match="took over from none"):
        roll_back_local(shelf)


@pytest.mark.parametrize("artifact", ["/a\0b", "file:///a%00b", "http://[", "s3://a\0b/c", "s3://["])
def test_an_artifact_whose_address_is_none_is_refused(shelf: Path, tmp_path: Path, artifact: str) -> None:
    place = model_directory(tmp_path / "3", {"w": "3"})
    one = candidate(place, 3).model_copy(update={"artifact": artifact})
    with pytest.raises((DeployRejected, DeployFailed)):
        promote_local(one, shelf)
    assert [version.name for version in versions(shelf)] == [FIRST, SECOND]
    shutil.rmtree(place)
