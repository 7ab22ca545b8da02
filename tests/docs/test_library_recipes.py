"""The libraries' recipes, really run: each library's own output is read, its example tunes, and what a stop
leaves behind is a model that is as good as the last value says.

Most need more than the ``test`` extra, have a marker of their own, and are run by
``pip install '.[test,recipes]'`` and ``pytest -m recipes``.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from amt_flows.backends.places import open_journal
from amt_flows.ledger.record import load_ledger
from amt_flows.metrics.reading import read_values
from amt_flows.results import TrainingJobRecord, TuningResult, result_of
from amt_flows.spec import MetricDefinition, metric_definitions
from docs.recipes import EXAMPLE, EXAMPLES, PATIENCE_SECONDS, VARIABLES, blocks, reported, run
from programs import environment

# Libraries that take long to load, several times a test.
pytestmark = pytest.mark.timeout(900)

IN_EVERY_RUN = "scikit-learn"


def of_each(*names: str) -> pytest.MarkDecorator:
    """Parametrizes by the library; every run of the tests has what one of them needs."""
    marked = {True: pytest.mark.slow, False: pytest.mark.recipes}
    return pytest.mark.parametrize("name", [pytest.param(n, marks=marked[n == IN_EVERY_RUN]) for n in names])


def tuned(tmp_path: Path, file: Path, *changes: str) -> TuningResult:
    """What became of the tuning job of a file, with these fields of its spec changed."""
    arguments = [word for change in changes for word in ("--set", change)]
    run(tmp_path, "-m", "amt_flows", "run", str(file), "--name", "recipe", "--quiet", *arguments)
    journal = open_journal("recipe", tmp_path / "home")
    return result_of(load_ledger(journal, "recipe"), journal.location)


def output_of(job: TrainingJobRecord) -> str:
    assert job.log is not None
    return Path(job.log.removeprefix("file://")).read_text(encoding="utf-8")


def model_of(job: TrainingJobRecord) -> Path:
    assert job.artifact is not None
    return Path(job.artifact.removeprefix("file://"))


# -- scripts that are left as they are -------------------------------------------------------------------

READY_MADE: dict[str, MetricDefinition] = {
    "xgboost": metric_definitions.xgboost("logloss"),
    "lightgbm": metric_definitions.lightgbm("rmse", data="validation"),
    "keras": metric_definitions.keras("val_accuracy"),
}
LINES = {
    "scikit-learn": r"^Iteration ",
    "xgboost": r"^\[\d+\]\s",
    "pytorch": r"^epoch \d+: ",
    "keras": r"^Epoch ",
}


@of_each(*EXAMPLE)
def test_a_script_as_it_is_is_tuned_by_its_own_output(name: str, tmp_path: Path) -> None:
    (script,) = [block for block in blocks(name, "python") if block.startswith("# train.py")]
    (settings,) = [block for block in blocks(name, "toml") if "metric_definitions" in block]
    assert "amt_flows" not in script
    (tmp_path / "train.py").write_text(script)
    rate = re.findall(r'"--(\w*(?:rate\w*|lr|eta))"', script)[0]
    limits = "\n[limits]\nmax_number_of_training_jobs = 1\n[training_job]\ncommand = 'python train.py'\n"
    given = settings.replace(
        "\n[[training_job.metric_definitions]]", f"{limits}\n[[training_job.metric_definitions]]"
    )
    ranges = f"[[continuous]]\nname = '{rate}'\nmin_value = 0.005\nmax_value = 0.05\n"
    (tmp_path / "tuning.toml").write_text(f"{ranges}\n{given}")

    (job,) = tuned(tmp_path, tmp_path / "tuning.toml").jobs

    assert job.status == "Completed", output_of(job)
    lines = re.split("[\r\n\b]", output_of(job))
    if name in LINES:
        assert job.epochs == sum(re.match(LINES[name], line) is not None for line in lines)
    if name in READY_MADE:
        # The expression of the page, and the stricter one of the package, see the same.
        seen = [value for _, _, value in read_values([READY_MADE[name]], lines)]
        assert (len(seen), seen[-1]) == (job.epochs, job.objective_value)
    assert job.epochs > 3
    assert any(model_of(job).iterdir())


# -- the examples ----------------------------------------------------------------------------------------

# The validation set as the examples split it, and the value of a model on it.
SCORES = {
    "scikit-learn": """
from sklearn.datasets import load_digits
import joblib
x, y = load_digits(return_X_y=True)
_, x, _, y = train_test_split(x / 16, y, random_state=0, stratify=y)
print(joblib.load(model / "model.joblib").score(x, y))
""",
    "xgboost": """
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
import xgboost as xgb
x, y = load_breast_cancer(return_X_y=True)
_, x, _, y = train_test_split(x, y, random_state=0, stratify=y)
print(log_loss(y, xgb.Booster(model_file=model / "xgboost-model.json").predict(xgb.DMatrix(x))))
""",
    "lightgbm": """
from sklearn.datasets import load_diabetes
from sklearn.metrics import root_mean_squared_error
import lightgbm as lgb
x, y = load_diabetes(return_X_y=True)
_, x, _, y = train_test_split(x, y, random_state=0)
print(root_mean_squared_error(y, lgb.Booster(model_file=model / "model.txt").predict(x)))
""",
    "pytorch": """
from sklearn.datasets import load_digits
import torch
x, y = load_digits(return_X_y=True)
_, x, _, y = train_test_split(x / 16, y, random_state=0, stratify=y)
weights = torch.load(model / "model.pt", weights_only=True)
first, bias, second, last = (weights[key] for key in ("0.weight", "0.bias", "3.weight", "3.bias"))
seen = (torch.relu(torch.tensor(x, dtype=torch.float32) @ first.T + bias) @ second.T + last).argmax(1)
print((seen == torch.tensor(y)).double().mean().item())
""",
    "keras": """
from sklearn.datasets import load_digits
import keras
x, y = load_digits(return_X_y=True)
_, x, _, y = train_test_split(x / 16, y, random_state=0, stratify=y)
print((keras.models.load_model(model / "model.keras").predict(x, verbose=0).argmax(1) == y).mean())
""",
}
LENGTH = {
    "scikit-learn": "epochs",
    "xgboost": "num_round",
    "lightgbm": "num_iterations",
    "pytorch": "epochs",
    "keras": "epochs",
}
BASE = """
import sys
from pathlib import Path
from sklearn.model_selection import train_test_split
model = Path(sys.argv[1])
"""


def score(tmp_path: Path, name: str, model: Path) -> float:
    """What a saved model is worth, loaded in a fresh process."""
    return float(run(tmp_path, "-c", BASE + SCORES[name], str(model)))


@pytest.mark.recipes
@pytest.mark.parametrize("name", EXAMPLE)
def test_the_example_tunes_and_its_best_model_is_worth_what_it_says(name: str, tmp_path: Path) -> None:
    result = tuned(
        tmp_path,
        EXAMPLES / f"{EXAMPLE[name]}.toml",
        "limits.max_number_of_training_jobs=2",
        "early_stopping.type=Off",
        f"static_hyperparameters.{LENGTH[name]}=4",
    )

    assert [job.status for job in result.jobs] == ["Completed"] * 2
    # Boosting reports the best round once more, at the end.
    assert {job.epochs for job in result.jobs} == {5 if name in ("xgboost", "lightgbm") else 4}
    assert result.best is not None
    assert score(tmp_path, name, model_of(result.best)) == pytest.approx(
        result.best.objective_value, abs=1e-6
    )


def stopped(tmp_path: Path, name: str, *arguments: str) -> tuple[int, str]:
    """An example that is sent SIGTERM once it has reported three times, and all that it printed."""
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / f"{EXAMPLE[name]}.py"), *arguments],
        cwd=tmp_path,
        env=environment(tmp_path / "home", VARIABLES),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()
    return process.returncode, "".join(seen) + rest


# So slow that they learn on and on.
ENDLESS = {"xgboost": ("--eta", "0.0001"), "lightgbm": ("--learning_rate", "0.0001")}


@of_each(*EXAMPLE)
def test_a_stopped_example_leaves_a_model(name: str, tmp_path: Path) -> None:
    code, output = stopped(tmp_path, name, f"--{LENGTH[name]}", "100000", *ENDLESS.get(name, ()))

    values = reported(output)
    if name in ENDLESS:
        assert code == 0
        assert values[-1] == min(values)
    else:
        assert code == -signal.SIGTERM
    # The signal may have come between a report and the model that belongs to it.
    assert any(score(tmp_path, name, tmp_path / "model") == pytest.approx(v, abs=1e-6) for v in values[-2:])


@of_each("pytorch", "keras")
def test_an_interrupted_example_goes_on_after_its_last_epoch(name: str, tmp_path: Path) -> None:
    _, before = stopped(tmp_path, name, "--epochs", "8")
    after = run(tmp_path, str(EXAMPLES / f"{EXAMPLE[name]}.py"), "--epochs", "8")

    epochs = [int(epoch) for epoch in re.findall(r"epoch=(\d+);", before + after)]
    assert len(reported(before)) < 8
    # An epoch whose checkpoint the signal forestalled is done again.
    assert sorted(set(epochs)) == list(range(1, 9))
    assert len(epochs) <= 9
    if name == "pytorch":
        (tmp_path / "whole").mkdir()
        whole = run(tmp_path / "whole", str(EXAMPLES / f"{EXAMPLE[name]}.py"), "--epochs", "8")
        assert reported(after)[-1] == reported(whole)[-1]


# -- one value only --------------------------------------------------------------------------------------


@pytest.mark.recipes
def test_a_cross_validation_is_one_value(tmp_path: Path) -> None:
    (script,) = [block for block in blocks("scikit-learn", "python") if "cross_val_score" in block]
    (value,) = reported(run(tmp_path, "-c", script))
    assert 0.9 < value < 1
