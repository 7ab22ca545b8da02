"""What a test of the core may not do is stopped, and noticed even where the refusal is caught."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core import BEYOND, CORE, HERE, NotCore, is_core, may_hold_core, nothing_of_the_outer_world


def opens_a_socket() -> None:
    socket.socket()


def starts_a_process() -> None:
    subprocess.run([sys.executable, "--version"], check=True)


def forks() -> None:
    os._exit(0) if os.fork() == 0 else None


def calls_a_shell() -> None:
    os.system("true")


def imports_prefect() -> None:
    import prefect.nonsense  # type: ignore[import-not-found]  # noqa: F401


@pytest.mark.parametrize("act", [opens_a_socket, starts_a_process, forks, calls_a_shell, imports_prefect])
def test_the_outer_world_is_out_of_bounds(act: Callable[[], None]) -> None:
    with pytest.raises(NotCore), nothing_of_the_outer_world():
        act()
    with pytest.raises(NotCore), nothing_of_the_outer_world(), contextlib.suppress(NotCore):
        act()


def test_files_memory_and_modules_of_ours_are_within_them(tmp_path: Path) -> None:
    with nothing_of_the_outer_world():
        (tmp_path / "file").write_text("here")
        import amt_flows.spec  # noqa: F401
    starts_a_process()


def test_a_file_is_of_the_core_by_where_it_is() -> None:
    assert all((HERE / one).exists() for one in (*CORE, *BEYOND))
    assert is_core(HERE / "rules/test_completion.py")
    assert is_core(HERE / "ledger/journals/test_memory_journal.py")
    assert not is_core(HERE / "ledger/journals/test_s3_journal.py")
    assert not is_core(HERE / "strategies/test_bayesian.py")
    assert not is_core(HERE / "flows/test_blocks.py")
    assert may_hold_core(HERE / "strategies")
    assert not may_hold_core(HERE / "flows")


def test_the_marker_chooses_them() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "core",
        "-n",
        "0",
        "--collect-only",
        "-q",
        str(HERE / "rules"),
    ]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("test_early_stopping.py::") > 20
