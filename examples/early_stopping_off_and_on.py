"""What early stopping saves and what it costs: the same tuning job twice, with it Off and with it Auto.

    python examples/early_stopping_off_and_on.py

In miniature the experiment of the post with which early stopping was launched in SageMaker (an image
classifier on Caltech-256, 20 training jobs, 2 at a time); its figures stand beside ours. The strategy is
Random unless another is asked for: it proposes the same configurations whatever happened before, so the two
tuning jobs differ in nothing but early stopping. A strategy that learns goes its own way after the first
stopped job, and then chance has a part in the difference of the best.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from tune_digits import digits_spec, tune_plainly, wide_console

from amt_flows import AmtFlowsError, TuningResult, TuningSpec


@dataclass(frozen=True)
class Figures:
    """What is compared. Times in seconds; ``epochs`` is what a busy machine can't distort."""

    jobs: int
    stopped: int
    training_seconds: float
    tuning_seconds: float
    best: float
    epochs: int | None = None


POST_OFF = Figures(20, 0, (2 * 60 + 48) * 60, (1 * 60 + 53) * 60, 0.356)
POST_AUTO = Figures(20, 6, (2 * 60 + 10) * 60, (1 * 60 + 38) * 60, 0.353)


def experiment_spec(off: TuningSpec, early_stopping: str, strategy: str) -> TuningSpec:
    """The same tuning job with early stopping Off or Auto, and only the number of jobs to end it: any other
    criterion could end one of the two before the other."""
    spec = off.to_json()
    spec["name"] = f"{off.name}-{early_stopping.lower()}"
    spec["strategy"] = strategy
    spec["early_stopping"] = {"type": early_stopping}
    spec.pop("completion", None)
    spec["limits"].pop("max_runtime_seconds", None)
    return TuningSpec.parse(spec)


def figures(result: TuningResult) -> Figures:
    if result.best is None or result.best.objective_value is None:
        raise SystemExit(f"{result.headline}: there is nothing to compare")
    return Figures(
        jobs=len(result.jobs),
        stopped=sum(job.outcome == "stopped early" for job in result.jobs),
        training_seconds=result.training_seconds,
        tuning_seconds=result.runtime_seconds,
        best=result.best.objective_value,
        epochs=sum(job.epochs for job in result.jobs),
    )


def saved_share(off: float, auto: float) -> float:
    return (off - auto) / off if off else 0.0


def report(off: Figures, auto: Figures) -> dict[str, Any]:
    """The experiment as plain values, for ``--json``."""
    return {
        "off": asdict(off),
        "auto": asdict(auto),
        "training_time_saved": saved_share(off.training_seconds, auto.training_seconds),
        "epochs_saved": saved_share(off.epochs or 0, auto.epochs or 0),
        "difference_of_the_best": auto.best - off.best,
        "published": {"off": asdict(POST_OFF), "auto": asdict(POST_AUTO)},
    }


def table(off: Figures, auto: Figures, strategy: str) -> Table:
    table = Table(title=f"Early stopping Off and Auto, {strategy} search", title_justify="left")
    table.add_column("")
    for heading in ("Off", "Auto", "Auto against Off", "in the launch post"):
        table.add_column(heading, justify="right")
    theirs = rows(POST_OFF, POST_AUTO)
    for label, (before, after, change) in rows(off, auto).items():
        published = f"{theirs[label][0]} → {theirs[label][1]}"
        if theirs[label][2]:
            published += f", {theirs[label][2]}"
        table.add_row(label, before, after, change, published)
    return table


def rows(off: Figures, auto: Figures) -> dict[str, tuple[str, str, str]]:
    """Label to the cells for Off, for Auto, and what came of it."""
    epochs = ("–", "–", "")
    if off.epochs is not None and auto.epochs is not None:
        epochs = (str(off.epochs), str(auto.epochs), _less(off.epochs, auto.epochs))
    return {
        "training jobs": (str(off.jobs), str(auto.jobs), ""),
        "stopped early": (str(off.stopped), str(auto.stopped), ""),
        "total training time": (
            duration(off.training_seconds),
            duration(auto.training_seconds),
            _less(off.training_seconds, auto.training_seconds),
        ),
        "epochs trained": epochs,
        "tuning time": (
            duration(off.tuning_seconds),
            duration(auto.tuning_seconds),
            _less(off.tuning_seconds, auto.tuning_seconds),
        ),
        "best objective": (f"{off.best:.4g}", f"{auto.best:.4g}", f"{auto.best - off.best:+.4f}"),
    }


def duration(seconds: float) -> str:
    """``34.8 s``, or ``2 h 48 min``."""
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{seconds:.1f} s" if seconds < 600 else f"{hours} h {minutes} min"


def _less(off: float, auto: float) -> str:
    share = saved_share(off, auto)
    return f"{share:.0%} less" if share >= 0 else f"{-share:.0%} more"


def main() -> None:
    arguments = _parser().parse_args()
    console = wide_console()
    results: dict[str, Figures] = {}
    try:
        spec = digits_spec(arguments.home, jobs=arguments.jobs, parallel=2, seed=arguments.seed)
        for early_stopping in ("Off", "Auto"):
            result = tune_plainly(experiment_spec(spec, early_stopping, arguments.strategy), arguments.home)
            results[early_stopping] = figures(result)
    except AmtFlowsError as error:
        raise SystemExit(str(error)) from None
    off, auto = results["Off"], results["Auto"]
    if arguments.json:
        print(json.dumps(report(off, auto), indent=2))
        return
    console.print(table(off, auto, arguments.strategy))
    if arguments.strategy == "Random":
        console.print("Random search: both tuning jobs tried the same configurations.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="The same tuning job with early stopping Off and Auto, compared.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--jobs", type=int, default=20, help="training jobs of each of the two")
    add("--seed", type=int, default=0, help="of the search")
    add("--strategy", choices=("Random", "QuasiRandom", "Bayesian"), default="Random", help="of the search")
    add("--json", action="store_true", help="print the figures as JSON")
    add("--home", help="directory that keeps tuning jobs; $AMT_FLOWS_HOME or ~/.amt-flows unless given")
    return parser


if __name__ == "__main__":
    main()
