"""kill -9 at every step of a promotion: the old version is current, or the new one, and none is half there.

A child process promotes and kills itself, by SIGKILL, at its n-th call of the file system, for every n.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from amt_flows.deploy import current_version, promote_local, roll_back_local, versions
from amt_flows.errors import DeployRejected
from deploy.candidates import candidate, model_directory

# Runs in one process without threads, which forks a child for each n: an interpreter each would take minutes.
SWEEP = """
import json, os, signal, sys
from pathlib import Path
from amt_flows.deploy import Candidate, promote_local, roll_back_local

EVENTS = {"open", "os.rename", "os.mkdir", "os.symlink", "os.remove", "os.rmdir", "os.scandir", "fcntl.flock",
          "shutil.copyfileobj", "os.listdir", "os.link"}
root, what = Path(sys.argv[1]), sys.argv[2]
candidate = Candidate.model_validate_json(sys.argv[3])

def child(place, n):
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        if event in EVENTS:
            seen += 1
            if seen == n:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    if what == "promote":
        promote_local(candidate, place, keep=2)
    else:
        roll_back_local(place)
    os._exit(0)

n = 0
while True:
    n += 1
    place = root / f"{n:04d}"
    os.system(f"cp -a {root}/template {place}")
    pid = os.fork()
    if pid == 0:
        try:
            child(place, n)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == 0:
        break
    assert status == -signal.SIGKILL, status
print(n)
"""


def killed_at_every_step(template: Path, what: str, one: Any) -> list[Path]:
    """A directory for each step at which the child was killed, and at last one in which it wasn't."""
    root = template.parent
    done = subprocess.run(
        [sys.executable, "-c", SWEEP, str(root), what, one.model_dump_json()],
        capture_output=True,
        text=True,
        check=True,
    )
    return [root / f"{n:04d}" for n in range(1, int(done.stdout) + 1)]


def seen(place: Path) -> tuple[str, str, list[str]]:
    """What a reader finds: the current version, its weights, all versions. Fails if one is not whole."""
    names = sorted(e.name for e in (place / "versions").iterdir() if not e.name.startswith("."))
    assert names == [v.name for v in versions(place)]
    for name in names:
        weights = (place / "versions" / name / "model/weights.bin").read_text()
        assert len(weights) == 100, "half a version is visible"
    current = (place / "current").readlink().name
    return current, (place / "current/model/weights.bin").read_text()[:1], names


@pytest.fixture
def template(tmp_path: Path) -> Path:
    place = tmp_path / "sweep" / "template"
    for job in (1, 2):
        source = model_directory(tmp_path / f"model-{job}", {"weights.bin": str(job) * 100})
        promote_local(candidate(source, job), place)
    return place


def test_a_killed_promotion_leaves_the_old_version_or_the_new_one(tmp_path: Path, template: Path) -> None:
    one, two, three = (f"{n:04d}-demo-{n:03d}-0a1b2c3d" for n in (1, 2, 3))
    new = candidate(model_directory(tmp_path / "model-3", {"weights.bin": "3" * 100, "a/b": "c"}), 3)
    places = killed_at_every_step(template, "promote", new)
    assert len(places) > 30, "the steps were not counted"
    found = [seen(place) for place in places]
    before, after = (two, "2", [one, two]), (three, "3", [two, three])
    assert found[0] == before
    assert found[-1] == after
    # In this order, and nothing else: prepared, visible, current, the oldest removed.
    steps = list(dict.fromkeys(json.dumps(each) for each in found))
    allowed = [before, (two, "2", [one, two, three]), (three, "3", [one, two, three]), after]
    assert [json.loads(step) for step in steps] == [[a, b, c] for a, b, c in allowed]
    # Whoever does it again finishes what was begun, makes no second version, and clears up.
    for place in places:
        promote_local(new, place, keep=2)
        assert seen(place) == after
        assert not [e for e in (place / "versions").iterdir() if e.name.startswith(".")]
        assert not [*place.glob(".current-*"), *place.glob(".succession-*")]
        assert roll_back_local(place).version == two


def test_a_killed_roll_back_leaves_one_version_or_the_other(template: Path) -> None:
    places = killed_at_every_step(template, "roll back", candidate())
    currents = [seen(place)[1] for place in places]
    assert (currents[0], currents[-1]) == ("2", "1")
    assert currents == sorted(currents, reverse=True)
    for place, current in zip(places, currents, strict=True):
        assert current_version(place) is not None
        # One that was not done yet is done; one that was leaves nothing further back.
        if current == "2":
            assert roll_back_local(place).version.startswith("0001-")
        with pytest.raises(DeployRejected, match="took over from none"):
            roll_back_local(place)
