"""Logistic regression reads the digits; one of the two algorithms of digits.toml."""

import argparse

import joblib
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from amt_flows.reporting import model_dir, report

parser = argparse.ArgumentParser()
parser.add_argument("--C", type=float, default=1.0)
model = LogisticRegression(C=parser.parse_args().C, max_iter=300)

images, digits = load_digits(return_X_y=True)
report({"validation:accuracy": cross_val_score(model, images / 16, digits, cv=3).mean()})
joblib.dump(model.fit(images / 16, digits), model_dir() / "model.joblib")
