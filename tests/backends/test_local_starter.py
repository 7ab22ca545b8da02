"""Workers that are forked rather than started as programs: nobody can tell the difference but by a clock."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from amt_flows.backends.local import process as local_process
from amt_flows.backends.local.process import workers_below
from amt_flows.backends.local.starter import surroundings
from amt_flows.backends.local_worker.processes import parent_of, process_state
from amt_flows.ports import JobState
from backends.conftest import until

if TYPE_CHECKING:
    from backends.conftest import Site

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there are workers forked")

SHOW = (
    "import json, os; print('world', json.dumps({'session': os.getsid(0) == os.getpid(), 'colour': "
    "os.environ.get('COLOUR'), 'fds': len(os.listdir('/proc/self/fd'))})); print('amt-report acc=0.5;')"
)


def until_forked(site: Site) -> int:
    """Run jobs until the next worker will be forked: the number of its trial."""
    number = 0
    while not _forks():
        number += 1
        site.run(site.sh("true"), trial=number)
    return number + 1


def _forks() -> bool:
    starter = local_process._starters._starter
    if starter is None or starter.surroundings != surroundings():
        return False
    until(starter.is_ready, 60)
    return True


def guard_of(site: Site, name: str) -> int:
    claim = site.directory(name) / "claim"
    until(claim.exists)
    return int(json.loads(claim.read_text())["guard"])


def test_a_forked_worker_is_as_one_that_was_started(site: Site) -> None:
    trials = until_forked(site)
    name = site.launch(site.sh("echo ready; exec sleep 600"), trials)
    site.until_printed(name, "ready")
    guard = guard_of(site, name)
    starter = parent_of(guard)
    assert starter != os.getpid(), "it was forked"
    place = site.directory(name)
    assert sorted(workers_below(place.parent)[place])[0] == guard, "and is found by its command line"
    os.kill(starter, signal.SIGKILL)
    until(lambda: (state := process_state(starter)) is None or state[0] == "Z")
    assert site.report(name).state is JobState.RUNNING, "the starter has no part in it"
    after = site.run(site.sh("echo 'amt-report acc=0.5;'"), trial=trials + 1)
    assert after.state is JobState.COMPLETED, "and is not missed"
    site.stop(name, kill=True)
    assert site.end(name).state is JobState.STOPPED


def test_what_a_training_sees_is_of_now_and_not_of_the_starters_start(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = until_forked(site)

    def world(trial: int) -> dict[str, object]:
        report = site.run(site.template(sys.executable, "-c", SHOW), trial=trial)
        text = (site.directory(report.name) / "output.log").read_text()
        found: dict[str, object] = json.loads(text.partition("world ")[2].splitlines()[0])
        return found

    forked = world(trials)
    monkeypatch.setenv("COLOUR", "red")
    started = world(trials + 1)
    assert (forked.pop("colour"), started.pop("colour")) == (None, "red")
    assert forked == started == {"session": True, "fds": 4}


def test_no_forked_guard_is_left_as_a_zombie(site: Site) -> None:
    trials = until_forked(site)
    name = site.launch(site.sh("true"), trials)
    guard = guard_of(site, name)
    site.end(name)
    until(lambda: not Path(f"/proc/{guard}").exists(), 30)
