"""Notebooks run in a real kernel, as Jupyter runs them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

import programs

PATIENCE_SECONDS = 240


def environment(home: Path) -> dict[str, str]:
    return programs.environment(home, {"IPYTHONDIR": str(home.parent / "ipython")})


def executed(notebook: Any, directory: Path, home: Path) -> Any:
    """The notebook with the outputs of all its cells. Raises CellExecutionError."""
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=PATIENCE_SECONDS,
        resources={"metadata": {"path": str(directory)}},
    )
    client.execute(env=environment(home))
    return notebook


def of_cells(*sources: str) -> Any:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def outputs(cell: Any) -> list[Any]:
    return list(cell.get("outputs", ()))


class Kernel:
    """A kernel that runs one cell after another, and tells its messages."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager, self.client = manager, client

    def start(self, source: str) -> str:
        return str(self.client.execute(source))

    def messages(self, request: str) -> Iterator[tuple[str, Any]]:
        """The type and content of each message that a cell causes, until it is done."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            message = self.client.get_iopub_msg(timeout=PATIENCE_SECONDS)
            if message["parent_header"].get("msg_id") == request:
                kind, content = message["msg_type"], message["content"]
                yield kind, content
                if kind == "status" and content["execution_state"] == "idle":
                    return
        raise TimeoutError(f"the cell was not done after {PATIENCE_SECONDS} s")


@contextmanager
def kernel(directory: Path, home: Path) -> Iterator[Kernel]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=environment(home), cwd=str(directory))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE_SECONDS)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
