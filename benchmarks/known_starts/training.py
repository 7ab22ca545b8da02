"""Real training of well-known algorithms on small data, over several metrics at once.

Data sets that scikit-learn ships or generates, none is downloaded. ``MADE_FROM`` are those that the set is
chosen on; ``ASIDE`` are others, small and noisy ones among them, for judging it. A loss depends on the
settings alone, as everything that draws is seeded.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

Settings = Mapping[str, Any]

FOLDS: Final = 2
WORST_LOG_LOSS: Final = 10.0


@dataclass(frozen=True)
class Data:
    """``regression``: the target is a number, else a class."""

    x: Any
    y: Any
    regression: bool = False


def _classes(n: int, **more: Any) -> Callable[[], Data]:
    def make() -> Data:
        from sklearn.datasets import make_classification

        return Data(*make_classification(n, **more))

    return make


@lru_cache(None)
def data(name: str) -> Data:
    """One of ``MADE_FROM`` or ``ASIDE``. Raises KeyError."""
    return _DATA[name]()


def _shipped(name: str) -> Callable[[], Data]:
    def make() -> Data:
        import sklearn.datasets

        x, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
        return Data(x, (y - y.mean()) / y.std(), True) if name == "diabetes" else Data(x, y)

    return make


def _odd_digits(wrong: float, n: int, seed: int) -> Callable[[], Data]:
    """Odd or even, a share of the labels wrong."""

    def make() -> Data:
        whole = _shipped("digits")()
        rng = np.random.default_rng(seed)
        some = rng.permutation(len(whole.y))[:n]
        return Data(whole.x[some], (whole.y[some] + (rng.random(n) < wrong)) % 2)

    return make


def _noisy_iris() -> Data:
    """Four features that tell something, and twelve that don't."""
    whole = _shipped("iris")()
    rng = np.random.default_rng(5)
    blurred = whole.x + rng.normal(size=whole.x.shape) * whole.x.std(axis=0) * 0.7
    return Data(np.hstack([blurred, rng.normal(size=(len(blurred), 12))]), whole.y)


def _generated(function: str, noise: float = 0.0, **more: Any) -> Callable[[], Data]:
    """One of scikit-learn's generators; ``noise`` turns that share of the classes round."""

    def make() -> Data:
        import sklearn.datasets

        x, y = getattr(sklearn.datasets, f"make_{function}")(**more)
        if function.startswith(("friedman", "sparse")):
            return Data(x, (y - y.mean()) / y.std(), True)
        _, y = np.unique(y, return_inverse=True)
        wrong = np.random.default_rng(len(y)).random(len(y)) < noise
        return Data(x, (y + wrong) % (y.max() + 1))

    return make


_DATA: Final[Mapping[str, Callable[[], Data]]] = {
    "breast cancer": _shipped("breast_cancer"),
    "wine": _shipped("wine"),
    "diabetes": _shipped("diabetes"),
    "odd digits": _odd_digits(0.0, 250, 1),
    "noisy classes": _classes(
        150, n_features=12, n_informative=4, n_redundant=3, flip_y=0.3, class_sep=0.9, random_state=2
    ),
    "clusters": _classes(
        250, n_features=20, n_informative=8, n_clusters_per_class=3, flip_y=0.05, random_state=7
    ),
    "noisy friedman 1": _generated("friedman1", n_samples=150, noise=2.0, random_state=1),
    "friedman 3": _generated("friedman3", n_samples=150, noise=0.2, random_state=3),
    "noisy iris": _noisy_iris,
    "moons": _generated("moons", noise=0.1, n_samples=150, random_state=8),
    "hastie": _generated("hastie_10_2", n_samples=200, random_state=9),
    "quantiles": _generated(
        "gaussian_quantiles", noise=0.2, n_samples=200, n_features=6, n_classes=3, random_state=10
    ),
    "tiny classes": _classes(
        60, n_features=25, n_informative=5, n_redundant=10, flip_y=0.15, random_state=11
    ),
    "noisy odd digits": _odd_digits(0.15, 200, 12),
    "friedman 2": _generated("friedman2", n_samples=80, noise=120.0, random_state=13),
    "sparse": _generated("sparse_uncorrelated", n_samples=150, n_features=15, random_state=14),
}
MADE_FROM: Final = tuple(_DATA)[:8]
ASIDE: Final = tuple(_DATA)[8:]


# -- algorithms -------------------------------------------------------------------------------------------

Fit = Callable[[Settings, Data], Any]
"""From settings and data to an estimator of scikit-learn's kind, not yet fitted."""


@dataclass(frozen=True)
class Learner:
    """``space``: of each hyperparameter its choices, or two ends and whether it is whole and logarithmic.
    ``defaults`` are the library's own, in the same names."""

    model: Fit
    space: Mapping[str, tuple[Any, ...]]
    defaults: Settings

    def drawn(self, rng: np.random.Generator) -> dict[str, Any]:
        return {name: _drawn(rng, *ends) for name, ends in self.space.items()}


def _drawn(rng: np.random.Generator, kind: Any, *rest: Any) -> Any:
    if isinstance(kind, tuple):
        return kind[int(rng.integers(len(kind)))]
    low, high, logarithmic = float(rest[0]), float(rest[1]), "log" in rest
    at = rng.random()
    value = math.exp(math.log(low) + at * math.log(high / low)) if logarithmic else low + at * (high - low)
    return round(value) if kind is int else float(f"{value:.4g}")


def losses(learner: Learner, settings: Settings, on: str) -> dict[str, float]:
    """The loss by metric, cross-validated: log-loss, error and 1 - AUC of classes, RMSE and mean absolute
    error of numbers. Infinite for a model that can't be fitted."""
    of, seen = data(on), []
    for train, test in _folds(of):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of models that haven't converged, which is what is measured
                model = learner.model(settings, of).fit(of.x[train], of.y[train])
                seen.append(_measured(model, of, test))
        except (ValueError, FloatingPointError, OverflowError):
            names = ("RMSE", "MAE") if of.regression else ("log-loss", "error", "1 - AUC")
            return dict.fromkeys(names, math.inf)
    return {name: float(np.mean([one[name] for one in seen])) for name in seen[0]}


def _folds(of: Data) -> Iterator[tuple[Any, Any]]:
    from sklearn.model_selection import KFold, StratifiedKFold

    divide = KFold if of.regression else StratifiedKFold
    yield from divide(FOLDS, shuffle=True, random_state=0).split(of.x, of.y)


def _measured(model: Any, of: Data, test: Any) -> dict[str, float]:
    from sklearn.metrics import roc_auc_score

    truth = of.y[test]
    if of.regression:
        gaps = np.asarray(model.predict(of.x[test])) - truth
        return {"RMSE": float(np.sqrt((gaps**2).mean())), "MAE": float(np.abs(gaps).mean())}
    shares = np.asarray(model.predict_proba(of.x[test]))
    shares = np.nan_to_num(shares / shares.sum(axis=1, keepdims=True), nan=1 / shares.shape[1])
    several = shares.shape[1] > 2
    auc = roc_auc_score(truth, shares if several else shares[:, 1], multi_class="ovr")
    right = np.clip(shares[np.arange(len(truth)), truth], math.exp(-WORST_LOG_LOSS), 1.0)
    error = float((shares.argmax(axis=1) != truth).mean())
    return {"log-loss": float(-np.log(right).mean()), "error": error, "1 - AUC": 1 - float(auc)}


def _xgboost(s: Settings, of: Data) -> Any:
    import xgboost

    named = {"nrounds": "n_estimators", "eta": "learning_rate", "alpha": "reg_alpha", "lambda": "reg_lambda"}
    kind = xgboost.XGBRegressor if of.regression else xgboost.XGBClassifier
    given = {named.get(name, name): value for name, value in s.items()}
    if given.get("booster") == "gblinear":
        linear = ("n_estimators", "learning_rate", "reg_alpha", "reg_lambda", "booster")
        given = {name: value for name, value in given.items() if name in linear}
    return kind(**given, n_jobs=1, random_state=0)


def _lightgbm(s: Settings, of: Data) -> Any:
    import lightgbm

    kind = lightgbm.LGBMRegressor if of.regression else lightgbm.LGBMClassifier
    return kind(**s, subsample_freq=1, n_jobs=1, random_state=0, verbose=-1)


def _forest(s: Settings, of: Data) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    if of.regression:
        return RandomForestRegressor(**{k: v for k, v in s.items() if k != "criterion"}, random_state=0)
    return RandomForestClassifier(**s, random_state=0)


def _tree(s: Settings, of: Data) -> Any:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if of.regression:
        return DecisionTreeRegressor(**{k: v for k, v in s.items() if k != "criterion"}, random_state=0)
    return DecisionTreeClassifier(**s, random_state=0)


def _boosting(s: Settings, of: Data) -> Any:
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    kind = GradientBoostingRegressor if of.regression else GradientBoostingClassifier
    return kind(**s, random_state=0)


def _scaled(model: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), model)


def _svm(s: Settings, of: Data) -> Any:
    from sklearn.svm import SVC, SVR

    if of.regression:
        return _scaled(SVR(**s, max_iter=20_000))
    from sklearn.calibration import CalibratedClassifierCV

    model = SVC(**s, max_iter=20_000, random_state=0)
    return _scaled(CalibratedClassifierCV(model, ensemble=False, cv=3))


def _logistic(s: Settings, of: Data) -> Any:
    from sklearn.linear_model import ElasticNet, LogisticRegression

    if of.regression:  # the same penalty, per row: C is the inverse of its strength
        strength = 1 / (s["C"] * len(of.y))
        return _scaled(ElasticNet(alpha=strength, l1_ratio=s["l1_ratio"], max_iter=3000))
    return _scaled(
        LogisticRegression(C=s["C"], l1_ratio=s["l1_ratio"], solver="saga", max_iter=300, random_state=0)
    )


def _elastic_net(s: Settings, of: Data) -> Any:
    from sklearn.linear_model import ElasticNet, SGDClassifier

    if of.regression:
        return _scaled(ElasticNet(**s, max_iter=3000))
    return _scaled(SGDClassifier(loss="log_loss", penalty="elasticnet", **s, max_iter=200, random_state=0))


def _network(s: Settings, of: Data) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPRegressor if of.regression else MLPClassifier
    own = {name: value for name, value in s.items() if name not in ("units", "layers")}
    hidden = (s["units"],) * s["layers"]
    return _scaled(kind(hidden_layer_sizes=hidden, **own, max_iter=40, random_state=0))


def _neighbours(s: Settings, of: Data) -> Any:
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    return _scaled((KNeighborsRegressor if of.regression else KNeighborsClassifier)(**s))


LEARNERS: Final[Mapping[str, Learner]] = {
    "xgboost": Learner(
        _xgboost,
        {
            "eta": (float, 0.003, 0.5, "log"),
            "nrounds": (int, 20, 400, "log"),
            "max_depth": (int, 1, 12),
            "min_child_weight": (float, 0.5, 50, "log"),
            "subsample": (float, 0.3, 1.0),
            "colsample_bytree": (float, 0.2, 1.0),
            "gamma": (float, 1e-4, 5, "log"),
            "lambda": (float, 1e-3, 100, "log"),
            "alpha": (float, 1e-3, 10, "log"),
        },
        {
            "eta": 0.3,
            "nrounds": 100,
            "max_depth": 6,
            "min_child_weight": 1,
            "subsample": 1.0,
            "colsample_bytree": 1.0,
            "gamma": 0.0,
            "lambda": 1.0,
            "alpha": 0.0,
        },
    ),
    "lightgbm": Learner(
        _lightgbm,
        {
            "learning_rate": (float, 0.003, 0.5, "log"),
            "n_estimators": (int, 20, 400, "log"),
            "num_leaves": (int, 2, 128, "log"),
            "max_depth": ((-1, 2, 4, 6, 10),),
            "min_child_samples": (int, 1, 60, "log"),
            "subsample": (float, 0.3, 1.0),
            "colsample_bytree": (float, 0.2, 1.0),
            "reg_alpha": (float, 1e-4, 10, "log"),
            "reg_lambda": (float, 1e-4, 100, "log"),
        },
        {
            "learning_rate": 0.1,
            "n_estimators": 100,
            "num_leaves": 31,
            "max_depth": -1,
            "min_child_samples": 20,
            "subsample": 1.0,
            "colsample_bytree": 1.0,
            "reg_alpha": 0.0,
            "reg_lambda": 0.0,
        },
    ),
    "gradient boosting": Learner(
        _boosting,
        {
            "learning_rate": (float, 0.003, 0.5, "log"),
            "n_estimators": (int, 20, 200, "log"),
            "max_depth": (int, 1, 10),
            "min_samples_leaf": (int, 1, 40, "log"),
            "min_samples_split": (int, 2, 40, "log"),
            "subsample": (float, 0.3, 1.0),
            "max_features": (float, 0.1, 1.0),
        },
        {
            "learning_rate": 0.1,
            "n_estimators": 100,
            "max_depth": 3,
            "min_samples_leaf": 1,
            "min_samples_split": 2,
            "subsample": 1.0,
            "max_features": 1.0,
        },
    ),
    "random forest": Learner(
        _forest,
        {
            "n_estimators": (int, 20, 120, "log"),
            "max_depth": (int, 2, 30),
            "min_samples_leaf": (int, 1, 20, "log"),
            "min_samples_split": (int, 2, 20, "log"),
            "max_features": (float, 0.05, 1.0),
            "criterion": (("gini", "entropy"),),
        },
        {
            "n_estimators": 100,
            "max_depth": 30,
            "min_samples_leaf": 1,
            "min_samples_split": 2,
            "max_features": 0.3,
            "criterion": "gini",
        },
    ),
    "decision tree": Learner(
        _tree,
        {
            "max_depth": (int, 1, 20),
            "min_samples_leaf": (int, 1, 60, "log"),
            "min_samples_split": (int, 2, 100, "log"),
            "ccp_alpha": (float, 1e-5, 0.1, "log"),
            "criterion": (("gini", "entropy"),),
        },
        {
            "max_depth": 20,
            "min_samples_leaf": 1,
            "min_samples_split": 2,
            "ccp_alpha": 0.0,
            "criterion": "gini",
        },
    ),
    "support vector machine": Learner(
        _svm,
        {
            "C": (float, 1e-3, 1e3, "log"),
            "gamma": (float, 1e-5, 10, "log"),
            "kernel": (("rbf", "linear", "poly", "sigmoid"),),
        },
        {"C": 1.0, "gamma": 0.05, "kernel": "rbf"},
    ),
    "logistic regression": Learner(
        _logistic,
        {"C": (float, 1e-4, 1e3, "log"), "l1_ratio": (float, 0.0, 1.0)},
        {"C": 1.0, "l1_ratio": 0.0},
    ),
    "elastic net": Learner(
        _elastic_net,
        {"alpha": (float, 1e-5, 10, "log"), "l1_ratio": (float, 0.0, 1.0)},
        {"alpha": 1e-4, "l1_ratio": 0.15},
    ),
    "neural network": Learner(
        _network,
        {
            "learning_rate_init": (float, 1e-4, 0.3, "log"),
            "alpha": (float, 1e-6, 10, "log"),
            "units": (int, 8, 256, "log"),
            "layers": (int, 1, 3),
            "batch_size": (int, 8, 128, "log"),
            "activation": (("relu", "tanh", "logistic"),),
            "solver": (("adam", "sgd"),),
        },
        {
            "learning_rate_init": 0.001,
            "alpha": 1e-4,
            "units": 100,
            "layers": 1,
            "batch_size": 128,
            "activation": "relu",
            "solver": "adam",
        },
    ),
    "nearest neighbours": Learner(
        _neighbours,
        {
            "n_neighbors": (int, 1, 40, "log"),
            "p": (float, 1.0, 4.0),
            "weights": (("uniform", "distance"),),
        },
        {"n_neighbors": 5, "p": 2.0, "weights": "uniform"},
    ),
}
