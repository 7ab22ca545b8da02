"""``track``: send what a tuning job's record has and MLflow lacks."""

from __future__ import annotations

import click

from amt_flows.cli.completion import TUNING_JOB
from amt_flows.cli.group import examples, home_option, json_option, main, mlflow_options


@main.command(
    epilog=examples(
        "amt-flows track nightly-7",
        "amt-flows track nightly-7 --mlflow http://mlflow.example:5000 --experiment nightly",
    )
)
@click.argument("name", type=TUNING_JOB)
@mlflow_options
@home_option
@click.option(
    "--wait",
    type=click.FloatRange(min=1),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to try.",
)
@json_option("what has been done")
def track(
    name: str, mlflow: str | None, experiment: str | None, home: str | None, wait: float, as_json: bool
) -> None:
    """Send to MLflow what it lacks of a tuning job.

    After a crash, or an MLflow server that was away at the end. What is there is found by its tags, and
    nothing is sent twice. One that was never shown in MLflow can be sent as a whole, with --mlflow.
    """
    from pathlib import Path

    from amt_flows.backends.places import open_journal
    from amt_flows.cli.printing import print_json
    from amt_flows.ledger.record import load_ledger
    from amt_flows.spec.parts import anchored_uri
    from amt_flows.tracking.catching_up import asked_tracking, catch_up

    journal = open_journal(name, home)
    ledger = load_ledger(journal, name)
    uri = None if mlflow is None else anchored_uri(mlflow, Path.cwd())
    tracking = asked_tracking(ledger, uri, experiment)
    catch_up(ledger.name, journal, tracking, seconds=wait, tell=lambda line: click.echo(line, err=True))
    if as_json:
        print_json({"name": ledger.name, "mlflow": tracking.mlflow, "experiment": tracking.experiment})
    else:
        click.echo(f"MLflow has all that is known of {ledger.name}.")
