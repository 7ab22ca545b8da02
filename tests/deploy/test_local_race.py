"""Promotions into one directory beside each other: none fails, whatever the others are just doing."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from amt_flows.deploy import current_version, local, promote_local, versions
from amt_flows.deploy.local_artifact import copy_model
from amt_flows.deploy.local_layout import Shelf, sweep
from amt_flows.errors import DeployFailed
from deploy.candidates import candidate, model_directory

# A promoter that has just finished removes its scratch directory, entry by entry, and begins with that at the
# n-th call of the file system by another promoter, for every n. All of it in one process, so that each of the
# schedules is the same every time.
SCHEDULES = """
import os, shutil, sys
from pathlib import Path
from amt_flows.deploy import Candidate, promote_local

EVENTS = {"open", "os.rename", "os.mkdir", "os.symlink", "os.remove", "os.rmdir", "os.scandir", "fcntl.flock"}
root, candidate = Path(sys.argv[1]), Candidate.model_validate_json(sys.argv[2])

def child(place, n):
    others = place / "versions" / ".incoming-0123456789abcdef"
    left = [others / "model/deep/b", others / "model/deep", others / "model/a", others / "model", others]
    seen, removing = 0, False
    def hook(event, arguments):
        nonlocal seen, removing
        if event in EVENTS and not removing:
            seen += 1
            if seen >= n and left:
                removing = True
                entry = left.pop(0)
                try:
                    entry.rmdir() if entry.name in ("deep", "model", others.name) else entry.unlink()
                except FileNotFoundError:
                    pass
                removing = False
    sys.addaudithook(hook)
    promote_local(candidate, place, keep=1)
    removing = True
    assert not [e for e in os.listdir(place / "versions") if e.startswith(".")]
    return seen

n = 0
while True:
    n += 1
    place = root / f"{n:04d}"
    os.system(f"cp -a {root}/template {place}")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.write(writer, str(child(place, n)).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, f"schedule {n}"
    calls = int(os.read(reader, 20))
    os.close(reader)
    if calls < n:
        break
print(n)
"""


def test_a_promotion_goes_on_while_another_clears_up_after_itself(tmp_path: Path) -> None:
    template = tmp_path / "schedules" / "template"
    promote_local(candidate(model_directory(tmp_path / "1"), 1), template)
    model_directory(template / "versions/.incoming-0123456789abcdef/model", {"a": "1", "deep/b": "2"})
    one = candidate(model_directory(tmp_path / "2"), 2)
    done = subprocess.run(
        [sys.executable, "-c", SCHEDULES, str(template.parent), one.model_dump_json()],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30, "the calls were not counted"


PROMOTER = """
import sys
from amt_flows.deploy import Candidate, promote_local
candidate = Candidate.model_validate_json(sys.argv[2])
for turn in range(int(sys.argv[3])):
    job = f"demo-{turn:03d}-{sys.argv[4]}"
    promote_local(candidate.model_copy(update={"training_job": job}), sys.argv[1], keep=1)
"""


def test_processes_that_promote_in_turns_while_others_look_all_succeed(tmp_path: Path) -> None:
    shelf, source = tmp_path / "served", model_directory(tmp_path / "model", {str(n): "x" for n in range(30)})
    promote_local(candidate(source), shelf)
    arguments = [str(shelf), candidate(source).model_dump_json(), "5"]
    promoters = [
        subprocess.Popen(
            [sys.executable, "-c", PROMOTER, *arguments, f"{n:08x}"], stderr=subprocess.PIPE, text=True
        )
        for n in range(6)
    ]
    # What is looked at may be removed at any moment, since only one version is kept.
    looks = []
    while any(one.poll() is None for one in promoters):
        looks.append((current_version(shelf), versions(shelf)))
    said = [one.communicate()[1] for one in promoters]
    assert [one.returncode for one in promoters] == [0] * 6, said
    assert all(current is not None and there for current, there in looks)
    assert not list((shelf / "versions").glob(".*"))


def test_what_nobody_may_remove_is_left_and_fails_no_promotion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = tmp_path / "served"
    leftover = model_directory(shelf / "versions/.incoming-another-users")
    refuse = _refusing(leftover, monkeypatch)
    first = promote_local(candidate(model_directory(tmp_path / "1"), 1), shelf)
    promote_local(candidate(model_directory(tmp_path / "2"), 2), shelf, keep=1)
    refuse(shelf / "versions" / first.version)
    made = promote_local(candidate(model_directory(tmp_path / "3"), 3), shelf, keep=1)
    assert made.removed == ()
    assert leftover.exists()
    found = current_version(shelf)
    assert found is not None
    assert found.name == made.version


def _refusing(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Nothing can be renamed or removed below ``place``, and below what is given later: as if it were another
    user's, which can't be had where tests run as root."""
    refused = [place]
    real = {name: getattr(os, name) for name in ("unlink", "rmdir", "rename")}

    def stand_in(name: str) -> Callable[..., None]:
        def call(path: str | Path, *rest: object, dir_fd: int | None = None, **options: object) -> None:
            at = Path(f"/proc/self/fd/{dir_fd}").resolve() if dir_fd is not None else Path.cwd()
            if any((at / path).is_relative_to(one) for one in refused):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            real[name](path, *rest, **options, **({} if dir_fd is None else {"dir_fd": dir_fd}))

        return call

    for name in real:
        monkeypatch.setattr(os, name, stand_in(name))
    return refused.append


@pytest.mark.parametrize(
    ("number", "because"),
    [
        (errno.ENOSPC, "the disk is full, or can hold no more files"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EACCES, "its permissions don't allow it"),
        (errno.EROFS, "its file system is read-only"),
        (errno.EIO, ""),
    ],
)
def test_the_reason_of_a_failure_is_what_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, because: str
) -> None:
    def refuse(directory: Path) -> None:
        raise OSError(number, os.strerror(number), str(directory))

    monkeypatch.setattr(local, "flush_directory", refuse)
    with pytest.raises(DeployFailed, match="can't be written") as told:
        promote_local(candidate(model_directory(tmp_path / "model")), tmp_path / "served")
    assert os.strerror(number) in told.value.happened
    assert told.value.because == because


def test_a_model_that_vanishes_while_it_is_copied_is_what_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = model_directory(tmp_path / "model", {"a": "1", "b": "2"})
    real = os.open

    def vanish(path: str | Path, *rest: int, **options: int) -> int:
        if path == source / "b":
            (source / "b").unlink()
        return real(path, *rest, **options)

    monkeypatch.setattr(os, "open", vanish)
    with pytest.raises(
        DeployFailed, match=rf"The model {source} can't be read: No such file.*{source}/b"
    ) as told:
        promote_local(candidate(source), tmp_path / "served")
    assert told.value.because == "it was moved or removed"


def test_a_sweep_leaves_what_is_being_worked_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, arrived, go_on = Shelf(tmp_path / "served"), threading.Event(), threading.Event()
    source = model_directory(tmp_path / "model")

    def copy(place: Path, target: Path) -> str:
        arrived.set()
        assert go_on.wait(60)
        return copy_model(place, target)

    monkeypatch.setattr(local, "copy_model", copy)
    promoter = threading.Thread(target=promote_local, args=(candidate(source), shelf.directory))
    promoter.start()
    try:
        assert arrived.wait(60)
        (held,) = shelf.versions.glob(".incoming-*")
        sweep(shelf)
        assert held.exists()
    finally:
        go_on.set()
        promoter.join()
    assert len(versions(shelf.directory)) == 1
