"""Commands that act: ``run``, ``resume``, ``stop``, ``recover``; and ``plan``, which says what ``run`` would
do."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from amt_flows.cli.group import (
    backend_options,
    examples,
    home_option,
    json_option,
    main,
    name_option,
    set_option,
)
from amt_flows.cli.printing import print_json, print_result, show
from amt_flows.errors import TuningJobFailed

if TYPE_CHECKING:
    from amt_flows.flows.tune import PlaceName
    from amt_flows.places import Place
    from amt_flows.results import TuningResult
    from amt_flows.spec import TuningSpec


@main.command(
    epilog=examples(
        "amt-flows run tuning.toml",
        "amt-flows run tuning.toml --name nightly-7 --set limits.max_number_of_training_jobs=50",
        "amt-flows run tuning.toml --json | jq -r .best.artifact",
    )
)
@click.argument("spec")
@name_option
@backend_options
@home_option
@click.option("--prefect/--no-prefect", default=False, help="Run it as a Prefect flow [default: no].")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@json_option("the result")
@set_option
def run(
    spec: str,
    name: str | None,
    backend: str,
    region: str | None,
    home: str | None,
    prefect: bool,
    quiet: bool,
    as_json: bool,
    changes: tuple[str, ...],
) -> None:
    """Run a tuning job to its end.

    A tuning job of the same name and spec is taken up where it stands. Ctrl-C ends it gracefully and keeps
    the best so far; a second Ctrl-C kills its training jobs.
    """
    from amt_flows.cli.input import load_spec
    from amt_flows.names import made_up_name
    from amt_flows.places import open_place

    asked = load_spec(spec, changes, name)
    asked = asked if asked.name is not None else asked.named(made_up_name())
    try:
        if prefect:
            result = _run_as_flow(asked, home, backend, region)
        else:
            result = _run_here(asked, home, open_place(backend, home=home, region=region), quiet=quiet)
    except TuningJobFailed as error:
        if error.result is not None:
            print_result(error.result, home, as_json=as_json)  # type: ignore[arg-type]
        raise
    print_result(result, home, as_json=as_json)


@main.command(epilog=examples("amt-flows resume nightly-7"))
@click.argument("name")
@home_option
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@json_option("the result")
def resume(name: str, home: str | None, quiet: bool, as_json: bool) -> None:
    """Go on with a tuning job whose controller died, where its record stands.

    The record has its spec and says where its training jobs run. If it has ended, this is its result.
    """
    from amt_flows.cli.records import read_record
    from amt_flows.places import place_at

    record = read_record(name, home)
    assert record.ledger is not None
    backend = place_at(record.address, home)
    try:
        result = _run_here(record.ledger.spec, home, backend, quiet=quiet)
    except TuningJobFailed as error:
        if error.result is not None:
            print_result(error.result, home, as_json=as_json)  # type: ignore[arg-type]
        raise
    print_result(result, home, as_json=as_json)


def _run_here(spec: TuningSpec, home: str | None, backend: Place, *, quiet: bool) -> TuningResult:
    from amt_flows.parents import parents_in
    from amt_flows.places import open_journal
    from amt_flows.render.text import place
    from amt_flows.run import tune

    assert spec.name is not None
    journal = open_journal(spec.name, home)
    if not quiet:
        kept = place(journal.location).removesuffix("/journal")
        click.echo(f"Tuning job {spec.name}, kept in {kept}", err=True)
    # Lines where there is no terminal: whoever reads a log wants to know how far it came.
    parents = parents_in(home, backend)
    return tune(spec, backend, journal=journal, progress=not quiet, parents=parents)


def _run_as_flow(spec: TuningSpec, home: str | None, backend: str, region: str | None) -> TuningResult:
    from amt_flows.cli.records import read_record
    from amt_flows.flows.ephemeral import start_server_beyond_ctrl_c
    from amt_flows.flows.tune import tune
    from amt_flows.results import result_of

    start_server_beyond_ctrl_c()
    place = cast("PlaceName", backend)
    state = tune(spec, backend=place, region=region, home=home, return_state=True)
    if not state.is_cancelled():
        result: TuningResult = state.result()
        return result
    # Ctrl-C: to Prefect a cancelled run has no result, to a person at a terminal it has the best so far.
    assert spec.name is not None
    record = read_record(spec.name, home)
    assert record.ledger is not None
    return result_of(record.ledger, record.journal.location)


@main.command(
    epilog=examples(
        "amt-flows plan tuning.toml",
        "amt-flows plan tuning.toml --job-seconds 600 --set training_job.price_per_hour=1.2",
    )
)
@click.argument("spec")
@name_option
@backend_options
@home_option
@click.option(
    "--job-seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="How long one training job takes, to estimate the whole.",
)
@click.option(
    "--first", type=click.IntRange(min=0), default=3, show_default=True, help="Training jobs to show."
)
@json_option("the plan")
@set_option
def plan(
    spec: str,
    name: str | None,
    backend: str,
    region: str | None,
    home: str | None,
    job_seconds: float | None,
    first: int,
    as_json: bool,
    changes: tuple[str, ...],
) -> None:
    """Show what `run` would do. Launches nothing.

    Exit code 2 when the spec is wrong or can't run here.
    """
    from amt_flows.cli.input import load_spec
    from amt_flows.errors import SpecError
    from amt_flows.ledger import Ledger
    from amt_flows.parents import parents_in
    from amt_flows.places import open_journal, open_place
    from amt_flows.plan.dry_run import plan as planned
    from amt_flows.plan.text import plan_text

    asked = load_spec(spec, changes, name)
    existing = None if asked.name is None else Ledger.replay(open_journal(asked.name, home).read())
    where = open_place(backend, home=home, region=region)
    made = planned(
        asked,
        where,
        job_seconds=job_seconds,
        first_jobs=first,
        existing=existing,
        parents=parents_in(home, where),
    )
    if as_json:
        print_json(made.to_json())
    else:
        show(plan_text(made))
    if made.problems:
        raise SpecError(made.problems)


@main.command(epilog=examples("amt-flows stop nightly-7", "amt-flows stop nightly-7 --kill"))
@click.argument("name")
@home_option
@click.option("--kill", is_flag=True, help="Kill the training jobs: no time to save their work.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the end. 0: only leave the request.",
)
def stop(name: str, home: str | None, kill: bool, wait: float) -> None:
    """End a tuning job and keep the best so far.

    Its controller, wherever it runs, stops the training jobs and closes the record. If none answers in time
    the training jobs are stopped from here.
    """
    from amt_flows.cli.stop import stop as stop_it

    stop_it(name, home, kill=kill, wait=wait, say=click.echo)


@main.command(
    epilog=examples("amt-flows recover tuning.toml", "amt-flows recover tuning.toml --backend sagemaker")
)
@click.argument("spec")
@name_option
@backend_options
@home_option
@set_option
def recover(
    spec: str, name: str | None, backend: str, region: str | None, home: str | None, changes: tuple[str, ...]
) -> None:
    """Rebuild a tuning job's lost record from its training jobs.

    SPEC is the one that it was run with. Launches and stops nothing; `run` then goes on with it.
    """
    from amt_flows.cli.input import load_spec
    from amt_flows.places import open_backend, open_journal
    from amt_flows.recover import recover as rebuild
    from amt_flows.render.terminal import terminal_summary
    from amt_flows.render.text import count
    from amt_flows.results import result_of

    asked = load_spec(spec, changes, name)
    journal = open_journal(str(asked.name), home)
    ledger = rebuild(asked, lambda: open_backend(backend, home=home, region=region), journal)
    show(terminal_summary(result_of(ledger, journal.location, ledger.last_at), home=home))
    click.echo(f"Recovered {count(len(ledger.jobs), 'training job')}.", err=True)
