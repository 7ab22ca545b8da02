"""Choosing between algorithms: our rule against taking turns, and against knowing the best one beforehand.

    python benchmarks/algorithms.py --seeds 0,1,2,3 --traces traces.jsonl

Real algorithms of scikit-learn on data sets that come with it. Each is tuned alone first, by the Bayesian
strategy, one job at a time; a tuning job of several algorithms that runs one job at a time makes the very
same trials, in an order that the rule alone decides. So every rule is judged on the same trials, which are
trained once and kept in ``--traces``. Prints, over every pair of algorithms and over all at once, the mean
normalised regret (0: the best loss that was found by anyone on the data set, 1: the median of all algorithms'
first four) after 20 and 50 jobs, and the differences to taking turns with a 90 % bootstrap interval over data
sets.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from amt_flows.ledger.history import TrialRow, TrialState
from amt_flows.space.space import Categorical, Configuration, Continuous, Integer, Scaling, Space
from amt_flows.strategies.allocation import next_algorithm
from amt_flows.strategies.choose import strategy_for
from benchmarks.kept import keep, read_rows

AFTER: Final = (20, 50)
FIRST: Final = 4
ROWS: Final = 240
LOG: Final = Scaling.LOGARITHMIC

Model = Callable[[Mapping[str, Any], int], Any]


@dataclass(frozen=True)
class Learner:
    """One algorithm: what is tuned of it, and how it is made for classification and regression."""

    space: Space
    classifier: Model
    regressor: Model


def learners() -> dict[str, Learner]:
    from sklearn import ensemble, linear_model, neighbors, neural_network, pipeline, preprocessing, tree

    def scaled(model: Any) -> Any:
        return pipeline.make_pipeline(preprocessing.StandardScaler(), model)

    def network(kind: Any) -> Model:
        return lambda h, seed: scaled(
            kind(
                hidden_layer_sizes=(h["units"],),
                alpha=h["alpha"],
                learning_rate_init=h["rate"],
                max_iter=h["epochs"],
                random_state=seed,
            )
        )

    def trees(kind: Any) -> Model:
        names = ("n_estimators", "max_depth", "max_features", "min_samples_leaf")
        return lambda h, seed: kind(**{name: h[name] for name in names}, random_state=seed)

    def boosted(kind: Any) -> Model:
        names = ("n_estimators", "max_depth", "learning_rate", "subsample")
        return lambda h, seed: kind(**{name: h[name] for name in names}, random_state=seed)

    def near(kind: Any) -> Model:
        names = ("n_neighbors", "weights", "p")
        return lambda h, seed: scaled(kind(**{name: h[name] for name in names}))

    def one_tree(kind: Any) -> Model:
        names = ("max_depth", "min_samples_leaf", "ccp_alpha")
        return lambda h, seed: kind(**{name: h[name] for name in names}, random_state=seed)

    return {
        "linear": Learner(
            Space((Continuous("strength", 1e-4, 1e4, LOG),)),
            lambda h, seed: scaled(linear_model.LogisticRegression(C=1 / h["strength"], max_iter=200)),
            lambda h, seed: scaled(linear_model.Ridge(alpha=h["strength"])),
        ),
        "neighbours": Learner(
            Space(
                (
                    Continuous("p", 1.0, 4.0),
                    Integer("n_neighbors", 1, 100, LOG),
                    Categorical("weights", ("uniform", "distance")),
                )
            ),
            near(neighbors.KNeighborsClassifier),
            near(neighbors.KNeighborsRegressor),
        ),
        "tree": Learner(
            Space(
                (
                    Continuous("ccp_alpha", 1e-5, 0.1, LOG),
                    Integer("max_depth", 1, 20),
                    Integer("min_samples_leaf", 1, 50, LOG),
                )
            ),
            one_tree(tree.DecisionTreeClassifier),
            one_tree(tree.DecisionTreeRegressor),
        ),
        "forest": Learner(
            Space(
                (
                    Continuous("max_features", 0.05, 1.0),
                    Integer("n_estimators", 5, 30, LOG),
                    Integer("max_depth", 1, 20),
                    Integer("min_samples_leaf", 1, 30, LOG),
                )
            ),
            trees(ensemble.ExtraTreesClassifier),
            trees(ensemble.ExtraTreesRegressor),
        ),
        "boosting": Learner(
            Space(
                (
                    Continuous("learning_rate", 0.003, 1.0, LOG),
                    Continuous("subsample", 0.3, 1.0),
                    Integer("n_estimators", 3, 40, LOG),
                    Integer("max_depth", 1, 6),
                )
            ),
            boosted(ensemble.GradientBoostingClassifier),
            boosted(ensemble.GradientBoostingRegressor),
        ),
        "network": Learner(
            Space(
                (
                    Continuous("rate", 1e-4, 0.3, LOG),
                    Continuous("alpha", 1e-6, 10.0, LOG),
                    Integer("units", 2, 64, LOG),
                    Integer("epochs", 3, 30),
                )
            ),
            network(neural_network.MLPClassifier),
            network(neural_network.MLPRegressor),
        ),
    }


def data_sets() -> dict[str, tuple[Any, Any, bool]]:
    """Rows, targets, and whether the targets are classes."""
    from sklearn import datasets

    found = {}
    for name, load in (("wine", datasets.load_wine), ("cancer", datasets.load_breast_cancer)):
        x, y = load(return_X_y=True)
        found[name] = (x[:ROWS], y[:ROWS], True)
    x, y = datasets.load_diabetes(return_X_y=True)
    found["diabetes"] = (x[:ROWS], ((y - y.mean()) / y.std())[:ROWS], False)
    return found


# --- trials ----------------------------------------------------------------------------------------------


def loss_of(learner: Learner, data: tuple[Any, Any, bool], given: Configuration, seed: int) -> float | None:
    """Of three folds: the log loss of classes, or the squared error; None if it can't be trained."""
    from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score

    x, y, classes = data
    make = learner.classifier if classes else learner.regressor
    folds = (StratifiedKFold if classes else KFold)(3, shuffle=True, random_state=0)
    scoring = "neg_log_loss" if classes else "neg_mean_squared_error"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            score = cross_val_score(make(given, seed), x, y, cv=folds, scoring=scoring).mean()
        except ValueError:
            return None
    return -float(score) if np.isfinite(score) else None


def row_of(number: int, configuration: Configuration, loss: float | None) -> TrialRow:
    state = TrialState.FAILED if loss is None else TrialState.COMPLETED
    return TrialRow(number, configuration, state, loss)


def trace(learner: Learner, data: tuple[Any, Any, bool], name: str, *, seed: int, jobs: int) -> list[Any]:
    """The configurations and losses of an algorithm that is tuned alone."""
    own = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:4], "big")
    rows: list[TrialRow] = []
    for number in range(1, jobs + 1):
        proposal = strategy_for("Bayesian").propose(learner.space, rows, number=number, seed=own)
        if proposal is None:
            break
        loss = loss_of(learner, data, proposal.configuration, seed)
        rows.append(row_of(number, proposal.configuration, loss))
    return [row.loss for row in rows]


def all_traces(path: Path | None, seeds: Sequence[int], jobs: int) -> dict[tuple[str, str, int], list[Any]]:
    known = {(one["data"], one["learner"], one["seed"]): one["losses"] for one in read_rows(path)}
    for seed, (where, data), (name, learner) in itertools.product(
        seeds, data_sets().items(), learners().items()
    ):
        if (where, name, seed) not in known:
            losses = trace(learner, data, name, seed=seed, jobs=jobs)
            known[where, name, seed] = losses
            keep(path, {"data": where, "learner": name, "seed": seed, "losses": losses})
            print(f"{where} {name} {seed}: {min(x for x in losses if x is not None):.4g}", file=sys.stderr)
    return known


# --- rules -----------------------------------------------------------------------------------------------

Rule = Callable[[Sequence[Sequence[TrialRow]]], int]


def ours(rows: Sequence[Sequence[TrialRow]]) -> int:
    turn = next_algorithm(rows)
    assert turn is not None
    return turn.index


def turns(rows: Sequence[Sequence[TrialRow]]) -> int:
    turn = next_algorithm(rows, takes_turns=True)
    assert turn is not None
    return turn.index


def play(traces: Sequence[list[Any]], rule: Rule, jobs: int) -> list[float]:
    """The best loss after each job."""
    rows: list[list[TrialRow]] = [[] for _ in traces]
    best, curve = np.inf, []
    for number in range(1, jobs + 1):
        i = rule(rows)
        loss = traces[i][len(rows[i])]
        rows[i].append(row_of(number, {}, loss))
        best = min(best, np.inf if loss is None else loss)
        curve.append(best)
    return curve


def known_beforehand(traces: Sequence[list[Any]], jobs: int) -> list[float]:
    """All jobs for the algorithm that turns out to be the best."""
    return min((play([one], lambda rows: 0, jobs) for one in traces), key=lambda curve: curve[-1])


RULES: Final[dict[str, Rule]] = {"taking turns": turns, "ours": ours}


# --- figures ---------------------------------------------------------------------------------------------

Case = tuple[str, int, tuple[str, ...]]
"""A data set, a seed, and the algorithms of the tuning job."""
Figures = dict[str, dict[Case, list[float]]]
"""By rule and case: the regret after each of ``AFTER``."""


def regrets(traces: Mapping[tuple[str, str, int], list[Any]], groups: int | None, jobs: int) -> Figures:
    """``groups`` algorithms at a time; None: all. Data sets and seeds of which an algorithm has no trace yet
    are left out."""
    names = tuple(learners())
    found: Figures = {}
    for where, seed in sorted({(data, seed) for data, _, seed in traces}):
        if any((where, name, seed) not in traces for name in names):
            continue
        every = {name: traces[where, name, seed] for name in names}
        tried = [loss for (data, _, _), its in traces.items() if data == where for loss in its]
        best = min(loss for loss in tried if loss is not None)
        first = [loss for its in every.values() for loss in its[:FIRST] if loss is not None]
        unit = float(np.median(first)) - best
        for chosen in itertools.combinations(names, groups or len(names)):
            its = [every[name] for name in chosen]
            curves = {name: play(its, rule, jobs) for name, rule in RULES.items()}
            curves["best known beforehand"] = known_beforehand(its, jobs)
            for name, curve in curves.items():
                values = [(curve[after - 1] - best) / unit for after in AFTER]
                found.setdefault(name, {})[where, seed, chosen] = values
    return found


def interval(differences: Mapping[Case, float]) -> tuple[float, float]:
    """90 % by bootstrap over data set and seed, whose groups of algorithms belong together."""
    clusters: dict[tuple[str, int], list[float]] = {}
    for (where, seed, _), value in differences.items():
        clusters.setdefault((where, seed), []).append(value)
    means = np.array([np.mean(values) for values in clusters.values()])
    draws = np.random.default_rng(0).integers(0, len(means), (10_000, len(means)))
    low, high = np.percentile(means[draws].mean(axis=1), [5, 95])
    return float(low), float(high)


def table(found: Figures, title: str) -> str:
    after = [f"regret after {number} jobs" for number in AFTER]
    last = f"minus taking turns, after {AFTER[-1]}"
    lines = [
        " | ".join((f"| {title}", *after, f"{last} |")),
        " | ".join(("| ---", *("---" for _ in after), "--- |")),
    ]
    for name, results in found.items():
        means = [f"{mean:.3f}" for mean in np.mean(list(results.values()), axis=0)]
        differences = {key: values[-1] - found["taking turns"][key][-1] for key, values in results.items()}
        low, high = interval(differences)
        mean = float(np.mean(list(differences.values())))
        text = "" if name == "taking turns" else f"{mean:+.3f} ({low:+.3f} … {high:+.3f})"
        lines.append(" | ".join((f"| {name}", *means, f"{text} |")))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="0,1,2", help="numbers, with commas between them")
    parser.add_argument("--traces", type=Path, help="where trials are kept, and found again")
    parser.add_argument("--kept", action="store_true", help="train nothing; report of what is in --traces")
    given = parser.parse_args()
    seeds = [] if given.kept else [int(seed) for seed in given.seeds.split(",")]
    traces = all_traces(given.traces, seeds, max(AFTER))
    for groups, title in ((2, "pairs"), (3, "triples"), (None, "all six")):
        found = regrets(traces, groups, max(AFTER))
        print(table(found, f"{title}, {len(found['taking turns'])} tuning jobs"), end="\n\n")


if __name__ == "__main__":
    main()
