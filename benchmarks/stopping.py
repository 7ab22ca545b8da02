"""What stopping saves and what it gives up: early stopping, Hyperband and convergence, on the benchmark.

    python benchmarks/stopping.py --bench DIR early-stopping [--seeds 20] [--workers 4] [--jobs 20]
    python benchmarks/stopping.py --bench DIR early-stopping --curves aside      # or unseen, choosing
    python benchmarks/stopping.py --bench DIR hyperband [--seeds 3] [--budget 20]
    python benchmarks/stopping.py --bench DIR convergence traces.jsonl ...

DIR is the tuning benchmark's folder (it has ``amtbench`` and ``data/refs.json``). Tunings run on a simulated
clock, but every decision is made by the rules of :mod:`amt_flows.rules` on a real ledger. Traces of 200 jobs
come from the benchmark's ``run_quality.py``. Regret is normalised: 0 is the best known value of a task, 1
that of its median random configuration.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any, TypeAlias

ROOT = Path(__file__).resolve().parents[1]
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from amt_flows.events import (  # noqa: E402
    Ended,
    Judged,
    Launched,
    Observed,
    Opened,
    Outcome,
    Proposed,
    Resumed,
    StopAsked,
)
from amt_flows.ledger.ledger import Ledger  # noqa: E402
from amt_flows.rules.early_stopping import EarlyStoppingRule, early_stopping_rule  # noqa: E402
from amt_flows.rules.hyperband import to_resume  # noqa: E402
from amt_flows.space.space import Configuration  # noqa: E402
from amt_flows.spec import TuningSpec  # noqa: E402
from amt_flows.strategies.choose import strategy_of  # noqa: E402
from benchmarks import convergence as recorded  # noqa: E402
from benchmarks.curve_families import DATA_SETS, FAMILIES, made_up, of_lcbench  # noqa: E402
from benchmarks.optimiser.engine import Engine  # noqa: E402
from benchmarks.optimiser.own_tasks import REFERENCES  # noqa: E402

Floats: TypeAlias = Sequence[float]
# The curve of the n-th job: losses and seconds, an entry per epoch.
Train: TypeAlias = Callable[[int, Configuration], tuple[Floats, Floats]]

BARE = {"type": "Auto", "min_jobs": 1, "grace_epochs": 0}
POLICIES: Mapping[str, Mapping[str, Any]] = {
    "bare document rule": BARE,
    "`Auto`": {"type": "Auto"},
    "`Auto`, `spare_hopeful = false`": {"type": "Auto", "spare_hopeful": False},
    "`Auto`, `min_jobs = 1`": {"type": "Auto", "min_jobs": 1},
    "`Auto`, `min_jobs = 2`": {"type": "Auto", "min_jobs": 2},
    "`Auto`, `min_jobs = 5`": {"type": "Auto", "min_jobs": 5},
    "`Auto`, `beyond_median = true`": {"type": "Auto", "beyond_median": True},
}


def made_spec(**changes: Any) -> TuningSpec:
    """Losses are minimised. The range stands for the task's space, which a ledger doesn't look into."""
    values: dict[str, Any] = {
        "name": "benchmark",
        "objective": {"metric_name": "loss", "type": "Minimize"},
        "continuous": [{"name": "x", "min_value": 0.0, "max_value": 1.0}],
        "limits": {"max_number_of_training_jobs": 100_000},
    }
    return TuningSpec(**{**values, **changes})


def opened(spec: TuningSpec) -> Ledger:
    ledger = Ledger()
    ledger.apply(Opened(0.0, "benchmark", spec.fingerprint(), spec.to_json(), "benchmark"))
    return ledger


class Simulation:
    """A tuning on a simulated clock: its ledger, the seconds of training used, and the best so far."""

    def __init__(self, spec: TuningSpec, train: Train, propose: Callable[[Ledger], Configuration]) -> None:
        self.ledger = opened(spec)
        self.rule: EarlyStoppingRule | None = early_stopping_rule(spec)
        self.train, self.propose = train, propose
        self.cost = 0.0
        self.curves: dict[str, tuple[Floats, Floats]] = {}
        self.queue: list[tuple[float, int, str, int]] = []
        self.went_on: dict[str, int] = {}

    @property
    def best(self) -> float:
        job = self.ledger.best
        return math.inf if job is None or job.final_value is None else job.final_value

    def launch(self, now: float) -> None:
        """Trials that go on from their checkpoints come first, as with the engine; to load one costs
        nothing here."""
        for one in to_resume(self.ledger)[:1]:
            self.ledger.apply(Resumed(now, one.trial, one.attempt, one.rung, one.reason))
            last = self.ledger.attempts(one.trial)[-1]
            name, after = f"benchmark-{one.trial:04d}-{last.attempt + 1}", last.curve.last_epoch
            self.ledger.apply(Launched(now, name, one.trial, last.attempt + 1))
            self.curves[name], self.went_on[name] = self.curves[last.name], after
            heapq.heappush(self.queue, (now + self.curves[name][1][after], one.trial, name, after + 1))
            return
        trial = self.ledger.next_trial
        configuration = self.propose(self.ledger)
        name = f"benchmark-{trial:04d}"
        self.ledger.apply(Proposed(now, trial, configuration, "benchmark", ""))
        self.ledger.apply(Launched(now, name, trial, 1))
        self.curves[name] = self.train(trial - 1, configuration)
        heapq.heappush(self.queue, (now + self.curves[name][1][0], trial, name, 1))

    def run(self, workers: int, go_on: Callable[[Simulation], bool]) -> Iterator[float]:
        """Yields the clock after each ended job. While ``go_on`` says so, free slots are filled."""
        for _ in range(workers):
            if go_on(self):
                self.launch(0.0)
        while self.queue:
            now, trial, name, epoch = heapq.heappop(self.queue)
            losses, seconds = self.curves[name]
            self.cost += seconds[epoch - 1]
            went_on = {name: self.went_on[name]} if name in self.went_on else {}
            self.ledger.apply(Observed(now, {name: ((epoch, float(losses[epoch - 1])),)}, went_on))
            outcome = Outcome.COMPLETED if epoch == len(losses) else self._judge(now)
            if outcome is None:
                heapq.heappush(self.queue, (now + seconds[epoch], trial, name, epoch + 1))
                continue
            started = self.ledger.jobs[name].launched_at
            metrics = {"loss": float(losses[epoch - 1])}
            kept = f"checkpoints of {name}"
            self.ledger.apply(
                Ended(now, name, outcome, started, now, metrics, None, None, None, checkpoints=kept)
            )
            yield now
            if go_on(self):
                self.launch(now)

    def _judge(self, now: float) -> Outcome | None:
        judgements = () if self.rule is None else self.rule.judge(self.ledger)
        if judgements:
            self.ledger.apply(Judged(now, judgements))
        for judgement in judgements:
            if judgement.stop:
                self.ledger.apply(StopAsked(now, (judgement.job,), True, judgement.why))
                return Outcome.STOPPED_EARLY
        return None


def finished(simulation: Simulation, workers: int, jobs: int) -> tuple[Simulation, float]:
    """The simulation after so many jobs, and its clock."""
    clock = 0.0
    for clock in simulation.run(workers, lambda s: len(s.ledger.jobs) < jobs):  # noqa: B007
        pass
    return simulation, clock


# -- early stopping --------------------------------------------------------------------------------


def random_curves(task: Any, seed: int, count: int) -> list[tuple[Floats, Floats]]:
    """Those of random configurations, the same as the benchmark's own runner draws."""
    rng = np.random.default_rng(1000 + seed)
    sign = 1 if task.minimize else -1
    if hasattr(task, "row"):
        found = [task.row(i) for i in rng.permutation(task.n)[:count]]
    else:
        found = [task.curve(task.space.sample(rng)) for _ in range(count)]
    return [((sign * np.asarray(y)).tolist(), np.asarray(s).tolist()) for y, s in found]


@dataclass(frozen=True)
class Row:
    """One tuning with stopping against the same one without."""

    saved: float
    wall: float
    stopped: float
    regret: float
    reach: float | None


def early_stopping(options: argparse.Namespace, tasks: Any, refs: Mapping[str, Any]) -> str:
    rows: dict[str, dict[str, list[Row]]] = {policy: {} for policy in POLICIES}
    for tuning in _tunings(options, tasks, refs):
        base, base_clock = finished(over(tuning.curves, {}), options.workers, options.jobs)
        for policy, settings in POLICIES.items():
            run, clock = finished(over(tuning.curves, settings), options.workers, options.jobs)
            stopped = sum(job.outcome is Outcome.STOPPED_EARLY for job in run.ledger.ended)
            row = Row(
                saved=1 - run.cost / base.cost,
                wall=1 - clock / base_clock,
                stopped=stopped / options.jobs,
                regret=(run.best - base.best) / (tuning.median - min(tuning.best, base.best)),
                reach=_cost_to_reach(over(tuning.curves, settings), base, options.workers),
            )
            rows[policy].setdefault(tuning.task, []).append(row)
    columns = (
        *("policy", "training saved", "less `Auto` (90 %)", "wall clock saved", "jobs stopped"),
        *(
            "tunings whose best got worse",
            "mean change of regret (90 %)",
            "cost to reach the full tuning's best (median)",
            "reached",
        ),
    )
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    auto = _measured(rows["`Auto`"])
    for policy, by_task in rows.items():
        low, high = recorded.interval(recorded.difference(_measured(by_task), auto), 0)
        least, most = recorded.interval(_measured(by_task), 1)
        every = [row for some in by_task.values() for row in some]
        reached = [row.reach for row in every if row.reach is not None]
        lines.append(
            f"| {policy} | {fmean(r.saved for r in every):.1%} | {low:+.1%} … {high:+.1%} "
            f"| {fmean(r.wall for r in every):.1%} | {fmean(r.stopped for r in every):.0%} "
            f"| {fmean(r.regret > 1e-9 for r in every):.1%} "
            f"| {fmean(r.regret for r in every):.4f} ({least:.4f} … {most:.4f}) | {median(reached):.2f} "
            f"| {len(reached) / len(every):.0%} |"
        )
    lines += ["", "Training saved by task:", "", "| policy | " + " | ".join(rows["`Auto`"]) + " |"]
    lines.append("|---" * (1 + len(rows["`Auto`"])) + "|")
    for policy, by_task in rows.items():
        cells = (
            f"{fmean(r.saved for r in some):.0%} ({fmean(r.regret for r in some):+.4f})"
            for some in by_task.values()
        )
        lines.append(f"| {policy} | {' | '.join(cells)} |")
    return "\n".join(lines)


@dataclass(frozen=True)
class Tuning:
    """``curves`` of the jobs in their order; ``median`` and ``best`` losses, by which regret is measured."""

    task: str
    curves: Sequence[tuple[Floats, Floats]]
    median: float
    best: float


def _tunings(options: argparse.Namespace, tasks: Any, refs: Mapping[str, Any]) -> Iterator[Tuning]:
    jobs = 3 * options.jobs
    if options.curves is None:
        for name in options.tasks or tasks.CURVE_PUBLIC:
            task, ref = tasks.get(name), refs[name]
            for seed in range(options.seeds):
                yield Tuning(name, random_curves(task, seed, jobs), ref["median"], ref["best"])
        return
    made: dict[str, Callable[[int], Sequence[tuple[Floats, Floats]]]] = {}
    for one in FAMILIES[options.curves]:
        made[one.__name__] = partial(made_up, one, jobs=jobs)
    for name in DATA_SETS[options.curves]:
        made[name] = partial(random_curves, of_lcbench(tasks, name), count=jobs)
    for name, curves_of in made.items():
        for seed in range(options.seeds):
            curves = curves_of(seed)
            # Those of the tuning itself; what is best of them, a base run tells.
            finals = [losses[-1] for losses, _ in curves[: options.jobs]]
            yield Tuning(name, curves, median(finals), math.inf)


def _measured(by_task: Mapping[str, Sequence[Row]]) -> dict[str, recorded.Numbers]:
    """By task, an array of shape ``(tunings, 2)``: training saved and change of regret."""
    return {task: np.array([(row.saved, row.regret) for row in some]) for task, some in by_task.items()}


def over(curves: Sequence[tuple[Floats, Floats]], settings: Mapping[str, Any]) -> Simulation:
    spec = made_spec(early_stopping=dict(settings))
    return Simulation(spec, lambda number, _: curves[number], lambda ledger: {"x": ledger.next_trial / 1e6})


def _cost_to_reach(simulation: Simulation, base: Simulation, workers: int) -> float | None:
    """As a share of what the full tuning cost; None if three times its jobs don't get there."""
    jobs = 3 * len(base.ledger.jobs)
    for _ in simulation.run(workers, lambda s: len(s.ledger.jobs) < jobs):
        if simulation.best <= base.best:
            return simulation.cost / base.cost
    return None


# -- Hyperband -------------------------------------------------------------------------------------


def contenders(epochs: int) -> Mapping[str, TuningSpec]:
    auto = {"early_stopping": {"type": "Auto"}}
    whole: dict[str, Any] = {"strategy": "Hyperband", "hyperband": {"max_resource": epochs}}
    by_model = {"max_resource": epochs, "proposals": "model"}
    model = {**whole, "hyperband": by_model}
    going_on = {**whole, "hyperband": {**by_model, "resume_stopped": True}}
    return {
        "Random": made_spec(strategy="Random"),
        "Random, `Auto`": made_spec(strategy="Random", **auto),
        "Hyperband": made_spec(**whole),
        "Hyperband, model proposals": made_spec(**model),
        "Hyperband, model proposals, stopped ones go on": made_spec(**going_on),
        "Bayesian": made_spec(),
        "Bayesian, `Auto`": made_spec(**auto),
    }


def hyperband(options: argparse.Namespace, tasks: Any, refs: Mapping[str, Any]) -> str:
    budgets = [options.budget * share for share in (0.25, 0.5, 1.0)]
    found: dict[str, list[list[float]]] = {}
    counts: dict[str, list[int]] = {}
    for task_name in options.tasks or tasks.CURVE_PUBLIC:
        task, ref = tasks.get(task_name), refs[task_name]
        unit = fmean(sum(seconds) for _, seconds in random_curves(task, 0, 60))
        for seed in range(options.seeds):
            for name, spec in contenders(task.T).items():
                if options.tuners and name not in options.tuners:
                    continue
                run = _tuning(task, spec, seed)
                marks = [math.inf] * len(budgets)
                limit = budgets[-1] * unit
                for _ in run.run(options.workers, lambda s, limit=limit: s.cost < limit):  # type: ignore[misc]
                    marks = [
                        run.best if run.cost <= budget * unit else mark
                        for budget, mark in zip(budgets, marks, strict=True)
                    ]
                scale = ref["median"] - ref["best"]
                regrets = [min(1.0, max(0.0, (mark - ref["best"]) / scale)) for mark in marks]
                found.setdefault(name, []).append(regrets)
                counts.setdefault(name, []).append(len(run.ledger.jobs))
                print(task_name, seed, name, regrets, file=sys.stderr, flush=True)
    head = " | ".join(f"regret at {budget:g}" for budget in budgets)
    lines = [f"| tuner | {head} | jobs started |", "|---" * (len(budgets) + 2) + "|"]
    for name, rows in found.items():
        cells = " | ".join(f"{fmean(column):.3f}" for column in zip(*rows, strict=True))
        lines.append(f"| {name} | {cells} | {fmean(counts[name]):.0f} |")
    return "\n".join(lines)


def _tuning(task: Any, spec: TuningSpec, seed: int) -> Simulation:
    strategy, sign = strategy_of(spec), 1 if task.minimize else -1
    shell = Engine(strategy, task.space, seed)

    def propose(ledger: Ledger) -> Configuration:
        number = ledger.next_trial
        proposal = strategy.propose(shell.space, ledger.history(), number=number, seed=seed)
        if proposal is None:
            raise RuntimeError("the space is exhausted")
        return proposal.configuration

    def train(_: int, configuration: Configuration) -> tuple[Floats, Floats]:
        values, seconds = task.curve(shell.shown(configuration))
        return (sign * np.asarray(values)).tolist(), np.asarray(seconds).tolist()

    return Simulation(spec, train, propose)


# -- convergence -----------------------------------------------------------------------------------


def convergence(options: argparse.Namespace, _: Any, refs: Mapping[str, Any]) -> str:
    known = {**refs, **REFERENCES}
    return recorded.table({path.stem: recorded.read(path, known) for path in options.traces})


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks/stopping.py", description=__doc__.splitlines()[0])
    parser.add_argument("--bench", type=Path, required=True, help="the benchmark's folder")
    parts = parser.add_subparsers(dest="part", required=True)
    for part, seeds in (("early-stopping", 20), ("hyperband", 3)):
        one = parts.add_parser(part)
        one.add_argument("--tasks", type=lambda text: text.split(","), help="the public ones with curves")
        one.add_argument("--seeds", type=int, default=seeds)
        one.add_argument("--workers", type=int, default=4)
        if part == "hyperband":
            one.add_argument("--tuners", type=lambda text: text.split(";"), help="some of them, between ;")
            one.add_argument("--budget", type=float, default=20.0, help="in full trainings of average length")
        else:
            one.add_argument("--jobs", type=int, default=20)
            one.add_argument("--curves", choices=list(FAMILIES), help="our own, in place of the benchmark's")
    parts.add_parser("convergence").add_argument("traces", type=Path, nargs="+")
    options = parser.parse_args()
    sys.path.insert(0, str(options.bench.resolve()))
    from amtbench import tasks  # type: ignore[import-not-found]

    refs = json.loads((options.bench / "data" / "refs.json").read_text())
    run = {"early-stopping": early_stopping, "hyperband": hyperband, "convergence": convergence}
    print(f"{date.today()}, Python {platform.python_version()}: {' '.join(sys.argv[3:])}\n")
    print(run[options.part](options, tasks, refs))


if __name__ == "__main__":
    main()
