"""How commands print what they found."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

    from amt_flows.ledger.ledger import Ledger
    from amt_flows.results import TuningResult


def show(renderable: RenderableType) -> None:
    from rich.console import Console

    from amt_flows.show.terminal import Visible

    # A pipe has no width; 80 columns would fold what a file has room for.
    console = Console() if sys.stdout.isatty() else Console(width=160)
    # A line that is longer than the terminal is wide was not folded on purpose: nothing of it is left out.
    console.print(Visible(renderable), crop=False)


def say(text: str, *, err: bool = False) -> None:
    """A line for a person, with others' texts in it."""
    from amt_flows.show.text import visible

    click.echo(visible(text), err=err)


def print_json(value: object) -> None:
    import json

    click.echo(json.dumps(value, indent=2, allow_nan=False, default=lambda moment: moment.isoformat()))


def print_csv(result: TuningResult) -> None:
    import csv
    from datetime import datetime

    rows = result.rows()
    writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]) if rows else result.columns())
    writer.writeheader()
    for row in rows:
        writer.writerow({k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()})


def print_result(result: TuningResult, home: str | None, *, as_json: bool) -> None:
    if as_json:
        # In ASCII, which every console and pipe has; what is escaped is the same to whoever parses it.
        print_json(result.model_dump(mode="json"))
        return
    from amt_flows.show.terminal import terminal_summary

    show(terminal_summary(result, home=home))


def print_described(ledger: Ledger) -> None:
    """SageMaker's DescribeHyperParameterTuningJob answer, by now."""
    import time

    from amt_flows.results.amt_shapes import describe

    print_json(describe(ledger, time.time()))
