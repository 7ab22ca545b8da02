"""LightGBM's trees predict the course of diabetes, and report each boosting round."""

import argparse
import signal
from typing import Any

import lightgbm as lgb
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from amt_flows.reporting import model_dir, report

told_to_stop: list[int] = []


def report_round(round: Any) -> None:
    report({"validation:rmse": round.evaluation_result_list[0][2]}, epoch=round.iteration + 1)
    if told_to_stop:
        raise lgb.callback.EarlyStopException(round.iteration, round.evaluation_result_list)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--learning_rate", type=float, default=0.1)
    parser.add_argument("--num_leaves", type=int, default=31)
    parser.add_argument("--min_data_in_leaf", type=int, default=20)
    parser.add_argument("--feature_fraction", type=float, default=1)
    parser.add_argument("--bagging_fraction", type=float, default=1)
    parser.add_argument("--lambda_l2", type=float, default=0)
    parser.add_argument("--num_iterations", type=int, default=100)
    arguments = vars(parser.parse_args())
    rounds = arguments.pop("num_iterations")
    # A stopped job ends its round, and saves what it has.
    signal.signal(signal.SIGTERM, lambda number, _: told_to_stop.append(number))

    rows, courses = load_diabetes(return_X_y=True)
    train_x, valid_x, train_y, valid_y = train_test_split(rows, courses, random_state=0)
    train = lgb.Dataset(train_x, train_y)
    model = lgb.train(
        {
            "objective": "regression",
            "metric": "rmse",
            "bagging_freq": 1,
            "seed": 0,
            "verbose": -1,
            **arguments,
        },
        train,
        rounds,
        valid_sets=[train.create_valid(valid_x, valid_y)],
        valid_names=["validation"],
        callbacks=[report_round, lgb.early_stopping(20, verbose=False)],
    )
    # The last value is the job's: that of the model which is saved, the best round's.
    report({"validation:rmse": model.best_score["validation"]["rmse"]})
    model.save_model(model_dir() / "model.txt")


if __name__ == "__main__":
    main()
