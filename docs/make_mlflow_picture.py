"""Makes docs/images/mlflow.png anew: a tuning job that a real MLflow server shows, looked at in Chromium.

    python -m venv .mlflow && .mlflow/bin/pip install mlflow
    pip install '.[examples,mlflow]' playwright && playwright install chromium
    python docs/make_mlflow_picture.py --mlflow .mlflow/bin/mlflow  # --chromium /usr/bin/chromium

The server has an environment of its own, for it brings much, a store in SQLite and a temporary directory. It
takes two minutes, and fails where the page that compares the training jobs does not show each of them.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright

IMAGE = Path(__file__).resolve().parent / "images" / "mlflow.png"
EXPERIMENT = "digits"
JOBS = 24
PATIENCE_SECONDS = 300


@contextmanager
def server(program: str, directory: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    store = ["--backend-store-uri", f"sqlite:///{directory}/mlflow.db"]
    files = ["--artifacts-destination", str(directory / "artifacts")]
    command = [
        program,
        "server",
        *store,
        *files,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    process = subprocess.Popen(
        command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=10).close()  # noqa: S310
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > give_up_at:
                    raise
                time.sleep(1)
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def train(learning_rate: float, momentum: float, optimizer: str) -> None:
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    from amt_flows.reporting import report

    images, digits = load_digits(return_X_y=True)
    classes = sorted(set(digits.tolist()))
    network = MLPClassifier((32,), solver=optimizer, learning_rate_init=learning_rate, momentum=momentum)
    for epoch in range(1, 6):
        network.partial_fit(images[:1200], digits[:1200], classes=classes)
        report(epoch=epoch, accuracy=network.score(images[1200:], digits[1200:]))


def tune_at(address: str, home: Path) -> tuple[str, list[str]]:
    """The experiment's number, and the runs of its training jobs."""
    from mlflow.tracking import MlflowClient

    from amt_flows import Continuous, tune

    space = {
        "learning_rate": Continuous(0.001, 0.5, "Logarithmic"),
        "momentum": Continuous(0.2, 0.99),
        "optimizer": ["sgd", "adam"],
    }
    shown = {"mlflow": address, "experiment": EXPERIMENT}
    tune(train, space, maximize="accuracy", jobs=JOBS, parallel=2, seed=1, home=str(home), tracking=shown)
    client = MlflowClient(address)
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    runs = [one for one in client.search_runs([experiment]) if "mlflow.parentRunId" in one.data.tags]
    return experiment, [one.info.run_id for one in runs]


def take(address: str, experiment: str, runs: list[str], chromium: str | None) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        asked = urlencode({"runs": json.dumps(runs), "experiments": json.dumps([experiment])})
        page.goto(f"{address}/#/compare-runs?{asked}")
        heading = page.get_by_role("heading", name=f"Comparing {JOBS} Runs from 1 Experiment")
        heading.wait_for()
        plot = page.locator(".js-plotly-plot").first
        plot.get_by_text("accuracy").first.wait_for()
        top, below = heading.bounding_box(), plot.bounding_box()
        if top is None or below is None:
            raise SystemExit("MLflow does not show what is compared.")
        x, y = top["x"] - 10, top["y"] - 10
        width, height = below["x"] + below["width"] - x, below["y"] + below["height"] - y
        page.screenshot(path=IMAGE, clip={"x": x, "y": y, "width": width, "height": height})
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mlflow", default="mlflow", help="MLflow's program, of an environment of its own")
    parser.add_argument("--chromium", help="a browser that is there already")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as kept:
        directory = Path(kept)
        with server(asked.mlflow, directory) as address:
            experiment, runs = tune_at(address, directory / "tunings")
            if len(runs) != JOBS:
                raise SystemExit(f"MLflow has {len(runs)} runs of {JOBS} training jobs.")
            take(address, experiment, runs, asked.chromium)


if __name__ == "__main__":
    main()
