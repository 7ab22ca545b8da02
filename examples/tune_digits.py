"""Tune a small neural network on this machine, as a Prefect flow: two dozen training jobs in about a minute.

    python examples/tune_digits.py

Bayesian search, two training jobs at a time, early stopping on, and four completion criteria of which the
first that holds ends the tuning job (``digits.toml`` has them all). Prefect's API is the server that
``PREFECT_API_URL`` names, or a temporary one that lives as long as this command; what was run stays in
Prefect's database either way.

    python examples/tune_digits.py --jobs 40 --parallel 4 --seed 1
    python examples/tune_digits.py --no-prefect

Without Prefect, the same tuning job is driven by a plain function call.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from digits_network import load_data, predict, prepare_channel
from rich.console import Console

import amt_flows
from amt_flows import AmtFlowsError, TuningResult, TuningSpec

WIDTH_OF_A_LOG = 170
SPEC_FILE = Path(__file__).with_name("digits.toml")


def digits_spec(home: str | None, *, jobs: int, parallel: int, seed: int) -> TuningSpec:
    """The tuning job of ``digits.toml`` with these limits, its data prepared once for all training jobs."""
    # A leading dot: no tuning job's name has one, so the data is in no tuning job's way.
    data = prepare_channel(amt_flows.home_directory(home) / ".examples" / "digits")
    spec = TuningSpec.load(SPEC_FILE).to_json()
    spec["name"] = f"digits-{secrets.token_hex(3)}"
    spec["seed"] = seed
    spec["limits"] |= {"max_number_of_training_jobs": jobs, "max_parallel_training_jobs": parallel}
    spec["training_job"]["inputs"] = {"train": str(data.absolute())}
    return TuningSpec.parse(spec)


def tune_with_prefect(spec: TuningSpec, home: str | None) -> TuningResult:
    """Run the flow. It is imported here: Prefect takes a second that ``--help`` needn't wait for."""
    # Before prefect: it gives the temporary server time to start.
    from amt_flows.flows import start_server_beyond_ctrl_c, tune
    from prefect.exceptions import CancelledRun  # isort: skip

    start_server_beyond_ctrl_c()
    try:
        return tune(spec, home=home)
    except CancelledRun:
        # Ctrl-C, or Cancel in the UI: it ended as asked, and the record has what was found until then.
        return amt_flows.load_result(str(spec.name), home)


def tune_plainly(spec: TuningSpec, home: str | None) -> TuningResult:
    journal = amt_flows.open_journal(str(spec.name), home)
    return amt_flows.tune(spec, amt_flows.LocalBackend(home), journal=journal, progress=True)


def model_check(result: TuningResult) -> str:
    """Reads the best model back, as a deploy step would, and lets it read digits it has not seen."""
    if result.best is None or result.best.artifact is None:
        return "There is no model to try."
    channel = result.spec["training_job"]["inputs"]["train"]
    data = load_data(Path(channel))
    model = Path(unquote(urlsplit(result.best.artifact).path))
    seen = predict(model, data.validation_images)
    right = int((seen == data.validation_digits).sum())
    return f"The best model, loaded again, reads {right} of {len(seen)} held-out digits rightly."


def wide_console() -> Console:
    """In a pipe or a log there is no terminal whose width a table must fit."""
    return Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_LOG)


def program(name: str) -> str:
    """How a program that came with this environment is called from here."""
    if shutil.which(name):
        return name
    beside = Path(sys.executable).with_name(name)
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)


def how_to_see_it(name: str) -> str:
    """Where Prefect's UI shows the flow run, its task runs and its artifacts."""
    server = os.environ.get("PREFECT_API_URL")
    if server:
        page = os.environ.get("PREFECT_UI_URL") or server.removesuffix("/").removesuffix("/api")
        where = f"In the Prefect UI, {page}:"
    else:
        where = f"To see it in the Prefect UI, run `{program('prefect')} server start` and open http://127.0.0.1:4200:"
    return (
        f"{where}\n  the flow run {name} with a task run for each stage,\n"
        f"  the artifacts amt-leaderboard-{name} and amt-report-{name}."
    )


def main() -> None:
    arguments = _parser().parse_args()
    console = wide_console()
    try:
        spec = digits_spec(
            arguments.home, jobs=arguments.jobs, parallel=arguments.parallel, seed=arguments.seed
        )
        run = tune_plainly if arguments.no_prefect else tune_with_prefect
        result = run(spec, arguments.home)
    except AmtFlowsError as error:
        console.stderr = True
        console.print(str(error), style="red", markup=False)
        raise SystemExit(error.exit_code) from None
    console.print()
    console.print(
        amt_flows.terminal_summary(result, limit=8, home=arguments.home, program=program("amt-flows"))
    )
    console.print(model_check(result), highlight=False)
    if not arguments.no_prefect:
        console.print()
        console.print(how_to_see_it(result.name), markup=False, highlight=False, soft_wrap=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Tune a small neural network on this machine, as a Prefect flow.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--jobs", type=int, default=24, help="training jobs at most")
    add("--parallel", type=int, default=2, help="training jobs at once")
    add("--seed", type=int, default=0, help="of the search")
    add("--home", help="directory that keeps tuning jobs; $AMT_FLOWS_HOME or ~/.amt-flows unless given")
    add("--no-prefect", action="store_true", help="drive the tuning job without a flow")
    return parser


if __name__ == "__main__":
    main()
