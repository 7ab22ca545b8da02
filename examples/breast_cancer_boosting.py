"""Boost decision trees on scikit-learn's breast cancer data; the objective is a loss, to be minimised.

A training script like ``digits_network.py``, around an estimator of scikit-learn: it adds one tree a round
and reports the log-loss on held-out patients, which first falls and then rises when the trees begin to
learn the noise. A tuning job with early stopping cuts such trainings short.

    python examples/breast_cancer_boosting.py --rounds 20
    python examples/breast_cancer_boosting.py --learning_rate 0.3 --max_depth 4

The model is saved as the trees' arrays (``.npz``): reading it needs numpy alone and runs no code.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

try:
    from amt_flows.reporting import model_dir, report
except ImportError:  # in an image without amt-flows, put a copy of its reporting.py beside this script
    from reporting import model_dir, report  # type: ignore[import-not-found,no-redef]

Array = npt.NDArray[np.float64]

MODEL_FILE = "model.npz"
LEAF = -1


class Data(NamedTuple):
    rows: Array
    labels: Array
    validation_rows: Array
    validation_labels: Array


def load_data() -> Data:
    """569 patients with 30 measurements each; every third is held out."""
    from sklearn.datasets import load_breast_cancer

    rows, labels = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(rows))
    rows, labels = rows[order], labels[order].astype(np.float64)
    held_out = np.arange(len(rows)) % 3 == 0
    return Data(rows[~held_out], labels[~held_out], rows[held_out], labels[held_out])


def probability(scores: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-scores)))


def log_loss(labels: Array, scores: Array) -> float:
    """The mean cross-entropy of labels 0 and 1; from the scores, so that it is finite for sure models too."""
    return float(np.mean(np.logaddexp(0, scores) - labels * scores))


def train(data: Data, settings: argparse.Namespace) -> Any:
    """Grow one tree a round and report the validation log-loss after each."""
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(
        n_estimators=1,
        learning_rate=settings.learning_rate,
        max_depth=settings.max_depth,
        min_samples_leaf=settings.min_samples_leaf,
        subsample=settings.subsample,
        max_features=settings.max_features,
        random_state=settings.seed,
        warm_start=True,
    )
    scores = np.full(len(data.validation_labels), log_odds(data.labels))
    for round_ in range(1, settings.rounds + 1):
        model.set_params(n_estimators=round_)
        model.fit(data.rows, data.labels)
        # Only the new tree changes the scores; asking the model would walk through all of them.
        scores += settings.learning_rate * model.estimators_[-1, 0].predict(data.validation_rows)
        report({"validation:logloss": log_loss(data.validation_labels, scores)}, epoch=round_)
    return model


def log_odds(labels: Array) -> float:
    """The score that boosting starts from."""
    share = float(np.mean(labels))
    return float(np.log(share / (1 - share)))


# -- the model ------------------------------------------------------------------------------------


class Trees(NamedTuple):
    """The nodes of all trees, one after the other, as plain arrays."""

    first: float
    """The score that all patients start from."""
    learning_rate: float
    roots: npt.NDArray[np.int64]
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int64]
    threshold: Array
    value: Array

    def scores(self, rows: Array) -> Array:
        total = np.full(len(rows), self.first)
        # scikit-learn compares measurements in single precision.
        single = rows.astype(np.float32)
        for root in self.roots:
            total += self.learning_rate * self.value[self._leaves(single, int(root))]
        return total

    def _leaves(self, rows: npt.NDArray[np.float32], root: int) -> npt.NDArray[np.int64]:
        nodes = np.full(len(rows), root)
        while (inner := np.flatnonzero(self.left[nodes] != LEAF)).size:
            at = nodes[inner]
            low = rows[inner, self.feature[at]] <= self.threshold[at]
            nodes[inner] = np.where(low, self.left[at], self.right[at])
        return nodes


def trees_of(model: Any, first: float) -> Trees:
    trees = [stage[0].tree_ for stage in model.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])
    return Trees(
        first,
        float(model.learning_rate),
        roots,
        np.concatenate(list(_moved([tree.children_left for tree in trees], roots))),
        np.concatenate(list(_moved([tree.children_right for tree in trees], roots))),
        np.concatenate([tree.feature for tree in trees]),
        np.concatenate([tree.threshold for tree in trees]),
        np.concatenate([tree.value[:, 0, 0] for tree in trees]),
    )


def _moved(children: Sequence[Any], roots: Any) -> Iterator[npt.NDArray[np.int64]]:
    for nodes, root in zip(children, roots, strict=True):
        yield np.where(nodes == LEAF, LEAF, nodes + root)


def save_model(trees: Trees, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / MODEL_FILE
    arrays: dict[str, Any] = trees._asdict()
    np.savez(file, **arrays)
    return file


def load_model(directory: Path) -> Trees:
    """The trees that a training job saved."""
    with np.load(directory / MODEL_FILE, allow_pickle=False) as saved:
        arrays = {name: saved[name] for name in Trees._fields}
    return Trees(**arrays)


def predict(directory: Path, rows: Array) -> Array:
    """How likely the tumours are benign, according to the model saved in ``directory``."""
    return probability(load_model(directory).scores(rows))


def main() -> None:
    settings = _parser().parse_args()
    data = load_data()
    model = train(data, settings)
    file = save_model(trees_of(model, log_odds(data.labels)), Path(model_dir()))
    print(f"the model is in {file}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Boost decision trees on the breast cancer data.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--learning_rate", type=float, default=0.1, help="weight of each tree")
    add("--max_depth", type=int, default=3, help="of a tree")
    add("--min_samples_leaf", type=int, default=1, help="patients that a leaf must have")
    add("--subsample", type=float, default=1.0, help="share of the patients that a tree sees")
    add("--max_features", type=float, default=1.0, help="share of the measurements that a split looks at")
    add("--rounds", type=int, default=100, help="trees to grow")
    add("--seed", type=int, default=0, help="of the sampling")
    return parser


if __name__ == "__main__":
    main()
