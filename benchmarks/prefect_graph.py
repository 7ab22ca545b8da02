"""How long Prefect's UIs take to draw the graph of a flow run, by the number of its task runs.

    python benchmarks/prefect_graph.py --chromium /usr/bin/chromium      # needs playwright and Pillow
    python benchmarks/prefect_graph.py --chromium /usr/bin/chromium --task-runs 1500 --patience 300

The task runs are written into the database of a server of its own, each two of them a launch of .05 s and a
training job of a second, six a second. Told is when the graph is there with nothing in it, and when there
are bars in it.
"""

from __future__ import annotations

import argparse
import io
import sqlite3
import sys
import tempfile
import time
import uuid
from contextlib import closing, suppress
from datetime import datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.prefect_server import Server, here

A_SECOND: Final = 6.0
ENOUGH: Final = 200
"""So many pixels in the colour of what has completed are bars."""
NAME: Final = "learning_rate=0.0231 batch_size=32 layers=7"
DONE: Final = {"type": "COMPLETED", "name": "Completed"}
UIS: Final = {"/v2": "new UI", "": "older UI"}


def flow_run(server: Server, task_runs: int) -> str:
    """The id of a flow run that has completed, with so many task runs."""
    flow = server.ask("/flows/", {"name": "graph"})["id"]
    run = str(server.ask("/flow_runs/", {"flow_id": flow, "name": f"of {task_runs}", "state": DONE})["id"])
    asked = {
        "flow_run_id": run,
        "task_key": "train",
        "dynamic_key": "0",
        "name": f"0000 {NAME}",
        "state": DONE,
    }
    one = server.ask("/task_runs/", asked)["id"]
    began = datetime.now(timezone.utc) - timedelta(hours=2)

    def at(seconds: float) -> str:
        return (began + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")

    with closing(sqlite3.connect(server.directory / "prefect.db", timeout=60)) as database, database:
        database.row_factory = sqlite3.Row
        row = dict(database.execute("select * from task_run where id = ?", (one,)).fetchone())
        written = f"insert into task_run ({','.join(row)}) values ({','.join('?' * len(row))})"
        for number in range(1, task_runs):
            start, is_job = number / A_SECOND, number % 2
            row |= {
                "id": str(uuid.uuid4()),
                "state_id": None,
                "dynamic_key": str(number),
                "name": f"{number:04d} {NAME}" if is_job else f"launch-{number:04d}",
                "start_time": at(start),
                "end_time": at(start + (1.0 if is_job else 0.05)),
                "expected_start_time": at(start),
            }
            database.execute(written, tuple(row.values()))
        ends = (at(0), at(1), one)
        database.execute("update task_run set start_time = ?, end_time = ? where id = ?", ends)
        ends = (at(0), at(task_runs / A_SECOND + 2), run)
        database.execute("update flow_run set start_time = ?, end_time = ? where id = ?", ends)
    return run


def drawn(browser: Any, server: Server, address: str, patience: float) -> tuple[float | None, float | None]:
    """After how many seconds the graph is there, and has bars; None for what isn't within ``patience``."""
    timed_out = import_module("playwright.sync_api").TimeoutError
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(1000 * patience)
    page.route("**/*", lambda route: here(route, server.address))
    there = full = None
    began = time.perf_counter()
    with suppress(timed_out):
        page.goto(address, wait_until="commit")
        canvas = page.locator("canvas").first
        canvas.wait_for()
        there = time.perf_counter() - began
        while full is None and time.perf_counter() - began < patience:
            full = time.perf_counter() - began if has_bars(canvas.screenshot()) else None
            time.sleep(0.5)
    page.close()
    return there, full


def has_bars(png: bytes) -> bool:
    image: Any = import_module("PIL.Image").open(io.BytesIO(png)).convert("RGB")
    colours: list[tuple[int, tuple[int, int, int]]] = image.getcolors(image.width * image.height)
    return sum(amount for amount, (r, g, b) in colours if g > r + 30 and g > b + 10) > ENOUGH


def main() -> None:
    parser = argparse.ArgumentParser(
        description="How long Prefect's UIs draw.", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    amounts = [500, 1000, 1500, 2000, 3000]
    parser.add_argument("--task-runs", type=int, nargs="+", default=amounts, help="of a flow run")
    parser.add_argument("--patience", type=float, default=120.0, help="in seconds, with one page")
    parser.add_argument("--chromium", required=True, help="a Chromium to open pages with")
    asked = parser.parse_args()
    playwright: Any = import_module("playwright.sync_api")
    with tempfile.TemporaryDirectory(prefix="amt-flows-graph-") as scratch:
        server = Server(Path(scratch))
        with server.running(), playwright.sync_playwright() as running:
            browser = running.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox"])
            for amount in asked.task_runs:
                run = flow_run(server, amount)
                for prefix, ui in UIS.items():
                    address = f"{server.address}{prefix}/runs/flow-run/{run}"
                    there, full = drawn(browser, server, address, asked.patience)
                    print(
                        f"{amount:,} task runs, {ui}: {_told(there)} there, {_told(full)} drawn", flush=True
                    )
            browser.close()


def _told(seconds: float | None) -> str:
    return "not" if seconds is None else f"{seconds:.1f} s"


if __name__ == "__main__":
    main()
