"""What the tuner itself costs: N training jobs of a fixed length on W workers, against the ideal.

    python benchmarks/overhead.py
    python benchmarks/overhead.py --jobs 40 --length 0.5 --workers 2 --rounds 3
    python benchmarks/overhead.py --memory-jobs 500

Every job sleeps for ``--length`` seconds in a process that starts in a millisecond, so W workers need
N · L / W seconds if nobody makes them wait. *Busy* is the share of the workers' time in which they had a
training job, from its claim to the training's end; *of the ideal* is that ideal divided by the time from the
first launch to the last end, so that what a process takes to start and to end counts as lost too. The parts
of a wait, from a job's end to the start of the one that takes its slot, are in the record: until the
controller *noticed* the end, until it had *decided* (checks, a proposal, writing them down) and launched,
until the process *ran*.

Each tuning job is driven by a process of its own, in turns without and with Prefect, so that both see the
same noise of the machine; Prefect's API is a temporary server, or the one in ``PREFECT_API_URL``. What a
process needs to start and to say goodbye is the difference between its time and the tuning's. Read the
waits beside the last line, which says how slow the machine itself was.

With ``--memory-jobs`` a further tuning job of each mode runs that many very short jobs, and the controller's
memory after 50 of them is compared with that at the end. Some 3 KiB a job are the ledger itself.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from amt_flows.backends.places import open_journal
from amt_flows.events import Ended, Event, Launched
from amt_flows.ledger.ledger import Ledger
from amt_flows.run import tune as tune_without_prefect
from amt_flows.spec import TuningSpec
from benchmarks.busy import busy_share

PLAIN, PREFECT = "without Prefect", "with Prefect"
NAME = "overhead"
EARLY_JOBS = 50
SAMPLE_SECONDS = 0.05
PROBES = 10


# -- one tuning job, in a process of its own ------------------------------------------------------


def spec_of(jobs: int, length: float, workers: int) -> TuningSpec:
    # The number is ours, so there is nothing in the shell's script that a user could have put there.
    script = f"sleep {length:.3f}; echo score=1"
    return TuningSpec.parse(
        {
            "name": NAME,
            "objective": {"metric_name": "score", "type": "Maximize"},
            "continuous": [{"name": "x", "min_value": 0, "max_value": 1}],
            "strategy": "Random",
            "limits": {"max_number_of_training_jobs": jobs, "max_parallel_training_jobs": workers},
            "training_job": {
                "command": ["sh", "-c", script],
                "hyperparameters_as_arguments": False,
                "metric_definitions": [{"name": "score", "regex": "score=([0-9.]+)"}],
            },
        }
    )


class Memory(threading.Thread):
    """Samples this process's resident memory, in bytes, while it runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[tuple[float, int]] = []
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self.samples.append((time.time(), resident_bytes()))

    def stop(self) -> None:
        self._over.set()
        self.join()

    def at(self, moment: float) -> int:
        """The last sample not after ``moment``; 0 when there is none."""
        return next((size for when, size in reversed(self.samples) if when <= moment), 0)


def resident_bytes() -> int:
    """0 where the system doesn't tell."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def drive(mode: str, spec: TuningSpec, home: str) -> dict[str, Any]:
    """Run the tuning job in this process; what only this process can tell of it."""
    memory = Memory()
    memory.start()
    if mode == PREFECT:
        from amt_flows.flows import tune

        tune(spec, home=home)
    else:
        from amt_flows.backends.local import LocalBackend

        tune_without_prefect(spec, LocalBackend(home), journal=open_journal(NAME, home), progress=False)
    memory.stop()
    ends = sorted(event.at for event in events(home) if isinstance(event, Ended))
    early = ends[min(EARLY_JOBS, len(ends)) - 1]
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "rss_early": memory.at(early),
        "rss_end": memory.at(ends[-1]),
        "rss_peak": peak_bytes(),
        "controller_cpu": used.ru_utime + used.ru_stime,
    }


def events(home: str) -> list[Event]:
    return [event for entry in open_journal(NAME, home).read() for event in entry]


# -- measuring it ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """One tuning job. Times in seconds, memory in bytes."""

    mode: str
    jobs: int
    ideal: float
    makespan: float
    busy: float
    utilisation: float
    process: float
    job_length: float
    wait_median: float
    wait_p95: float
    noticed: float
    decided: float
    started: float
    controller_cpu: float
    rss_early: int
    rss_end: int
    rss_peak: int
    bare_start: float
    disk_write: float


def run_one(mode: str, jobs: int, length: float, workers: int, scratch: Path) -> Measured:
    """Drive one tuning job in a fresh process and read its record."""
    with tempfile.TemporaryDirectory(dir=scratch) as home:
        started = time.monotonic()
        told = _in_child(["--drive", mode, *_settings(jobs, length, workers), "--home", home], scratch)
        process = time.monotonic() - started
        told |= machine(Path(home)) | {"busy": busy_share(Path(home), NAME, workers)}
        return measured(mode, length, workers, process, events(home), told)


def machine(directory: Path) -> dict[str, float]:
    """How long two things take right now that are in every wait: starting a bare interpreter (a worker
    process is one), and bringing a small file to the disk (an entry in the journal is one)."""
    starts, writes = [], []
    for _ in range(PROBES):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
        starts.append(time.perf_counter() - began)
        began = time.perf_counter()
        with (directory / "probe").open("wb") as file:
            file.write(b"x" * 500)
            file.flush()
            os.fsync(file.fileno())
        writes.append(time.perf_counter() - began)
    return {"bare_start": median(starts), "disk_write": median(writes)}


def _settings(jobs: int, length: float, workers: int) -> list[str]:
    return ["--jobs", str(jobs), "--length", str(length), "--workers", str(workers)]


def _in_child(arguments: Sequence[str], scratch: Path) -> dict[str, Any]:
    # Its own Prefect home: a benchmark leaves no runs in the user's database.
    environment = {"PREFECT_HOME": str(scratch / "prefect"), "PREFECT_LOGGING_LEVEL": "WARNING", **os.environ}
    done = subprocess.run(
        [sys.executable, __file__, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"the tuning job failed:\n{done.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def measured(
    mode: str, length: float, workers: int, process: float, record: Sequence[Event], told: Mapping[str, Any]
) -> Measured:
    ledger = Ledger.replay([record])
    jobs = list(ledger.jobs.values())
    starts = sorted(job.started_at or 0.0 for job in jobs)
    ends = sorted(job.ended_at or 0.0 for job in jobs)
    makespan = ends[-1] - min(starts[0], *(job.launched_at for job in jobs))
    ideal = len(jobs) * length / workers
    waits = successors(starts, ends, workers)
    launched = sorted(event.at for event in record if isinstance(event, Launched))
    noticed = sorted(event.at for event in record if isinstance(event, Ended))
    return Measured(
        mode=mode,
        jobs=len(jobs),
        ideal=ideal,
        makespan=makespan,
        utilisation=ideal / makespan,
        process=process,
        job_length=statistics.mean((job.ended_at or 0.0) - (job.started_at or 0.0) for job in jobs),
        wait_median=median(waits),
        wait_p95=percentile(waits, 0.95),
        noticed=median([seen - end for seen, end in zip(noticed, ends, strict=True)]),
        decided=median(successors(launched, noticed, workers)),
        started=median([start - at for start, at in zip(starts, launched, strict=True)]),
        **told,
    )


def successors(starts: Sequence[float], ends: Sequence[float], workers: int) -> list[float]:
    """How long each freed slot stayed empty: the n-th end frees the slot of start n + ``workers``."""
    return [start - end for start, end in zip(starts[workers:], ends, strict=False)]


def median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


# -- the report -----------------------------------------------------------------------------------


def overhead_table(runs: Sequence[Measured]) -> Table:
    first = runs[0]
    table = Table(
        title=f"{first.jobs} training jobs, ideal {first.ideal:.2f} s; waits and their parts in ms",
        title_justify="left",
    )
    headings = ("", "busy", "of the ideal", "tuning", "process", "wait, median", "p95")
    parts = ("noticed", "decided", "ran", "controller CPU", "peak memory")
    for heading in (*headings, *parts):
        table.add_column(heading, justify="right" if heading else "left")
    for run in runs:
        table.add_row(
            run.mode,
            f"{run.busy:.1%}",
            f"{run.utilisation:.1%}",
            f"{run.makespan:.2f} s",
            f"{run.process:.2f} s",
            *(f"{1000 * wait:.0f}" for wait in (run.wait_median, run.wait_p95)),
            *(f"{1000 * part:.0f}" for part in (run.noticed, run.decided, run.started)),
            f"{run.controller_cpu:.2f} s",
            megabytes(run.rss_peak),
        )
    return table


def machine_line(runs: Sequence[Measured]) -> str:
    start, write = (1000 * median([getattr(r, part) for r in runs]) for part in ("bare_start", "disk_write"))
    return (
        f"The machine meanwhile: a bare interpreter starts in {start:.0f} ms, a small file is on the disk in "
        f"{write:.1f} ms; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    )


def memory_line(run: Measured) -> str:
    growth = run.rss_end - run.rss_early
    return (
        f"Memory {run.mode} over {run.jobs} very short jobs: {megabytes(run.rss_early)} after {EARLY_JOBS}, "
        f"{megabytes(run.rss_end)} at the end ({growth / 1024:+.0f} KiB), peak {megabytes(run.rss_peak)}; "
        f"{run.jobs / run.makespan:.1f} jobs a second."
    )


def megabytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def main() -> None:
    arguments = _parser().parse_args()
    if arguments.drive:
        spec = spec_of(arguments.jobs, arguments.length, arguments.workers)
        print(json.dumps(drive(arguments.drive, spec, arguments.home)))
        return
    modes = [mode for mode in (PLAIN, PREFECT) if not (arguments.no_prefect and mode == PREFECT)]
    size = (arguments.jobs, arguments.length, arguments.workers)
    memory: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="amt-flows-overhead-") as directory:
        scratch = Path(directory)
        runs = [run_one(mode, *size, scratch) for _ in range(arguments.rounds) for mode in modes]
        if arguments.memory_jobs:
            size = (arguments.memory_jobs, 0.0, arguments.workers)
            memory = [run_one(mode, *size, scratch) for mode in modes]
    if arguments.json:
        answer = {"runs": [asdict(run) for run in runs], "memory": [asdict(run) for run in memory]}
        print(json.dumps(answer, indent=2))
        return
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(overhead_table(runs))
    console.print(machine_line(runs), highlight=False)
    for run in memory:
        console.print(memory_line(run), highlight=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="What the tuner itself costs: jobs of a fixed length against the ideal.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--jobs", type=int, default=20, help="training jobs of each tuning job")
    add("--length", type=float, default=1.0, help="of a training job, in seconds")
    add("--workers", type=int, default=2, help="training jobs at once")
    add("--rounds", type=int, default=2, help="tuning jobs of each mode, in turns")
    add("--memory-jobs", type=int, default=0, help="very short jobs to watch the memory over; 0: none")
    add("--no-prefect", action="store_true", help="leave out the tuning jobs with Prefect")
    add("--json", action="store_true", help="print the figures as JSON")
    # For the processes that this one starts.
    add("--drive", choices=(PLAIN, PREFECT), help=argparse.SUPPRESS)
    add("--home", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
