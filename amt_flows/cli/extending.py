"""``extend``: other limits for a tuning job, and on with it."""

from __future__ import annotations

from typing import Any

import click

from amt_flows.cli.completion import TUNING_JOB
from amt_flows.cli.group import examples, home_option, json_option, main
from amt_flows.cli.outcome import extend_and_go_on


@main.command(
    epilog=examples(
        "amt-flows extend nightly-7 --max-jobs 60",
        "amt-flows extend nightly-7 --max-parallel-jobs 8",
        "amt-flows extend nightly-7 --set limits.max_runtime_seconds=null --set limits.max_cost=20",
    )
)
@click.argument("name", type=TUNING_JOB)
@click.option(
    "--max-jobs",
    "--max-number-of-training-jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many training jobs in all.",
)
@click.option(
    "--max-parallel-jobs",
    "--max-parallel-training-jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many at once.",
)
@click.option(
    "--max-runtime-seconds", type=click.IntRange(min=1), metavar="SECONDS", help="How long it may run in all."
)
@click.option("--max-cost", type=float, metavar="AMOUNT", help="What it may cost in all.")
@click.option(
    "--set",
    "changes",
    metavar="FIELD=VALUE",
    multiple=True,
    help="Any limit or completion criterion by its name in the spec; null lifts it. May be repeated.",
)
@home_option
@click.option("--no-run", is_flag=True, help="Only change the limits; `resume` goes on with it.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@json_option("the result")
def extend(
    name: str,
    max_jobs: int | None,
    max_parallel_jobs: int | None,
    max_runtime_seconds: int | None,
    max_cost: float | None,
    changes: tuple[str, ...],
    home: str | None,
    no_run: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Give a tuning job other limits, ended or not, and go on with it.

    All counts go on, and nothing else of its spec may change. One that runs is gone on with by whoever drives
    it.
    """
    from amt_flows.cli.input import change_of
    from amt_flows.spec.extension import EXTENDABLE

    names = {path.rpartition(".")[2]: path for path in EXTENDABLE}
    asked: dict[str, Any] = {
        "limits.max_number_of_training_jobs": max_jobs,
        "limits.max_parallel_training_jobs": max_parallel_jobs,
        "limits.max_runtime_seconds": max_runtime_seconds,
        "limits.max_cost": max_cost,
    }
    asked = {path: value for path, value in asked.items() if value is not None}
    for text in changes:
        path, value = change_of(text)
        asked[names.get(path, path)] = value
    if not asked:
        raise click.UsageError("give what to change, e.g. --max-jobs 60 or --set limits.max_cost=20")
    extend_and_go_on(name, asked, home, quiet=quiet, as_json=as_json, run=not no_run)
