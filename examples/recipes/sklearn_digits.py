"""A multi-layer perceptron of scikit-learn reads the digits, an epoch at a time."""

import argparse

import joblib
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from amt_flows.reporting import model_dir, report


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--learning_rate_init", type=float, default=0.001)
    parser.add_argument("--alpha", type=float, default=0.0001)
    parser.add_argument("--batch_size", type=int, default=200)
    parser.add_argument("--hidden_units", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=30)
    arguments = vars(parser.parse_args())
    epochs, hidden_units = arguments.pop("epochs"), arguments.pop("hidden_units")

    images, digits = load_digits(return_X_y=True)
    train_x, valid_x, train_y, valid_y = train_test_split(
        images / 16, digits, random_state=0, stratify=digits
    )
    model = MLPClassifier((hidden_units,), random_state=0, **arguments)
    for epoch in range(1, epochs + 1):
        model.partial_fit(train_x, train_y, classes=range(10))
        report({"validation:accuracy": model.score(valid_x, valid_y)}, epoch=epoch)
        # Whole or not at all: whenever SIGTERM comes, the last epoch's model is there.
        scratch = model_dir() / ".model.joblib"
        joblib.dump(model, scratch)
        scratch.replace(model_dir() / "model.joblib")


if __name__ == "__main__":
    main()
