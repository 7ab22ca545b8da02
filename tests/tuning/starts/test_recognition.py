"""A well-known algorithm is recognised where that is certain, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amt_flows.spec import TuningSpec
from amt_flows.tuning.starts.known_set import known_set
from amt_flows.tuning.starts.recognition import recognised
from amt_flows.tuning.starts.script import script_of
from worlds import spec


def number(name: str, low: float, high: float) -> dict[str, Any]:
    return {"name": name, "min_value": low, "max_value": high}


RATE, SHARE = number("eta", 0.01, 0.5), number("subsample", 0.5, 1.0)
DEPTH, ROUNDS = number("max_depth", 2, 10), number("num_round", 10, 300)
BOOSTED: dict[str, Any] = {"continuous": [RATE, SHARE], "integer": [DEPTH, ROUNDS]}


def name_of(asked: TuningSpec) -> str | None:
    found = recognised(asked, asked.space(), script_of(asked), known_set())
    return None if found is None else found.algorithm.name


def wanted(folder: Path | None = None, source: str = "", **changes: Any) -> TuningSpec:
    job: dict[str, Any] = {"command": ["train"], **changes.pop("job", {})}
    if folder is not None:
        (folder / "train.py").write_text(source)
        job |= {"command": ["python", "train.py"], "working_directory": str(folder)}
    return spec(strategy="Bayesian", training_job=job, **{"continuous": [], **changes})


LEARNING = number("learning_rate", 1e-4, 0.1)
BATCH = number("batch_size", 16, 256)
NETWORK = [number("lr", 1e-4, 0.1), number("momentum", 0.5, 0.99), number("dropout", 0, 0.5)]
MACHINE = [number("svc__C", 0.1, 100), number("svc__gamma", 1e-4, 1)]
FACTORS = [number("factors_lr", 1e-6, 1), number("linear_lr", 1e-6, 1)]
IMPUTATION = {"name": "imputation", "values": ["mean", "median"]}


@pytest.mark.parametrize(
    ("ranges", "name"),
    [
        (BOOSTED, "XGBoost"),
        ({"continuous": [LEARNING], "integer": [number("num-leaves", 8, 64)]}, "LightGBM"),
        ({"continuous": MACHINE}, "support vector machine"),
        (
            {"continuous": [number("cp", 1e-3, 0.1)], "integer": [number("minsplit", 2, 40)]},
            "decision tree (rpart)",
        ),
        ({"continuous": [number("alpha", 0, 1), number("s", 1e-4, 10)]}, "elastic net (glmnet)"),
        ({"continuous": NETWORK, "integer": [BATCH]}, "network trained by SGD"),
        ({"continuous": FACTORS}, "SageMaker's factorization machines"),
        # One hyperparameter in three may be another's; half of them is too much.
        ({**BOOSTED, "categorical": [IMPUTATION]}, "XGBoost"),
        ({"continuous": [RATE, number("wing", 0, 1), number("chord", 0, 1)], "integer": [DEPTH]}, None),
        # A subsample of 50 is no share of the rows, and a rate of 40 none of learning.
        ({**BOOSTED, "continuous": [RATE, number("subsample", 5, 50)]}, None),
        ({"continuous": [number("eta", 10, 40), SHARE], "integer": [DEPTH, ROUNDS]}, None),
        # Names that many algorithms have tell none.
        ({"continuous": [LEARNING]}, None),
        ({"continuous": [LEARNING], "integer": [BATCH]}, None),
        ({"continuous": [number("alpha", 0, 1), number("lambda", 1e-4, 10)]}, None),
        ({"continuous": [number("x", 0, 1), number("y", 0, 1)]}, None),
        ({"continuous": [number("p", 1, 4)], "integer": [number("k", 1, 40)]}, None),
        ({"continuous": [number("reg_lambda", 1e-3, 10)], "integer": [DEPTH]}, None),
        # Twice the same one.
        ({"continuous": [RATE, LEARNING, SHARE], "integer": [DEPTH]}, None),
    ],
)
def test_names_and_ranges_tell_where_there_is_nothing_else(ranges: dict[str, Any], name: str | None) -> None:
    assert name_of(wanted(**ranges)) == name


GENERAL: dict[str, Any] = {
    "continuous": [number("learning_rate", 0.01, 0.3)],
    "integer": [DEPTH, number("n_estimators", 20, 300)],
}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import xgboost as xgb\nxgb.train({})", "XGBoost"),
        ("def f():\n    from lightgbm import LGBMClassifier", "LightGBM"),
        ("import sklearn.ensemble\nsklearn.ensemble.GradientBoostingRegressor()", "gradient boosting"),
        # It has the library's other algorithm, or none at all.
        ("from sklearn.svm import SVC\nSVC()", None),
        ("print('a wind tunnel')", None),
        ("import xgboostish", None),
        # Which of both it is, nobody can tell.
        ("import xgboost, lightgbm", None),
        # No Python of ours: the names decide.
        ("print 'Python 2'", "gradient boosting"),
    ],
)
def test_a_script_that_can_be_read_must_agree(tmp_path: Path, source: str, name: str | None) -> None:
    assert name_of(wanted(tmp_path, source, **GENERAL)) == name


def test_a_script_is_read_and_never_run_with_the_modules_beside_it(tmp_path: Path) -> None:
    boom = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    (tmp_path / "model.py").write_text(boom + "import xgboost\nimport train\n")
    asked = wanted(tmp_path, boom + "import model\n", **GENERAL)
    assert name_of(asked) == "XGBoost"
    as_module = wanted(
        **GENERAL, job={"command": ["python", "-m", "train"], "working_directory": str(tmp_path)}
    )
    assert name_of(as_module) == "XGBoost"
    as_function = wanted(
        **GENERAL, job={"command": [], "function": "train:main", "working_directory": str(tmp_path)}
    )
    assert name_of(as_function) == "XGBoost"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("123.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.7-1", "XGBoost"),
        ("123.dkr.ecr.eu-west-1.amazonaws.com/linear-learner:1", None),
        ("123.dkr.ecr.eu-west-1.amazonaws.com/ours:7", "gradient boosting"),
    ],
)
def test_an_image_tells_and_another_algorithms_speaks_against_it(image: str, name: str | None) -> None:
    job = {"command": [], "sagemaker": {"AlgorithmSpecification": {"TrainingImage": image}}}
    assert name_of(wanted(**GENERAL, job=job)) == name
