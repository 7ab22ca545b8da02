"""A journal that somebody changed: whatever is in it, reading ends in a ledger or in an error of ours."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.errors import AmtFlowsError
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.results import result_of
from amt_flows.results.amt_shapes import describe, training_jobs
from amt_flows.show.report import report_markdown
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from commands import cli
from worlds import rising, spec

SPEC = spec(
    early_stopping={"type": "Auto", "min_jobs": 1, "grace_epochs": 0},
    limits={"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 5},
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The entries of a whole tuning job."""
    journal = DirectoryJournal(tmp_path_factory.mktemp("journal"))
    backend = SimulatedBackend(VirtualClock(), rising)
    drive(Tuning.open(SPEC, backend, journal, clock=backend.clock))
    return [path.read_bytes() for path in sorted(journal.directory.iterdir())]


def read(directory: Path, entries: list[bytes]) -> None:
    """Everything that is done with a journal by those who only look. Raises AmtFlowsError at most."""
    folder = directory / "demo" / "journal"
    folder.mkdir(parents=True, exist_ok=True)
    for index, entry in enumerate(entries):
        (folder / f"{index:08d}.json").write_bytes(entry)
    journal = DirectoryJournal(folder)
    ledger = Ledger.replay(journal.read())
    if ledger.opened:
        result = result_of(ledger, journal.location, ledger.last_at)
        report_markdown(ledger, result)
        describe(ledger, ledger.last_at)
        training_jobs(ledger)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in a JSON value."""
    found = [path] if path else []
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, item in items:
        found += places(item, (*path, key))
    return found


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "NaN", "Infinity", "../../etc/passwd", "x" * 300, "\0", "\ud800", "completed"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)

SETTINGS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SETTINGS
@given(data=st.data(), new=JSON)
def test_a_changed_value_does_no_harm(
    data: st.DataObject, new: Any, written: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    index = data.draw(st.integers(0, len(written) - 1))
    entry = json.loads(written[index])
    path = data.draw(st.sampled_from(places(entry)))
    parent = entry
    for step in path[:-1]:
        parent = parent[step]
    if data.draw(st.booleans()):
        parent[path[-1]] = new
    else:
        del parent[path[-1]]
    changed = [*written]
    changed[index] = json.dumps(entry).encode()
    with contextlib.suppress(AmtFlowsError):
        read(tmp_path_factory.mktemp("tampered"), changed)


@SETTINGS
@given(
    seed=st.integers(0, 2**32), index=st.integers(0, 10**6), damage=st.sampled_from(["cut", "flip", "insert"])
)
def test_changed_bytes_do_no_harm(
    seed: int, index: int, damage: str, written: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance, changed = random.Random(seed), [*written]
    at = index % len(changed)
    entry = bytearray(changed[at])
    place = chance.randrange(len(entry))
    if damage == "cut":
        del entry[place : place + chance.randrange(1, 200)]
    elif damage == "flip":
        entry[place] ^= 1 << chance.randrange(8)
    else:
        entry[place:place] = chance.randbytes(chance.randrange(1, 9))
    changed[at] = bytes(entry)
    with contextlib.suppress(AmtFlowsError):
        read(tmp_path_factory.mktemp("tampered"), changed)


@SETTINGS
@given(seed=st.integers(0, 2**32))
def test_entries_of_another_order_do_no_harm(
    seed: int, written: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    changed = [*written]
    random.Random(seed).shuffle(changed)
    with contextlib.suppress(AmtFlowsError):
        read(tmp_path_factory.mktemp("tampered"), changed)


def test_the_commands_say_which_file_it_is(written: list[bytes], tmp_path: Path) -> None:
    changed = [*written]
    changed[2] = b'{"v": 1, "events": "none"}'
    with pytest.raises(AmtFlowsError):
        read(tmp_path, changed)
    for command in (["status", "demo"], ["jobs", "demo"], ["stop", "demo"]):
        shown = cli(*command, "--home", tmp_path)
        assert shown.exit_code == 7, shown.output
        assert "00000002.json" in shown.output
