"""Tasks beside the benchmark's: eight models of scikit-learn on small data, trained and cross-validated live.

Nothing about the strategy was chosen on them, so they say how it does elsewhere. ``--tasks own`` runs them
all. A loss depends on the configuration alone, as everything that draws is seeded.

    python benchmarks/optimiser/own_tasks.py DIR     # DIR: the benchmark's folder; prints REFERENCES
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

PREFIX: Final = "own:"
DRAWS: Final = 300

# The least loss of 300 random configurations, and their median.
REFERENCES: Final[Mapping[str, Mapping[str, float]]] = {
    "own:svm_odd_digits": {"best": -0.910659, "median": -0.796111},
    "own:svm_clusters": {"best": -0.833672, "median": -0.684317},
    "own:forest_clusters": {"best": 0.549298, "median": 0.633079},
    "own:network_digits": {"best": -0.915, "median": -0.17375},
    "own:boosting_friedman": {"best": 0.254801, "median": 0.663209},
    "own:linear_clusters": {"best": -0.82008, "median": -0.640445},
    "own:neighbours_digits": {"best": -0.962518, "median": -0.895008},
    "own:elastic_net_friedman": {"best": 0.152112, "median": 0.411567},
}

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """As the benchmark's simulator wants one. A job lasts a minute."""

    space: Any
    evaluate: Callable[[Settings], float]

    def final(self, configuration: Settings, seed: int = 0) -> tuple[float, float]:
        del seed
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of models that haven't converged, which is what is measured
            return self.evaluate(configuration), 60.0

    def loss(self, metric: float) -> float:
        return metric


@lru_cache(None)
def get(name: str) -> Task:
    """Raises KeyError for a name that is none of ours."""
    return _TASKS[name.removeprefix(PREFIX)]()


def _space(*parameters: tuple[Any, ...]) -> Any:
    """Each parameter is a name, then choices or ``int``/``float`` with two ends; then, if it has them,
    ``log`` and its condition."""
    from amtbench.space import Param, Space  # type: ignore[import-not-found]

    made = []
    for name, kind, *rest in parameters:
        condition = next((one for one in rest if isinstance(one, tuple)), None)
        if isinstance(kind, tuple):
            made.append(Param(name, "cat", choices=kind, cond=condition))
        else:
            low, high = rest[:2]
            made.append(Param(name, kind.__name__, low, high, "log" in rest, cond=condition))
    return Space(made)


# -- data -----------------------------------------------------------------------------------------


@lru_cache(None)
def _digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    some = np.random.default_rng(11).permutation(len(y))[:400]
    return x[some] / 16, y[some]


@lru_cache(None)
def _odd_digits() -> tuple[Any, Any]:
    """Odd or even, one label in twelve wrong: otherwise nearly every model is perfect."""
    x, y = _digits()
    wrong = np.random.default_rng(12).random(len(y)) < 1 / 12
    return x * 16, (y + wrong) % 2


@lru_cache(None)
def _clusters() -> tuple[Any, Any]:
    from sklearn.datasets import make_classification

    x, y = make_classification(
        320,
        18,
        n_informative=7,
        n_redundant=5,
        n_clusters_per_class=3,
        flip_y=0.08,
        class_sep=0.8,
        random_state=4,
    )
    return x, y


@lru_cache(None)
def _friedman() -> tuple[Any, Any]:
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(300, 10, noise=1.5, random_state=3)
    return x, (y - y.mean()) / y.std()


def _cross_validated(data: tuple[Any, Any], scoring: str, *steps: Any, folds: int = 3) -> float:
    """The mean loss over the folds. Scores of scikit-learn are better when they are greater."""
    from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline

    x, y = data
    divide = KFold if scoring == "neg_mean_squared_error" else StratifiedKFold
    by = divide(folds, shuffle=True, random_state=0)
    return -float(np.mean(cross_val_score(make_pipeline(*steps), x, y, scoring=scoring, cv=by)))


# -- tasks ----------------------------------------------------------------------------------------


def _svm(data: Callable[[], tuple[Any, Any]]) -> Task:
    def evaluate(c: Settings) -> float:
        from sklearn.decomposition import PCA
        from sklearn.preprocessing import MinMaxScaler, StandardScaler
        from sklearn.svm import SVC

        scaler = {"standard": StandardScaler(), "minmax": MinMaxScaler(), "none": "passthrough"}
        own = {name: c[name] for name in ("C", "kernel", "gamma", "degree", "coef0") if name in c}
        weight = "balanced" if c["balanced"] else None
        model = SVC(**own, class_weight=weight, max_iter=800, random_state=0)
        reduced = PCA(c["components"], random_state=0)
        return _cross_validated(data(), "roc_auc", scaler[c["scaler"]], reduced, model)

    return Task(
        _space(
            ("C", float, 1e-3, 1e3, "log"),
            ("kernel", ("rbf", "poly", "sigmoid", "linear")),
            ("components", int, 2, 17),
            ("scaler", ("standard", "minmax", "none")),
            ("balanced", (False, True)),
            ("gamma", float, 1e-5, 1e1, "log", ("kernel", ("rbf", "poly", "sigmoid"))),
            ("degree", int, 2, 5, ("kernel", ("poly",))),
            ("coef0", float, 0.0, 1.0, ("kernel", ("poly", "sigmoid"))),
        ),
        evaluate,
    )


def _forest() -> Task:
    def evaluate(c: Settings) -> float:
        from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

        kind = RandomForestClassifier if c["kind"] == "random" else ExtraTreesClassifier
        model = kind(
            c["trees"],
            max_depth=c["depth"],
            min_samples_leaf=c["leaf"],
            min_samples_split=c["split"],
            max_features=c["features"],
            bootstrap=c["bootstrap"],
            criterion=c["criterion"],
            random_state=0,
        )
        return _cross_validated(_clusters(), "neg_log_loss", model)

    return Task(
        _space(
            ("trees", int, 5, 60, "log"),
            ("depth", int, 1, 16),
            ("leaf", int, 1, 20, "log"),
            ("split", int, 2, 20, "log"),
            ("features", float, 0.05, 1.0),
            ("bootstrap", (True, False)),
            ("criterion", ("gini", "entropy")),
            ("kind", ("random", "extra")),
        ),
        evaluate,
    )


def _network() -> Task:
    def evaluate(c: Settings) -> float:
        from sklearn.neural_network import MLPClassifier

        model = MLPClassifier(
            (c["first"], c["second"])[: c["layers"]],
            activation=c["activation"],
            solver=c["solver"],
            alpha=c["alpha"],
            batch_size=min(c["batch_size"], 200),
            learning_rate_init=c["learning_rate"],
            max_iter=c["epochs"],
            momentum=c.get("momentum", 0.9),
            random_state=0,
        )
        return _cross_validated(_digits(), "accuracy", model, folds=2)

    return Task(
        _space(
            ("learning_rate", float, 1e-4, 1.0, "log"),
            ("first", int, 4, 128, "log"),
            ("layers", int, 1, 2),
            ("second", int, 4, 128, "log"),
            ("alpha", float, 1e-7, 1.0, "log"),
            ("batch_size", int, 16, 256, "log"),
            ("solver", ("adam", "sgd")),
            ("momentum", float, 0.0, 0.99, ("solver", ("sgd",))),
            ("activation", ("relu", "tanh", "logistic")),
            ("epochs", int, 3, 25, "log"),
        ),
        evaluate,
    )


def _boosting() -> Task:
    def evaluate(c: Settings) -> float:
        from sklearn.ensemble import GradientBoostingRegressor

        model = GradientBoostingRegressor(
            loss=c["loss"],
            n_estimators=c["trees"],
            learning_rate=c["learning_rate"],
            max_depth=c["depth"],
            min_samples_leaf=c["leaf"],
            subsample=c["rows"],
            max_features=c["features"],
            alpha=c.get("alpha", 0.9),
            random_state=0,
        )
        return _cross_validated(_friedman(), "neg_mean_squared_error", model, folds=2)

    return Task(
        _space(
            ("trees", int, 5, 80, "log"),
            ("learning_rate", float, 5e-3, 1.0, "log"),
            ("depth", int, 1, 8),
            ("leaf", int, 1, 40, "log"),
            ("rows", float, 0.2, 1.0),
            ("features", float, 0.1, 1.0),
            ("loss", ("squared_error", "huber", "absolute_error")),
            ("alpha", float, 0.5, 0.99, ("loss", ("huber",))),
        ),
        evaluate,
    )


def _linear() -> Task:
    def evaluate(c: Settings) -> float:
        from sklearn.kernel_approximation import Nystroem
        from sklearn.linear_model import SGDClassifier
        from sklearn.preprocessing import StandardScaler

        names = {"l1_ratio": "l1_ratio", "rate": "eta0", "power": "power_t"}
        model = SGDClassifier(
            loss=c["loss"],
            penalty=c["penalty"],
            alpha=c["alpha"],
            learning_rate=c["schedule"],
            max_iter=c["epochs"],
            tol=None,
            average=c["average"],
            random_state=0,
            **{theirs: c[ours] for ours, theirs in names.items() if ours in c},
        )
        kernel = Nystroem(n_components=c["features"], gamma=c["gamma"], random_state=0)
        return _cross_validated(_clusters(), "roc_auc", StandardScaler(), kernel, model)

    return Task(
        _space(
            ("loss", ("hinge", "log_loss", "modified_huber", "perceptron")),
            ("penalty", ("l1", "l2", "elasticnet")),
            ("alpha", float, 1e-7, 1.0, "log"),
            ("l1_ratio", float, 0.0, 1.0, ("penalty", ("elasticnet",))),
            ("schedule", ("optimal", "constant", "invscaling")),
            ("rate", float, 1e-4, 10.0, "log", ("schedule", ("constant", "invscaling"))),
            ("power", float, 0.05, 1.0, ("schedule", ("invscaling",))),
            ("epochs", int, 1, 40, "log"),
            ("average", (True, False)),
            ("features", int, 5, 120, "log"),
            ("gamma", float, 1e-3, 10.0, "log"),
        ),
        evaluate,
    )


def _neighbours() -> Task:
    def evaluate(c: Settings) -> float:
        from sklearn.decomposition import PCA
        from sklearn.feature_selection import SelectKBest
        from sklearn.neighbors import KNeighborsClassifier

        model = KNeighborsClassifier(c["neighbours"], p=c["power"], weights=c["weights"])
        reduced = PCA(min(c["components"], c["pixels"]), whiten=c["whiten"], random_state=0)
        return _cross_validated(_digits(), "accuracy", SelectKBest(k=c["pixels"]), reduced, model)

    return Task(
        _space(
            ("neighbours", int, 1, 40, "log"),
            ("power", float, 1.0, 4.0),
            ("weights", ("uniform", "distance")),
            ("components", int, 2, 40),
            ("whiten", (True, False)),
            ("pixels", int, 8, 64),
        ),
        evaluate,
    )


def _elastic_net() -> Task:
    def evaluate(c: Settings) -> float:
        from sklearn.linear_model import ElasticNet
        from sklearn.preprocessing import (
            PolynomialFeatures,
            PowerTransformer,
            QuantileTransformer,
            SplineTransformer,
            StandardScaler,
        )

        scaler = {
            "standard": StandardScaler(),
            "quantile": QuantileTransformer(n_quantiles=50),
            "power": PowerTransformer(),
        }
        features: Any = "passthrough"
        if c["features"] == "polynomial":
            features = PolynomialFeatures(c["degree"], interaction_only=c["interactions"])
        elif c["features"] == "spline":
            features = SplineTransformer(c["knots"], c["degree"])
        model = ElasticNet(alpha=c["alpha"], l1_ratio=c["l1_ratio"], max_iter=300, random_state=0)
        x, y = _friedman()
        steps = (scaler[c["scaler"]], features, StandardScaler(), model)
        return _cross_validated((x[:150], y[:150]), "neg_mean_squared_error", *steps)

    kinds = ("polynomial", "spline")
    return Task(
        _space(
            ("features", (*kinds, "none")),
            ("degree", int, 1, 3, ("features", kinds)),
            ("interactions", (True, False), ("features", ("polynomial",))),
            ("knots", int, 2, 8, ("features", ("spline",))),
            ("alpha", float, 1e-5, 10.0, "log"),
            ("l1_ratio", float, 0.0, 1.0),
            ("scaler", ("standard", "quantile", "power")),
        ),
        evaluate,
    )


_TASKS: Final[Mapping[str, Callable[[], Task]]] = {
    "svm_odd_digits": lambda: _svm(_odd_digits),
    "svm_clusters": lambda: _svm(_clusters),
    "forest_clusters": _forest,
    "network_digits": _network,
    "boosting_friedman": _boosting,
    "linear_clusters": _linear,
    "neighbours_digits": _neighbours,
    "elastic_net_friedman": _elastic_net,
}
NAMES: Final = tuple(PREFIX + name for name in _TASKS)


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    for name in NAMES:
        task, rng = get(name), np.random.default_rng(0)
        losses = [task.final(task.space.sample(rng))[0] for _ in range(DRAWS)]
        print(f'    "{name}": {{"best": {min(losses):.6g}, "median": {np.median(losses):.6g}}},', flush=True)


if __name__ == "__main__":
    main()
