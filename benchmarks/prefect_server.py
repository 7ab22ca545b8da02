"""A long tuning job in Prefect, on a server as it is installed: SQLite, nothing set.

    python benchmarks/prefect_server.py                        # 10,000 training jobs, some ten minutes
    python benchmarks/prefect_server.py --jobs 1000
    python benchmarks/prefect_server.py --chromium /usr/bin/chromium     # needs playwright

The flow ``tune`` drives simulated training jobs in real time, and a process without Prefect a tenth of them.
Told is how long a freed slot stayed empty in both; what the server has recorded of what the flow run said
that it shows; how large the artifacts are, and how long the server needs to answer for them and the graph;
and, with a browser, how long the pages of both of Prefect's UIs take until they have what they show.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from amt_flows.backends.places import open_journal
from amt_flows.backends.simulated import Script, SimulatedBackend
from amt_flows.ledger.record import load_ledger
from amt_flows.ports import JobState
from amt_flows.run import tune as tune_without_prefect
from amt_flows.spec import TuningSpec
from benchmarks.overhead import median, megabytes, percentile, successors

NAME: Final = "many"
EPOCHS: Final = 5
BASELINE: Final = 10
"""A process without Prefect runs a part of the training jobs."""
PAGE: Final = 200
PATIENCE_SECONDS: Final = 600.0
PAGE_SECONDS: Final = 120.0


class RealTime:
    """A clock that a simulated backend waits on for real."""

    def now(self) -> float:
        return time.time()

    def advance(self, seconds: float) -> None:
        time.sleep(seconds)


def spec_of(jobs: int, workers: int) -> TuningSpec:
    return TuningSpec.parse(
        {
            "name": NAME,
            "objective": {"metric_name": "accuracy"},
            "continuous": [
                {
                    "name": "learning_rate",
                    "min_value": 0.0001,
                    "max_value": 1.0,
                    "scaling_type": "Logarithmic",
                },
                {"name": "dropout", "min_value": 0.0, "max_value": 0.6},
            ],
            "integer": [{"name": "layers", "min_value": 1, "max_value": 8}],
            "strategy": "Random",
            "seed": 1,
            "early_stopping": {"type": "Auto"},
            "limits": {"max_parallel_training_jobs": workers, "max_number_of_training_jobs": jobs},
            "training_job": {"command": ["train"]},
        }
    )


def training(length: float) -> SimulatedBackend:
    """Each job has five epochs; one in a hundred fails."""

    def train(hyperparameters: Mapping[str, str]) -> Script:
        rate, dropout = float(hyperparameters["learning_rate"]), float(hyperparameters["dropout"])
        quality = 1.0 - abs(rate - 0.1) / 2 - dropout / 4
        values = [quality * (1 - 0.5**epoch) for epoch in range(1, EPOCHS + 1)]
        if dropout > 0.594:
            return Script(values[:2], length / EPOCHS, end=JobState.FAILED, failure="loss is nan")
        return Script(values, length / EPOCHS)

    return SimulatedBackend(RealTime(), train)  # type: ignore[arg-type]


# -- one tuning job, in a process of its own ------------------------------------------------------


def drive(spec: TuningSpec, length: float, home: str, *, prefect: bool) -> dict[str, Any]:
    """Run the tuning job in this process. How long freed slots stayed empty, in seconds; its CPU, in seconds;
    its memory, in bytes; and with Prefect how many task runs it says that it shows."""
    shown = 0
    if prefect:
        shown = _in_a_flow_run(spec, length, home)
    else:
        tune_without_prefect(spec, training(length), journal=open_journal(NAME, home), progress=False)
    jobs = load_ledger(open_journal(NAME, home), NAME).jobs.values()
    starts = sorted(job.started_at or 0.0 for job in jobs)
    ends = sorted(job.ended_at or 0.0 for job in jobs)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "waits": successors(starts, ends, spec.limits.max_parallel_training_jobs),
        "seconds": ends[-1] - starts[0],
        "cpu": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss * 1024,
        "shown": shown,
    }


def _in_a_flow_run(spec: TuningSpec, length: float, home: str) -> int:
    from amt_flows.flows import tune
    from amt_flows.flows.tuning.budget import TaskRunBudget

    budget = TaskRunBudget()
    with (
        mock.patch("amt_flows.flows.tuning.tune.backend_for", return_value=training(length)),
        mock.patch("amt_flows.flows.tuning.run_tuning.TaskRunBudget", return_value=budget),
    ):
        tune(spec, home=home)
    return budget.started


def in_a_process(arguments: argparse.Namespace, jobs: int, home: str, *, prefect: bool) -> dict[str, Any]:
    settings = {"jobs": jobs, "length": arguments.length, "workers": arguments.workers, "home": home}
    command = [sys.executable, __file__, "--drive", "prefect" if prefect else "alone"]
    for name, value in settings.items():
        command += [f"--{name}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the tuning job failed:\n{done.stderr[-4000:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


# -- the server -----------------------------------------------------------------------------------


class Server:
    """Prefect's, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self.directory = directory
        self.address = f"http://127.0.0.1:{port}"
        self.environment = {
            "PREFECT_HOME": str(directory),
            "PREFECT_API_URL": f"{self.address}/api",
            "PREFECT_UI_API_URL": f"{self.address}/api",
            "PREFECT_SERVER_API_PORT": port,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "WARNING",
        }

    @contextmanager
    def running(self) -> Iterator[None]:
        os.environ.update(self.environment)
        command = [str(Path(sys.executable).parent / "prefect"), "server", "start"]
        with (self.directory / "server.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            until(lambda: self.answers("/health"))
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)

    def answers(self, path: str) -> bool:
        try:
            self.ask(path)
        except OSError:
            return False
        return True

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return json.loads(self.raw(path, body))

    def raw(self, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.address}/api{path}", data, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return bytes(answer.read())

    def task_runs(self, run: str) -> Counter[str]:
        """How many task runs of a flow run are recorded, by the type of their state."""
        found: Counter[str] = Counter()
        while found.total() % PAGE == 0:
            asked = {"flow_runs": {"id": {"any_": [run]}}, "limit": PAGE, "offset": found.total()}
            page = self.ask("/task_runs/filter", asked)
            if not page:
                break
            found.update(one["state_type"] for one in page)
        return found

    @property
    def database(self) -> int:
        """Bytes."""
        return sum(file.stat().st_size for file in self.directory.glob("prefect.db*"))


def until(holds: Callable[[], bool]) -> bool:
    """Wait until it holds, or patience is over."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not (held := holds()) and time.monotonic() < give_up_at:
        time.sleep(1)
    return held


def timed(ask: Callable[[], bytes]) -> str:
    began = time.perf_counter()
    size = len(ask())
    return f"{time.perf_counter() - began:.2f} s, {size / 1000:,.0f} KB"


# -- the report -----------------------------------------------------------------------------------


def waits_line(title: str, told: Mapping[str, Any]) -> str:
    waits = told["waits"]
    figures = ", ".join(
        f"{name} {1000 * value:.0f}"
        for name, value in (
            ("median", median(waits)),
            ("99 %", percentile(waits, 0.99)),
            ("longest", max(waits, default=0.0)),
        )
    )
    return (
        f"{title}: {len(waits):,} freed slots stayed empty for {figures} ms; {told['cpu']:.0f} s of CPU in "
        f"{told['seconds']:.0f} s, memory {megabytes(told['memory'])}"
    )


def tell_of_server(server: Server, shown: int) -> str:
    """What it has of the flow run; the id of the run."""
    (run,) = server.ask("/flow_runs/filter", {"flow_runs": {"name": {"any_": [NAME]}}})
    identity = str(run["id"])
    began = time.monotonic()
    until(lambda: server.task_runs(identity).total() >= shown)
    recorded = server.task_runs(identity)
    states = ", ".join(f"{amount:,} {state}" for state, amount in recorded.most_common())
    print(
        f"Task runs: {shown:,} shown, {recorded.total():,} recorded {time.monotonic() - began:.0f} s after "
        f"the end ({states}); the database has {megabytes(server.database)}"
    )
    print(f"Graph of the run: {timed(lambda: server.raw(f'/flow_runs/{identity}/graph-v2'))}")
    asked = {"sort": "KEY_ASC", "flow_runs": {"id": {"any_": [identity]}}}
    print(f"List of its artifacts: {timed(lambda: server.raw('/artifacts/filter', asked))}")
    for artifact in server.ask("/artifacts/filter", asked):
        if artifact["key"]:
            size = len(json.dumps(artifact["data"]))
            print(f"  {artifact['key']} ({artifact['type']}): {size / 1000:,.0f} KB")
    return identity


def tell_of_pages(server: Server, run: str, chromium: str) -> None:
    """How long pages take until they have what they show, in both UIs."""
    playwright: Any = import_module("playwright.sync_api")

    def artifact(kind: str) -> str:
        asked = {"artifacts": {"key": {"any_": [f"amt-{kind}-{NAME}"]}}}
        return f"/artifacts/artifact/{server.ask('/artifacts/filter', asked)[0]['id']}"

    pages = (
        ("flow run", f"/runs/flow-run/{run}", "canvas"),
        ("artifacts", "/artifacts", f"text=amt-leaderboard-{NAME}"),
        *((kind, artifact(kind), f"text={text}") for kind, text in CONTENTS.items()),
    )
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for ui in ("/v2", ""):
            for title, path, sign in pages:
                page = browser.new_page(viewport={"width": 1400, "height": 1000})
                page.route("**/*", lambda route: here(route, server.address))
                began = time.perf_counter()
                page.goto(f"{server.address}{ui}{path}")
                with suppress(playwright.TimeoutError):
                    page.locator(sign).first.wait_for(timeout=PAGE_SECONDS * 1000)
                took = time.perf_counter() - began
                shown = f"{took:.1f} s" if took < PAGE_SECONDS else f"not within {PAGE_SECONDS:.0f} s"
                print(f"Page {ui or '/v1'} {title}: {shown}", flush=True)
                page.close()
        browser.close()


CONTENTS: Final = {"leaderboard": "learning_rate", "report": "Best training job", "result": NAME}


def here(route: Any, address: str) -> None:
    """Nothing from elsewhere is loaded."""
    if route.request.url.startswith((address, "data:", "blob:")):
        route.continue_()
    else:
        route.abort()


def main() -> None:
    arguments = _parser().parse_args()
    if arguments.drive:
        spec = spec_of(arguments.jobs, arguments.workers)
        told = drive(spec, arguments.length, arguments.home, prefect=arguments.drive == "prefect")
        print(json.dumps(told))
        return
    with tempfile.TemporaryDirectory(prefix="amt-flows-server-") as scratch:
        alone = in_a_process(arguments, arguments.jobs // BASELINE, f"{scratch}/alone", prefect=False)
        print(waits_line("Without Prefect", alone), flush=True)
        directory = Path(scratch) / "prefect"
        directory.mkdir()
        server = Server(directory)
        with server.running():
            told = in_a_process(arguments, arguments.jobs, f"{scratch}/home", prefect=True)
            print(waits_line("With Prefect", told), flush=True)
            run = tell_of_server(server, told["shown"])
            if arguments.chromium:
                tell_of_pages(server, run, arguments.chromium)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="A long tuning job in Prefect, on a server as it is installed.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--jobs", type=int, default=10_000, help="training jobs")
    add("--length", type=float, default=1.0, help="of a training job, in seconds")
    add("--workers", type=int, default=20, help="training jobs at once")
    add("--chromium", help="a Chromium to open pages with")
    # For the processes that this one starts.
    add("--drive", choices=("prefect", "alone"), help=argparse.SUPPRESS)
    add("--home", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
