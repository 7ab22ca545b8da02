"""A series of nightly tunings of real models on data that drifts: with and without what was found before.

    python benchmarks/nightly.py --nights 10 --jobs 20 --seeds 0,1 --out nightly.jsonl

Every night the model is trained on other rows, with other noise and other wrong labels, a little more of
them each night, and its inputs have moved on. On each night the same data are tuned four times, with four
workers on a simulated clock; every training job trains with scikit-learn:

    cold         knows nothing
    again        the same with another seed: what luck alone does
    auto         ``learn_from = "auto"``, in a home of its own, where its earlier nights are
    misled       auto, in a home where what earlier nights found was told the other way round

The records are kept in directories, and earlier nights are found there as a user's are. A mark of a night is
the loss that one of its two cold tunings ends with. Printed are how many training jobs the others need to get
as good (a cold one: as the other cold one; those that never do count as one more than all), and the regret
after some jobs: 0 is the best loss that anyone found that night, 1 the median of the cold tuning's first ten.
The first night, on which nobody knows anything, is left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from amt_flows.backends.places import open_journal
from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.events import Inherited
from amt_flows.ledger.ledger import Ledger
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from amt_flows.tuning.parents import parents_in
from benchmarks.kept import interval, keep, read_rows

Settings = Mapping[str, str]
Data = tuple[Any, Any, Any, Any]

WORKERS: Final = 4
AFTER: Final = (5, 10, 20)
VARIANTS: Final = ("cold", "again", "auto", "misled")


def continuous(name: str, low: float, high: float) -> dict[str, Any]:
    return {"name": name, "min_value": low, "max_value": high, "scaling_type": "Logarithmic"}


@dataclass(frozen=True)
class Model:
    """``data`` of a night: what to train on and what to validate with; ``loss`` of a training."""

    ranges: Mapping[str, Any]
    data: Callable[[int], Data]
    loss: Callable[[Settings, Data], float]


def drifted(inputs: Any, target: Any, night: int, *, rows: int, labels: bool) -> Data:
    """``rows`` drawn for the night to train on, and the next half as many to validate with."""
    rng = np.random.default_rng([20, night])
    rows = min(rows, 2 * len(target) // 3)
    order = rng.permutation(len(target))[: rows + rows // 2]
    x, y = inputs[order], np.array(target[order])
    drift = 0.04 * night
    x = x * (1 + drift * rng.standard_normal(x.shape[1])) + 0.1 * rng.standard_normal(x.shape)
    if labels:
        wrong = rng.random(len(y)) < 0.02 + 0.005 * night
        y[wrong] = rng.permutation(y)[wrong]
    else:
        y = y + (0.1 + drift / 4) * y.std() * rng.standard_normal(len(y))
    return x[:rows], y[:rows], x[rows:], y[rows:]


@cache
def _scaled(name: str) -> tuple[Any, Any]:
    from sklearn import datasets
    from sklearn.preprocessing import scale

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return scale(x), y


def _log_loss(model: Any, data: Data) -> float:
    from sklearn.metrics import log_loss

    model.fit(data[0], data[1])
    return float(log_loss(data[3], model.predict_proba(data[2]), labels=model.classes_))


def support_vectors(c: Settings, data: Data) -> float:
    from sklearn.svm import SVC

    # By the distance from the boundary: probabilities of it would be fitted five times over.
    model = SVC(C=float(c["C"]), gamma=float(c["gamma"]), class_weight={0: float(c["weight"])})
    model.fit(data[0], data[1])
    margin = np.where(data[3] == 1, 1, -1) * model.decision_function(data[2])
    return float(np.logaddexp(0, -2 * margin).mean())


def boosting(c: Settings, data: Data) -> float:
    from sklearn.ensemble import GradientBoostingRegressor

    model = GradientBoostingRegressor(
        learning_rate=float(c["rate"]),
        n_estimators=int(c["trees"]),
        max_depth=int(c["depth"]),
        subsample=float(c["subsample"]),
        min_samples_leaf=int(c["leaf"]),
        random_state=0,
    ).fit(data[0], data[1])
    return float(np.mean((model.predict(data[2]) - data[3]) ** 2))


def network(c: Settings, data: Data) -> float:
    from sklearn.neural_network import MLPClassifier

    return _log_loss(
        MLPClassifier(
            (int(c["units"]),),
            activation=c["activation"],
            alpha=float(c["alpha"]),
            learning_rate_init=float(c["rate"]),
            batch_size=int(c["batch"]),
            max_iter=12,
            random_state=0,
        ),
        data,
    )


def linear(c: Settings, data: Data) -> float:
    from sklearn.linear_model import SGDClassifier

    return _log_loss(
        SGDClassifier(
            loss="log_loss",
            penalty="elasticnet",
            alpha=float(c["alpha"]),
            l1_ratio=float(c["l1_ratio"]),
            learning_rate=c["schedule"],
            eta0=float(c["rate"]),
            max_iter=20,
            tol=None,
            random_state=0,
        ),
        data,
    )


def _of(name: str, rows: int, labels: bool = True) -> Callable[[int], Data]:
    return lambda night: drifted(*_scaled(name), night, rows=rows, labels=labels)


MODELS: Final[Mapping[str, Model]] = {
    "support vectors": Model(
        {
            "continuous": [
                continuous("C", 1e-3, 1e3),
                continuous("gamma", 1e-5, 10),
                continuous("weight", 0.1, 10),
            ]
        },
        _of("breast_cancer", 250),
        support_vectors,
    ),
    "boosting": Model(
        {
            "continuous": [
                continuous("rate", 1e-3, 1),
                {"name": "subsample", "min_value": 0.2, "max_value": 1.0},
            ],
            "integer": [
                {"name": "trees", "min_value": 5, "max_value": 100, "scaling_type": "Logarithmic"},
                {"name": "depth", "min_value": 1, "max_value": 6},
                {"name": "leaf", "min_value": 1, "max_value": 40, "scaling_type": "Logarithmic"},
            ],
        },
        _of("diabetes", 250, labels=False),
        boosting,
    ),
    "network": Model(
        {
            "continuous": [continuous("rate", 1e-4, 1), continuous("alpha", 1e-6, 10)],
            "integer": [
                {"name": "units", "min_value": 4, "max_value": 64, "scaling_type": "Logarithmic"},
                {"name": "batch", "min_value": 8, "max_value": 128, "scaling_type": "Logarithmic"},
            ],
            "categorical": [{"name": "activation", "values": ["relu", "tanh", "logistic"]}],
        },
        _of("digits", 300),
        network,
    ),
    "linear": Model(
        {
            "continuous": [
                *(continuous("alpha", 1e-6, 1), continuous("rate", 1e-4, 10)),
                {"name": "l1_ratio", "min_value": 0.0, "max_value": 1.0},
            ],
            "categorical": [
                {"name": "schedule", "values": ["constant", "optimal", "invscaling", "adaptive"]}
            ],
        },
        _of("digits", 300),
        linear,
    ),
}


def spec_of(model: Model, night: int, jobs: int, seed: int, learn_from: str) -> TuningSpec:
    return TuningSpec(
        name=f"night-{night:02d}",
        objective={"metric_name": "loss", "type": "Minimize"},
        limits={"max_number_of_training_jobs": jobs, "max_parallel_training_jobs": WORKERS},
        training_job={"command": "python train.py"},
        seed=100 * seed + night,
        learn_from=learn_from,
        **model.ranges,
    )


def tuned(spec: TuningSpec, train: Callable[[Settings], float], home: Path) -> Ledger:
    """Training jobs last a second each, but for a little that tells them apart."""
    backend = SimulatedBackend(VirtualClock(), lambda c: Script([train(c)], 1 + train(c) % 1e-3))
    journal = open_journal(str(spec.name), home)
    tuning = Tuning.open(spec, backend, journal, clock=backend.clock, parents=parents_in(home))
    drive(tuning)
    return tuning.ledger


def losses_of(ledger: Ledger) -> list[float]:
    return [job.final_value if job.final_value is not None else np.inf for job in ledger.ended]


def nights(model: Model, seed: int, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as directory:
        homes = {variant: Path(directory) / variant for variant in VARIANTS}
        for night in range(options.nights):
            data = model.data(night)

            @cache
            def trained(items: tuple[tuple[str, str], ...], data: Data = data) -> float:
                return min(model.loss(dict(items), data), 1e6)

            def train(c: Settings, sign: int = 1) -> float:
                return sign * trained(tuple(sorted(c.items())))

            for variant in VARIANTS:
                own_seed = seed + 50 if variant == "again" else seed
                learning = "auto" if variant in ("auto", "misled") else "off"
                spec = spec_of(model, night, options.jobs, own_seed, learning)
                ledger = tuned(spec, train, homes[variant])
                learnt = sum(len(one.jobs) for one in ledger.inherited if isinstance(one, Inherited))
                yield {"variant": variant, "night": night, "losses": losses_of(ledger), "learnt": learnt}
                if variant == "misled":
                    # What the next night finds here is this night's space, seen in a mirror.
                    _mirror(spec, train, homes[variant], night)


def _mirror(spec: TuningSpec, train: Callable[..., float], home: Path, night: int) -> None:
    """Put a tuning job into the home in place of the night's, in which bad is good."""
    import shutil

    shutil.rmtree(home / f"night-{night:02d}")
    tuned(spec.model_copy(update={"learn_from": ()}), lambda c: train(c, -1), home)


def report(found: Sequence[Mapping[str, Any]], jobs: int) -> Iterator[str]:
    nights_of: dict[tuple[str, int, int], dict[str, list[float]]] = {}
    for row in found:
        if row["night"] > 0:
            key = row["model"], row["seed"], row["night"]
            nights_of.setdefault(key, {})[row["variant"]] = row["losses"]
    whole = {key: one for key, one in nights_of.items() if len(one) == len(VARIANTS)}
    for name in (*MODELS, "all"):
        own = {key: one for key, one in whole.items() if name in (key[0], "all")}
        if not own:
            continue
        yield f"{name}, {len(own)} nights"
        needed = {
            variant: np.array([_needed(one, variant, jobs) for one in own.values()]) for variant in VARIANTS
        }
        table = {variant: np.array([_regrets(one, variant) for one in own.values()]) for variant in VARIANTS}
        for variant in VARIANTS:
            low, high = interval(table[variant] - table["cold"])
            gaps = ", ".join(f"{a:+.3f} … {b:+.3f}" for a, b in zip(low, high, strict=True))
            cells = " ".join(f"{mean:7.3f}" for mean in table[variant].mean(axis=0))
            reached = (needed[variant] <= jobs).mean()
            yield (
                f"  {variant:8} jobs to the mark {needed[variant].mean():5.1f} (median "
                f"{np.median(needed[variant]):.0f}, reached {reached:.0%}); regret {cells}; less cold {gaps}"
            )


def _needed(one: Mapping[str, Sequence[float]], variant: str, jobs: int) -> float:
    """On average over the marks of the night but its own."""
    marks = [min(one[cold]) for cold in ("cold", "again") if cold != variant]
    return float(
        np.mean(
            [
                next((n for n, loss in enumerate(one[variant], start=1) if loss <= mark), jobs + 1)
                for mark in marks
            ]
        )
    )


def _regrets(one: Mapping[str, Sequence[float]], variant: str) -> list[float]:
    best = min(min(losses) for losses in one.values())
    usual = float(np.median(one["cold"][:10]))
    so_far = np.minimum.accumulate(one[variant])
    return [min(1.0, (so_far[min(k, len(so_far)) - 1] - best) / max(usual - best, 1e-12)) for k in AFTER]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nights", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--seeds", type=lambda text: [int(one) for one in text.split(",")], default=[0])
    parser.add_argument("--models", type=lambda text: text.split(","), default=list(MODELS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = read_rows(options.out)
    done = {(row["model"], row["seed"]) for row in found if row["night"] == options.nights - 1}
    for seed in options.seeds:
        for name in options.models:
            if (name, seed) in done:
                continue
            for row in nights(MODELS[name], seed, options):
                row = {"model": name, "seed": seed, **row}
                found.append(row)
                keep(options.out, row)
                print(name, seed, row["night"], row["variant"], min(row["losses"]), flush=True)
    print("\n".join(report(found, options.jobs)))


if __name__ == "__main__":
    main()
