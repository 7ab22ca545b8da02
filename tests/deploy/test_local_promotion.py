"""Promotion into a directory of versions: what is there afterwards, and what is refused."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from amt_flows.deploy import current_version, local_champion, promote_local, roll_back_local, versions
from amt_flows.errors import DeployFailed, DeployRejected, NameTaken
from deploy.candidates import candidate, model_directory


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "served"


def promoted(tmp_path: Path, shelf: Path, *jobs: int, keep: int = 10) -> list[str]:
    """Promote models of these training jobs, one after another."""
    found = []
    for job in jobs:
        place = tmp_path / "models" / str(job)
        if not place.exists():
            model_directory(place, {"weights.bin": str(job)})
        found.append(promote_local(candidate(place, job), shelf, keep=keep).version)
    return found


def test_a_promoted_model_is_served_with_where_it_came_from(tmp_path: Path, shelf: Path) -> None:
    source = model_directory(tmp_path / "model", {"model.json": "{}", "deep/weights.bin": "1 2 3"})
    (source / "run.sh").write_text("echo hello")
    (source / "run.sh").chmod(0o755)
    (source / "latest").symlink_to("deep/weights.bin")
    one = candidate(source.as_uri())
    made = promote_local(one, shelf, by="anna")
    assert made.version == "0001-demo-001-0a1b2c3d"
    assert (made.previous, made.created, made.removed) == (None, True, ())
    model = shelf / "current" / "model"
    assert str((shelf / "current").readlink()) == f"versions/{made.version}"
    assert Path(made.path).samefile(model)
    # The model's own model.json and ours don't meet.
    assert (model / "model.json").read_text() == "{}"
    assert (model / "latest").read_text() == (model / "deep/weights.bin").read_text() == "1 2 3"
    assert str((model / "latest").readlink()) == "deep/weights.bin"
    assert os.access(model / "run.sh", os.X_OK)
    assert not os.access(model / "deep/weights.bin", os.X_OK)
    told = current_version(shelf)
    assert told is not None
    assert (told.promoted_by, told.replaced, told.number) == ("anna", None, 1)
    assert told.candidate.hyperparameters == one.hyperparameters
    assert (told.candidate.tuning_job, told.candidate.journal) == ("demo", "file:///journal")
    found = local_champion(shelf)
    assert found is not None
    assert (found.name, found.objective_value) == (made.version, 0.9)


def test_promoting_again_changes_nothing(tmp_path: Path, shelf: Path) -> None:
    source = model_directory(tmp_path / "model")
    first = promote_local(candidate(source), shelf)
    before = sorted(path.stat().st_mtime_ns for path in shelf.rglob("*"))
    again = promote_local(candidate(source), shelf)
    assert (again.version, again.previous, again.created) == (first.version, None, False)
    assert [one.name for one in versions(shelf)] == [first.version]
    # But for the directories in which the copy was made and removed.
    after = sorted(path.stat().st_mtime_ns for path in shelf.rglob("*"))
    assert len(set(after) - set(before)) <= 1


def test_an_old_version_becomes_current_again_without_a_copy(tmp_path: Path, shelf: Path) -> None:
    one, two = promoted(tmp_path, shelf, 1, 2)
    assert promoted(tmp_path, shelf, 1) == [one]
    assert [v.name for v in versions(shelf)] == [one, two]
    current = current_version(shelf)
    assert current is not None
    assert current.name == one


def test_the_same_job_with_another_model_is_another_model(tmp_path: Path, shelf: Path) -> None:
    source = model_directory(tmp_path / "model")
    promote_local(candidate(source), shelf)
    (source / "weights.bin").write_text("other")
    with pytest.raises(NameTaken, match="with other files"):
        promote_local(candidate(source), shelf)
    (source / "weights.bin").write_text("1 2 3")
    with pytest.raises(NameTaken, match="with another spec"):
        promote_local(candidate(source, fingerprint="e" * 64), shelf)
    assert len(versions(shelf)) == 1
    assert not list((shelf / "versions").glob(".*"))


def test_rolling_back_leads_to_what_was_replaced(tmp_path: Path, shelf: Path) -> None:
    one, two, three = promoted(tmp_path, shelf, 1, 2, 3)
    assert roll_back_local(shelf).version == two
    # The next promotion takes over from the second: the third, which was bad, is never rolled back to.
    (four,) = promoted(tmp_path, shelf, 4)
    back = roll_back_local(shelf)
    assert (back.version, back.previous) == (two, four)
    assert roll_back_local(shelf).version == one
    with pytest.raises(DeployRejected, match=f"took over from none; there are {one}, {two}, {three}, {four}"):
        roll_back_local(shelf)
    assert roll_back_local(shelf, three).version == three
    assert (shelf / "current/model/weights.bin").read_text() == "3"


@pytest.mark.parametrize("to", ["9999-nothing", "../../etc", "current"])
def test_rolling_back_to_nothing_is_refused(tmp_path: Path, shelf: Path, to: str) -> None:
    (one,) = promoted(tmp_path, shelf, 1)
    with pytest.raises(DeployRejected, match="is no version in"):
        roll_back_local(shelf, to)
    assert str((shelf / "current").readlink()) == f"versions/{one}"
    with pytest.raises(DeployRejected, match="took over from none; there is none"):
        roll_back_local(tmp_path / "elsewhere")


def test_old_versions_go_but_never_the_current_one_nor_its_way_back(tmp_path: Path, shelf: Path) -> None:
    one, two, three, four = promoted(tmp_path, shelf, 1, 2, 3, 4)
    roll_back_local(shelf, two)
    made = promote_local(candidate(tmp_path / "models/2", 2), shelf, keep=1)
    assert made.removed == (three,)
    assert [v.name for v in versions(shelf)] == [one, two, four]
    assert (shelf / "current/model/weights.bin").read_text() == "2"
    # A number is not given again, so that a name never means two models.
    assert promoted(tmp_path, shelf, 5) == ["0005-demo-005-0a1b2c3d"]


@pytest.mark.parametrize("content", ["file", "directory", "foreign link"])
def test_a_directory_that_is_used_otherwise_is_left_alone(tmp_path: Path, shelf: Path, content: str) -> None:
    shelf.mkdir()
    current = shelf / "current"
    if content == "file":
        current.write_text("precious")
    elif content == "directory":
        model_directory(current)
    else:
        current.symlink_to("/etc")
    with pytest.raises(DeployFailed, match=r"no link|no version of this directory"):
        promote_local(candidate(model_directory(tmp_path / "model")), shelf)
    assert content != "file" or current.read_text() == "precious"
    assert content != "foreign link" or str((current).readlink()) == "/etc"
    assert not list((shelf / "versions").iterdir())


def test_bad_requests_create_nothing(tmp_path: Path, shelf: Path) -> None:
    source = model_directory(tmp_path / "model")
    with pytest.raises(DeployRejected, match="keep: must be at least 1"):
        promote_local(candidate(source), shelf, keep=0)
    with pytest.raises(DeployRejected, match="training_job: is not the name"):
        promote_local(candidate(source, training_job="../../x"), shelf)
    assert not shelf.exists()


def test_a_directory_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "served").write_text("a file")
    with pytest.raises(DeployFailed, match="can't be written") as told:
        promote_local(candidate(model_directory(tmp_path / "model")), tmp_path / "served")
    assert "then do the same again" in told.value.remedy


def test_promoters_at_the_same_time_each_get_a_version(tmp_path: Path, shelf: Path) -> None:
    places = {job: model_directory(tmp_path / str(job), {"w": str(job)}) for job in range(1, 7)}
    errors: list[BaseException] = []

    def promote(job: int) -> None:
        try:
            promote_local(candidate(places[job], job), shelf)
        except BaseException as error:  # the thread would swallow it
            errors.append(error)

    # Each job twice: the second time it attaches to the first, whichever comes first.
    threads = [threading.Thread(target=promote, args=(job,)) for job in [*places, *places]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found = versions(shelf)
    assert [v.number for v in found] == [1, 2, 3, 4, 5, 6]
    assert {v.candidate.training_job for v in found} == {f"demo-{job:03d}-0a1b2c3d" for job in places}
    assert current_version(shelf) in found
    assert not list((shelf / "versions").glob(".*"))
