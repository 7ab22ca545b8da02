"""The expressions of the libraries' pages on output that was captured from the libraries themselves (XGBoost
3.2, LightGBM 4.7, Keras 3.15, scikit-learn 1.9, tqdm 4.67), as a local training job's reader gets it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from amt_flows.backends.local_worker.values import Values
from amt_flows.metrics.expressions import required_text
from docs.recipes import blocks, page

BAR = "\x1b[0m \x1b[32m" + "━" * 20 + "\x1b[0m\x1b[37m\x1b[0m \x1b[1m"
KERAS = (
    "Epoch 1/4\n"
    f"\r\x1b[1m 1/43{BAR}12s\x1b[0m 290ms/step - accuracy: 0.0938 - loss: 2.3739"
    + "\b" * 73
    + f"\r\x1b[1m42/43{BAR}0s\x1b[0m 27ms/step - accuracy: 0.2143 - loss: 2.1857"
    + "\b" * 73
    + f"\r\x1b[1m43/43{BAR}1s\x1b[0m 32ms/step - accuracy: 0.2153 - loss: 2.1849"
    " - val_accuracy: 0.3733 - val_loss: 1.9885\n"
    "Epoch 2/4\n"
    "43/43 - 1s - 29ms/step - accuracy: 0.5516 - loss: 1.7922 - val_accuracy: 0.6689 - val_loss: 1.6354\n"
)
XGBOOST = (
    "[0]\ttrain-logloss:0.43657\tvalidation-logloss:0.45745\n"
    "[1]\ttrain-logloss:0.31592\tvalidation-auc:0.98658\tvalidation-logloss:9.1e-05\n"
    "[2]#011train-logloss:0.2#011validation-logloss:0.3#011validation-auc:0.9\n"
)
LIGHTGBM = (
    "[LightGBM] [Warning] No further splits with positive gain, best gain: -inf\n"
    "[1]\tvalidation's rmse: 67.8359\n"
    "Training until validation scores don't improve for 10 rounds\n"
    "[2]\tvalidation's rmse: 65.8312\tvalidation's l2: 4333.7\n"
    "Early stopping, best iteration is:\n"
    "[2]\tvalidation's rmse: 65.8312\n"
)
SKLEARN = (
    "Iteration 1, loss = 13.45756444\nValidation score: 0.627907\n"
    "Iteration 2, loss = 13.45756440\nValidation score: 0.651163\n"
)
TQDM = (
    "\repoch 1:   0%|          | 0/20 [00:00<?, ?it/s]"
    "\repoch 1:  25%|██▌       | 5/20 [00:00<00:00, 49.22it/s, loss=0.2]"
    "epoch 1: val_acc=0.5000\n"
    "\repoch 2: 100%|██████████| 20/20 [00:00<00:00, 47.71it/s, loss=0.05]\nepoch 2: val_acc=0.6667\n"
)


def read(tmp_path: Path, regex: str, output: str) -> list[float]:
    """The values that a training job's reader finds, the output arriving in pieces."""
    values = Values(str(tmp_path), [{"name": "m", "regex": regex, "literal": required_text(regex)}])
    sent = output.encode()
    for start in range(0, len(sent), 37):
        values.feed(sent[start : start + 37])
    values.finish()
    file = tmp_path / "metrics.jsonl"
    return [json.loads(line)["value"] for line in file.read_text().splitlines()] if file.exists() else []


def of_page(name: str) -> str:
    """The expression of a page's spec."""
    (block,) = [block for block in blocks(name, "toml") if "metric_definitions" in block]
    (quote, text) = re.findall(r"^regex = (['\"])(.*)\1$", block, re.MULTILINE)[0]
    return str(json.loads(f'"{text}"') if quote == '"' else text)


@pytest.mark.parametrize(
    ("name", "output", "values"),
    [
        ("keras", KERAS, [0.3733, 0.6689]),
        ("xgboost", XGBOOST, [0.45745, 9.1e-05, 0.3]),
        ("lightgbm", LIGHTGBM, [67.8359, 65.8312, 65.8312]),
        ("scikit-learn", SKLEARN, [0.627907, 0.651163]),
        ("pytorch", TQDM, [0.5, 0.6667]),
    ],
)
def test_a_page_reads_its_librarys_output(
    name: str, output: str, values: list[float], tmp_path: Path
) -> None:
    assert read(tmp_path, of_page(name), output) == values


@pytest.mark.parametrize(
    ("name", "regex", "output", "values"),
    [
        (
            "xgboost",
            r"validation_0-logloss:([-+.0-9a-z]+)",
            "[0]\tvalidation_0-logloss:0.45745\n[1]\tvalidation_0-logloss:0.34047\n",
            [0.45745, 0.34047],
        ),
        (
            "xgboost",
            r"test-logloss:([-.0-9a-z]+)",
            "[0]\ttrain-logloss:0.43+0.002\ttest-logloss:0.47+0.012\n",
            [0.47],
        ),
        ("lightgbm", r"valid_0's rmse: (\\S+)", "[1]\tvalid_0's rmse: 67.8\n", [67.8]),
        (
            "lightgbm",
            r"valid_1 rmse : (\\S+)",
            "[LightGBM] [Info] Iteration:30, valid_1 rmse : 58.04\n",
            [58.04],
        ),
    ],
)
def test_the_other_spellings_are_read_too(
    name: str, regex: str, output: str, values: list[float], tmp_path: Path
) -> None:
    """Those that stand in the text of a page."""
    assert f"{regex}'`" in page(name) or f'{regex}"`' in page(name)
    assert read(tmp_path, regex.replace("\\\\", "\\"), output) == values
