"""XGBoost's trees tell malignant from benign, and report each boosting round."""

import argparse
import signal
from typing import Any

import xgboost as xgb
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from amt_flows.reporting import model_dir, report

told_to_stop: list[int] = []


class Report(xgb.callback.TrainingCallback):
    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        report({"validation:logloss": evals_log["validation"]["logloss"][-1]}, epoch=epoch + 1)
        return bool(told_to_stop)  # True ends the training


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--eta", type=float, default=0.3)
    parser.add_argument("--max_depth", type=int, default=6)
    parser.add_argument("--min_child_weight", type=float, default=1)
    parser.add_argument("--subsample", type=float, default=1)
    parser.add_argument("--colsample_bytree", type=float, default=1)
    parser.add_argument("--lambda", type=float, default=1)
    parser.add_argument("--num_round", type=int, default=200)
    arguments = vars(parser.parse_args())
    rounds = arguments.pop("num_round")
    # A stopped job ends its round, and saves what it has.
    signal.signal(signal.SIGTERM, lambda number, _: told_to_stop.append(number))

    rows, labels = load_breast_cancer(return_X_y=True)
    train_x, valid_x, train_y, valid_y = train_test_split(rows, labels, random_state=0, stratify=labels)
    train, valid = xgb.DMatrix(train_x, train_y), xgb.DMatrix(valid_x, valid_y)
    best = xgb.callback.EarlyStopping(rounds=20, save_best=True)
    model = xgb.train(
        {"objective": "binary:logistic", "eval_metric": "logloss", "seed": 0, **arguments},
        train,
        rounds,
        evals=[(valid, "validation")],
        callbacks=[best, Report()],  # who ends the training keeps the round from those behind it
        verbose_eval=False,
    )
    # The last value is the job's: that of the model which is saved, the best round's.
    report({"validation:logloss": model.best_score})
    model.save_model(model_dir() / "xgboost-model.json")


if __name__ == "__main__":
    main()
