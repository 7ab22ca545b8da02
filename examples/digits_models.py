"""Reads the digits with a model of the kind that it is told to use: a support vector machine, a forest of
decision trees, or a neural network. Each kind has hyperparameters of its own, and takes no others."""

import argparse
from typing import Any

import joblib
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from amt_flows.reporting import model_dir, report

HYPERPARAMETERS: dict[str, dict[str, type]] = {
    "svc": {"C": float, "gamma": float},
    "forest": {"trees": int, "depth": int},
    "mlp": {"hidden": str, "learning_rate": float},
}
EPOCHS = 20


def make(kind: str, given: argparse.Namespace) -> Any:
    if kind == "svc":
        return SVC(C=given.C, gamma=given.gamma)
    if kind == "forest":
        return RandomForestClassifier(given.trees, max_depth=given.depth, random_state=0)
    layers = tuple(int(units) for units in given.hidden.split("-"))
    return MLPClassifier(
        layers,
        learning_rate_init=given.learning_rate,
        max_iter=EPOCHS,
        n_iter_no_change=EPOCHS,
        random_state=0,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=HYPERPARAMETERS, required=True)
    kind = parser.parse_known_args()[0].model
    for name, type_ in HYPERPARAMETERS[kind].items():
        parser.add_argument(f"--{name}", type=type_, required=True)
    model = make(kind, parser.parse_args())

    images, digits = load_digits(return_X_y=True)
    train_x, valid_x, train_y, valid_y = train_test_split(
        images / 16, digits, test_size=0.5, random_state=0, stratify=digits
    )
    model.fit(train_x, train_y)
    report({"validation:accuracy": model.score(valid_x, valid_y)})
    joblib.dump(model, model_dir() / "model.joblib")


if __name__ == "__main__":
    main()
