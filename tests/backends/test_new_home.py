"""Who else may read what tuning jobs are kept in: nobody, unless its owner made it otherwise."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import ok, write_spec


@pytest.fixture
def permissive() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("permissive")
def test_a_new_home_is_its_owners_and_an_existing_one_keeps_its_mode(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    new, team = tmp_path / "above" / "new", tmp_path / "team"
    team.mkdir()
    team.chmod(0o2775)
    for home in (new, team):
        ok("run", spec, "--home", home, "--quiet")
    assert mode(new) == 0o700
    assert mode(new.parent) == 0o755
    assert mode(team) == 0o2775
    # What lies in a team's home can be read by the team.
    assert all(mode(path) & 0o044 == 0o044 for path in (team / "demo" / "journal").glob("*.json"))


@pytest.mark.usefixtures("permissive")
def test_so_is_the_directory_of_training_jobs_whose_records_are_elsewhere(tmp_path: Path) -> None:
    from amt_flows.backends.local import LocalBackend
    from amt_flows.ledger.journals.memory import MemoryJournal
    from amt_flows.run import tune
    from amt_flows.spec import TuningSpec

    home = tmp_path / "jobs"
    tune(TuningSpec.load(write_spec(tmp_path)), LocalBackend(home), journal=MemoryJournal(), progress=False)
    assert mode(home) == 0o700
