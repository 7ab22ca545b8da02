"""Tuners side by side on this machine, in one run: utilisation, overhead and CPU a training job, memory, and
the time to 50 and 1,000 training jobs.

    python benchmarks/peers --install DIR        # each peer into an environment of its own below DIR, by pip
    python benchmarks/peers --peers DIR          # all that are installed there, beside ours
    python benchmarks/peers --peers DIR --only ours,optuna --rounds 3 --workers 4 --length 1

Every training job is the same: it sleeps ``--length`` seconds and reports a value; configurations are random.
Each tuner runs a function or a script as its own documentation has it for work on one machine:

- *ours*: a command per training job, a process each, with a journal on the disk;
- *ours, Bayesian*: the same with model-based proposals;
- *Optuna*: ``study.optimize(n_jobs=W)``, threads of one process, everything in memory: the ideal, of which a
  crashing job takes all others with it;
- *Optuna, processes*: W processes on one study in a journal file, its documented way to several processes;
- *Syne Tune*: the local backend, a process per trial, asked every 0.1 s (its default of 5 s is told apart);
- *Ray Tune*: a function trainable, an actor process per trial;
- *ours, on Ray*: the same cluster through its jobs API, a Ray job (a supervisor and a process of its own) per
  training job, and no package of ours on its machines.

A run is a process of its own. *Utilisation* is jobs x length / (workers x time from the first job's start to
the last one's end), as the jobs themselves note them, so that all but the sleep itself is lost, the start and
the end of a process too; *overhead* is the time beyond that ideal, a job and slot. *Busy* is told of those
tuners whose workers claim a job: how much of their time they had one, from the claim to the training's end.
*CPU* is that of the tuner and of all that it starts, of the most jobs that end at once less that of as many
as there are workers, so that its own start is not in it (Linux, where orphans can be adopted). *Memory* is
the largest resident size of the tuner's own process. The times to 50 and to 1,000 jobs are those of jobs that
end at once.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
PATIENCE_SECONDS: Final = 600.0
ORPHANS_SECONDS: Final = 20.0
COUNTS: Final = (50, 1000)
"""Of jobs that end at once, in runs of their own."""


class PeerFailedError(Exception):
    """Why there are no figures of a tuner."""


@dataclass(frozen=True)
class Tuner:
    """``script`` runs it, in the environment ``home`` (ours: this one). ``most``: more jobs than that are not
    asked of it, since it would take an hour."""

    name: str
    script: str
    home: str = ""
    packages: tuple[str, ...] = ()
    most: int = 1000
    options: tuple[str, ...] = ()


TUNERS: Final[Mapping[str, Tuner]] = {
    "ours": Tuner("ours, random", "ours.py", options=("Random",)),
    "ours-bayesian": Tuner("ours, Bayesian", "ours.py", options=("Bayesian",)),
    "optuna": Tuner("Optuna, threads", "optuna_threads.py", "optuna", ("optuna",)),
    "optuna-processes": Tuner("Optuna, processes", "optuna_processes.py", "optuna", ("optuna",)),
    "syne-tune": Tuner(
        "Syne Tune, 0.1 s", "syne_tune_local.py", "syne-tune", ("syne-tune[basic]",), options=("0.1",)
    ),
    "syne-tune-default": Tuner(
        "Syne Tune, default", "syne_tune_local.py", "syne-tune", most=0, options=("5",)
    ),
    "ray": Tuner("Ray Tune", "ray_tune.py", "ray", ("ray[default,tune]",), 50),
    "ours-on-ray": Tuner("ours, on Ray", "ours_on_ray.py", "ray", most=0),
}


def main() -> None:
    asked = _parser().parse_args()
    if asked.install:
        install(Path(asked.install))
        return
    adopt_orphans()
    home = Path(asked.peers).resolve() if asked.peers else None
    chosen = [TUNERS[name] for name in asked.only.split(",")] if asked.only else list(TUNERS.values())
    present: list[tuple[Tuner, str]] = []
    for tuner in chosen:
        python = _python(tuner, home)
        if python is None:
            print(f"{tuner.name}: not installed")
        else:
            present.append((tuner, python))
    rows: dict[str, list[dict[str, float]]] = {tuner.name: [] for tuner, _ in present}
    versions: dict[str, str] = {}
    for _ in range(asked.rounds):
        for tuner, python in present:
            try:
                found = measured(tuner, python, asked)
            except PeerFailedError as error:
                print(f"{tuner.name}: left out: {error}", flush=True)
                continue
            versions[tuner.name] = str(found.pop("version"))
            rows[tuner.name].append(found)
            print(
                f"{tuner.name} {versions[tuner.name]}: {found['utilisation']:.1%}",
                file=sys.stderr,
                flush=True,
            )
    print(table({name: _medians(found) for name, found in rows.items() if found}, versions))
    load, python_version = os.getloadavg()[0], platform.python_version()
    about = f"{os.cpu_count()} cores, load {load:.1f} at the end, Python {python_version}"
    print(
        f"\n{asked.jobs} jobs of {asked.length:g} s, {asked.workers} workers, {asked.rounds} rounds; {about}."
    )


def install(home: Path) -> None:
    """Each peer into an environment of its own. One that can't be had is told, and is no reason to stop."""
    for name, packages in {tuner.home: tuner.packages for tuner in TUNERS.values() if tuner.packages}.items():
        python = home / name / "bin/python"
        try:
            subprocess.run([sys.executable, "-m", "venv", home / name], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"{name}: can't be installed here: {error}")


def _python(tuner: Tuner, home: Path | None) -> str | None:
    if not tuner.home:
        return sys.executable
    python = None if home is None else home / tuner.home / "bin/python"
    return str(python) if python is not None and python.exists() else None


def measured(tuner: Tuner, python: str, asked: argparse.Namespace) -> dict[str, Any]:
    """One round of a tuner."""
    figures = run(tuner, python, jobs=asked.jobs, length=asked.length, workers=asked.workers)
    quick = {
        count: run(tuner, python, jobs=count, length=0.0, workers=asked.workers)
        for count in (asked.workers, *COUNTS)
        if count <= min(tuner.most, asked.most) or count == asked.workers
    }
    figures |= {f"to {count}": found["seconds"] for count, found in quick.items()}
    few, more = min(quick), max(quick)
    if more > few:
        figures["cpu"] = 1000 * (quick[more]["cpu"] - quick[few]["cpu"]) / (more - few)
    return figures


def run(tuner: Tuner, python: str, *, jobs: int, length: float, workers: int) -> dict[str, Any]:
    """A tuner in a process of its own: its figures."""
    with tempfile.TemporaryDirectory(prefix="peers-") as place:
        stamps = Path(place) / "stamps"
        stamps.mkdir()
        settings = [str(jobs), str(length), str(workers), str(stamps), *tuner.options]
        environment = {**os.environ, "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1", "SYNETUNE_FOLDER": place}
        environment |= {
            "PYTHONWARNINGS": "ignore",
            "RAY_AIR_NEW_OUTPUT": "0",
            "PYTHONPATH": str(HERE.parent.parent),
        }
        before = _cpu_of_children()
        process = subprocess.Popen(
            [python, str(HERE / tuner.script), *settings],
            cwd=place,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            said, complained = process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise PeerFailedError(f"{jobs} jobs took more than {PATIENCE_SECONDS:g} s") from None
        _await_orphans()
        if process.returncode != 0:
            raise PeerFailedError(complained[-3000:])
        told = json.loads(said.splitlines()[-1])
        times = [path.read_text(encoding="ascii").split() for path in stamps.iterdir()]
    starts, ends = [float(one[0]) for one in times], [float(one[1]) for one in times]
    seconds = max(ends) - min(starts)
    ideal = len(times) * length / workers
    return {
        "version": told["version"],
        "utilisation": ideal / seconds if seconds else 0.0,
        **({"busy": told["busy"]} if "busy" in told else {}),
        "overhead": 1000 * (seconds - ideal) * workers / len(times),
        "cpu": _cpu_of_children() - before,
        "memory": told["memory"],
        "seconds": seconds,
    }


def adopt_orphans() -> None:
    """What a tuner starts and doesn't wait for comes to us, so that its CPU time is counted (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def _await_orphans() -> None:
    give_up_at = time.monotonic() + ORPHANS_SECONDS
    while time.monotonic() < give_up_at:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.05)
        except ChildProcessError:
            return


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _medians(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


COLUMNS: Final = (
    ("overhead", "overhead a job", "ms"),
    ("cpu", "CPU a job", "ms"),
    ("memory", "memory", "MiB"),
    ("to 50", "to 50 jobs", "s"),
    ("to 1000", "to 1,000 jobs", "s"),
)


def table(rows: Mapping[str, Mapping[str, float]], versions: Mapping[str, str]) -> str:
    """Markdown. Each figure with its ratio to the first row's, which is ours."""
    first = next(iter(rows.values()))
    lines = ["| tuner | utilisation | busy | " + " | ".join(name for _, name, _ in COLUMNS) + " |"]
    lines.append("|---" * (len(COLUMNS) + 3) + "|")
    for name, figures in rows.items():
        busy = f"{figures['busy']:.1%}" if "busy" in figures else ""
        cells = [f"{name} ({versions[name]})", f"{figures['utilisation']:.1%}", busy]
        for key, _, unit in COLUMNS:
            if key not in figures:
                cells.append("not run")
                continue
            ratio = f" ({figures[key] / first[key]:.2f})" if first.get(key) else ""
            cells.append(f"{figures[key]:.3g} {unit}{ratio}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--install", metavar="DIR", help="install the peers below this directory, and end")
    add("--peers", metavar="DIR", help="where they are installed; without it, ours alone")
    add("--only", default="", help=f"some of {','.join(TUNERS)}")
    add("--jobs", type=int, default=40, help="training jobs of a fixed length")
    add("--length", type=float, default=1.0, help="of a training job, in seconds")
    add("--workers", type=int, default=2, help="training jobs at once")
    add("--most", type=int, default=COUNTS[-1], help="no run of more jobs that end at once than that")
    add("--rounds", type=int, default=1, help="runs of each, in turns; medians are shown")
    return parser


if __name__ == "__main__":
    main()
