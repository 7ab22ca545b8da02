"""Thirty training jobs of a function that takes a twentieth of a second: what is paid for each beside it.

    python benchmarks/functions.py                      # needs scikit-learn, and Optuna to compare with
    python benchmarks/functions.py --jobs 30 --parallel 2 --rounds 5 --no-prefect
    python benchmarks/functions.py --starts 200         # how long a training job takes to begin

The function fits a small random forest. It is called (a) in a loop, (b) by Optuna in so many processes that
share a study in a journal file, (c) by ``amt_flows.tune`` with so many jobs at once, and (d) by the flow, on
a Prefect server of its own or the one in ``PREFECT_API_URL``. All of them draw at random: what is compared is
what a call costs, not how well it was chosen. What Prefect takes for any flow is told by (e) one that has the
same parameters and does nothing, on the same kind of server; the last row is the flow without that.

Each is a process of its own, one after another in every round, so that all see the same noise of the machine.
Its time begins when it has imported the library and the function (and the server is up), and ends with the
result. Optuna's processes, and the one that training jobs start from, import the function anew within that
time. The ratios are those of each round, and their median is printed.

A start, with ``--starts``, is from the moment at which a launch is decided, before it is written to the
record and anything is done for it, to the first line of the function; one at a time, after one that imports.
Beside it stands how long a bare ``fork`` of a process with the same modules takes until its first line.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

FOREST = """
import time

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

images, digits = load_digits(return_X_y=True)
train_images, test_images, train_digits, test_digits = train_test_split(images, digits, random_state=0)


def train(max_depth: int, min_samples_leaf: int) -> float:
    forest = RandomForestClassifier(
        n_estimators=30, max_depth=max_depth, min_samples_leaf=min_samples_leaf, random_state=0
    )
    return float(forest.fit(train_images, train_digits).score(test_images, test_digits))
"""
BEGIN = """

def begin(max_depth: int) -> float:
    return time.time()
"""
BY_HAND, OPTUNA, PLAIN = "in a loop", "Optuna", "amt-flows"
EMPTY, FLOW = "an empty flow", "amt-flows, a flow"
OURS_OF_A_FLOW = "the flow less the empty one"


def in_a_loop(jobs: int, parallel: int, place: Path) -> float:
    import forest  # type: ignore[import-not-found]

    began = time.monotonic()
    for job in range(jobs):
        forest.train(job % 12 + 1, job % 8 + 1)
    return time.monotonic() - began


OF_A_STUDY = """
import sys
import optuna, forest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.ERROR)

def objective(trial):
    return forest.train(trial.suggest_int("max_depth", 1, 12), trial.suggest_int("min_samples_leaf", 1, 8))

optuna.create_study(
    study_name="forest",
    storage=JournalStorage(JournalFileBackend(sys.argv[1])),
    sampler=optuna.samplers.RandomSampler(),
    direction="maximize",
    load_if_exists=True,
).optimize(objective, n_trials=int(sys.argv[2]))
"""


def by_optuna(jobs: int, parallel: int, place: Path) -> float:
    shares = [jobs // parallel + (one < jobs % parallel) for one in range(parallel)]
    began = time.monotonic()
    processes = [
        subprocess.Popen([sys.executable, "-c", OF_A_STUDY, str(place / "study"), str(share)], cwd=place)
        for share in shares
    ]
    if sum(process.wait() for process in processes):
        raise SystemExit("Optuna's processes failed")
    return time.monotonic() - began


def by_amt_flows(jobs: int, parallel: int, place: Path) -> float:
    import forest

    import amt_flows as amt

    tune, space = amt.tune, {"max_depth": amt.Integer(1, 12), "min_samples_leaf": amt.Integer(1, 8)}
    began = time.monotonic()
    tune(
        forest.train,
        space,
        maximize="accuracy",
        jobs=jobs,
        parallel=parallel,
        strategy="Random",
        home=place / "home",
        progress=False,
    )
    return time.monotonic() - began


def by_a_flow(jobs: int, parallel: int, place: Path) -> float:
    from amt_flows.flows import tune  # first: it has Prefect wait longer for a server on a busy machine

    return seconds_of_flow(tune, jobs, parallel, place)


def by_an_empty_flow(jobs: int, parallel: int, place: Path) -> float:
    import amt_flows.flows  # noqa: F401

    # isort: split
    from prefect import flow

    @flow(persist_result=True, validate_parameters=False)
    def nothing(spec: object, home: str) -> None:
        return None

    return seconds_of_flow(nothing, jobs, parallel, place)


def seconds_of_flow(flow: Callable[..., object], jobs: int, parallel: int, place: Path) -> float:
    import forest
    from prefect.client.orchestration import get_client

    import amt_flows as amt

    spec = amt.spec_of(
        forest.train,
        {"max_depth": amt.Integer(1, 12), "min_samples_leaf": amt.Integer(1, 8)},
        maximize="accuracy",
        jobs=jobs,
        parallel=parallel,
        strategy="Random",
        home=place / "home",
    )
    # Prefect starts a server of its own for the first who asks.
    with get_client(sync_client=True) as client:
        client.hello()
    began = time.monotonic()
    flow(spec, home=str(place / "home"))
    return time.monotonic() - began


def starts(jobs: int, place: Path) -> None:
    """Print how long training jobs take to begin."""
    sys.path.insert(0, str(place))
    (place / "forest.py").write_text(FOREST + BEGIN, encoding="utf-8")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])
    os.chdir(place)
    import forest

    import amt_flows as amt
    from amt_flows.backends.local import LocalBackend
    from amt_flows.backends.places import open_journal
    from amt_flows.tuning.engine import Tuning
    from amt_flows.tuning.loop import Stages

    decided: dict[int, float] = {}

    def launch(tuning: Tuning, count: int) -> list[str]:
        for trial, _ in tuning.ledger.to_launch()[:count]:
            decided[trial.number] = time.time()
        return tuning.launch(count)

    home = place / "home"
    spec = amt.spec_of(
        forest.begin,
        {"max_depth": amt.Integer(1, 10 * jobs)},
        maximize="began",
        jobs=jobs + 1,
        parallel=1,
        strategy="Random",
        name="starts",
        home=home,
    )
    result = amt.tune(
        spec,
        LocalBackend(home),
        journal=open_journal("starts", home),
        stages=Stages(launch=launch),
        progress=False,
    )
    _, *later = sorted(result.jobs, key=lambda job: job.trial)
    print_starts("a training job", [float(job.objective_value or 0.0) - decided[job.trial] for job in later])
    print_starts("a bare fork", [a_fork() for _ in range(jobs)])


def a_fork() -> float:
    reader, writer = os.pipe()
    began = time.time()
    child = os.fork()
    if child == 0:
        os.write(writer, repr(time.time()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    took = float(os.read(reader, 100)) - began
    os.close(reader)
    os.close(writer)
    return took


def print_starts(what: str, seconds: list[float]) -> None:
    shares = statistics.quantiles(seconds, n=20)
    print(
        f"{what} began after {1000 * statistics.median(seconds):.1f} ms (median of {len(seconds)}), "
        f"{1000 * shares[-1]:.1f} ms (95 %)"
    )


CONTENDERS: Mapping[str, Callable[[int, int, Path], float]] = {
    BY_HAND: in_a_loop,
    OPTUNA: by_optuna,
    PLAIN: by_amt_flows,
    EMPTY: by_an_empty_flow,
    FLOW: by_a_flow,
}


def seconds_of(contender: str, jobs: int, parallel: int, place: Path) -> float:
    """In a process of its own."""
    place.mkdir(parents=True)
    (place / "forest.py").write_text(FOREST, encoding="utf-8")
    words = [sys.executable, __file__, "--only", contender, "--jobs", str(jobs), "--parallel", str(parallel)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")]),
    }
    environment |= {"PREFECT_LOGGING_LEVEL": "ERROR", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=place, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


def print_comparison(seconds: Mapping[str, list[float]], jobs: int) -> None:
    table = Table(title=f"{jobs} calls of 0.06 s, median of {len(seconds[BY_HAND])} rounds")
    for title in ("how", "seconds", "of a loop", "of Optuna"):
        table.add_column(title, justify="left" if title == "how" else "right")
    for contender, times in seconds.items():
        ratios = [
            f"{statistics.median(a / b for a, b in zip(times, seconds[other], strict=True)):.2f}"
            if other in seconds
            else ""
            for other in (BY_HAND, OPTUNA)
        ]
        table.add_row(contender, f"{statistics.median(times):.2f}", *ratios)
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=30)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-prefect", action="store_true")
    parser.add_argument("--starts", type=int, help="time so many starts, and nothing else")
    parser.add_argument("--only", choices=CONTENDERS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(CONTENDERS[given.only](given.jobs, given.parallel, Path.cwd()))
        return
    if given.starts:
        with tempfile.TemporaryDirectory() as directory:
            starts(given.starts, Path(directory))
        return
    contenders = [
        one
        for one in CONTENDERS
        if not (one == OPTUNA and importlib.util.find_spec("optuna") is None)
        and not (one in (EMPTY, FLOW) and given.no_prefect)
    ]
    seconds: dict[str, list[float]] = {one: [] for one in contenders}
    with tempfile.TemporaryDirectory() as directory:
        for number in range(given.rounds):
            for one in contenders:
                place = Path(directory, str(number), one.replace(" ", "-"))
                seconds[one].append(seconds_of(one, given.jobs, given.parallel, place))
    if FLOW in seconds:
        pairs = zip(seconds[FLOW], seconds[EMPTY], strict=True)
        seconds[OURS_OF_A_FLOW] = [whole - empty for whole, empty in pairs]
    print_comparison(seconds, given.jobs)


if __name__ == "__main__":
    main()
