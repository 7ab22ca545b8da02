"""A random forest reads the digits, and prints in words of its own; the other algorithm of digits.toml."""

import argparse

import joblib
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from amt_flows.reporting import model_dir

parser = argparse.ArgumentParser()
parser.add_argument("--n_estimators", type=int, default=100)
parser.add_argument("--max_features", type=float, default=0.3)
parser.add_argument("--min_samples_leaf", type=int, default=1)
model = RandomForestClassifier(random_state=0, oob_score=True, **vars(parser.parse_args()))

images, digits = load_digits(return_X_y=True)
model.fit(images, digits)
print(f"out-of-bag accuracy: {model.oob_score_}")
joblib.dump(model, model_dir() / "model.joblib")
