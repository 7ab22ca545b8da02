"""The command line: ``amt-flows run | plan | status | jobs | logs | stop | recover | report``.

Results go to standard output, progress and messages to standard error; the exit codes are those of
:mod:`amt_flows.errors`. What a command needs is imported in it, so that ``--help`` is there at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from amt_flows.errors import AmtFlowsError, TuningJobFailed

if TYPE_CHECKING:
    from rich.console import RenderableType

    from amt_flows.flows.tune import Place
    from amt_flows.ports import Backend
    from amt_flows.results import TuningResult
    from amt_flows.spec import TuningSpec

F = TypeVar("F", bound=Callable[..., Any])


class Commands(click.Group):
    """Suggests the command that was probably meant, and ends a known error with its message and exit code
    instead of a traceback."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from amt_flows.nearest import nearest

        given = args[0]
        if self.get_command(ctx, given) is None and not given.startswith("-"):
            names = self.list_commands(ctx)
            meant = nearest(given, names)
            hint = f"did you mean {meant!r}?" if meant else f"the commands are {', '.join(names)}"
            raise click.UsageError(f"There is no command {given!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AmtFlowsError as error:
            click.echo(str(error), err=True)
            ctx.exit(error.exit_code)


def _examples(*lines: str) -> str:
    # \b keeps click from filling the paragraph.
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def _print_version(ctx: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"amt-flows {version('amt-flows')}")
        except PackageNotFoundError:
            click.echo("amt-flows (not installed)")
        ctx.exit()


def home_option(command: F) -> F:
    return click.option(
        "--home",
        metavar="DIR",
        help="Where tuning jobs are kept, or s3://bucket/folder [default: $AMT_FLOWS_HOME or ~/.amt-flows].",
    )(command)


def backend_options(command: F) -> F:
    choice = click.option(
        "--backend",
        type=click.Choice(["local", "sagemaker"]),
        default="local",
        show_default=True,
        help="Where training jobs run.",
    )
    region = click.option("--region", help="AWS region, for SageMaker [default: the environment's].")
    return choice(region(command))


def json_option(what: str) -> Callable[[F], F]:
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as JSON.")


def set_option(command: F) -> F:
    return click.option(
        "--set",
        "changes",
        metavar="FIELD=VALUE",
        multiple=True,
        help="Change a field of the spec, e.g. limits.max_parallel_training_jobs=4. May be repeated.",
    )(command)


def name_option(command: F) -> F:
    return click.option("--name", metavar="NAME", help="The tuning job's name, instead of the spec's.")(
        command
    )


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_examples("amt-flows plan tuning.toml", "amt-flows run tuning.toml", "amt-flows status"),
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print it."
)
def main() -> None:
    """Automatic model tuning: many training jobs, the best hyperparameters.

    SPEC is a .toml or .json file: a tuning spec, or the body of a CreateHyperParameterTuningJob request.
    """


# -- running --------------------------------------------------------------------------------------


@main.command(
    epilog=_examples(
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
    from amt_flows.places import open_backend

    asked = load_spec(spec, changes, name)
    asked = asked if asked.name is not None else asked.named(made_up_name())
    try:
        if prefect:
            result = _run_as_flow(asked, home, backend, region)
        else:
            result = _run_here(asked, home, open_backend(backend, home=home, region=region), quiet=quiet)
    except TuningJobFailed as error:
        if error.result is not None:
            _print_result(error.result, home, as_json=as_json)  # type: ignore[arg-type]
        raise
    _print_result(result, home, as_json=as_json)


def _run_here(spec: TuningSpec, home: str | None, backend: Backend, *, quiet: bool) -> TuningResult:
    from amt_flows.places import open_journal
    from amt_flows.render.text import place
    from amt_flows.run import tune

    assert spec.name is not None
    journal = open_journal(spec.name, home)
    if not quiet:
        kept = place(journal.location).removesuffix("/journal")
        click.echo(f"Tuning job {spec.name}, kept in {kept}", err=True)
    # Lines where there is no terminal: whoever reads a log wants to know how far it came.
    return tune(spec, backend, journal=journal, progress=not quiet)


def _run_as_flow(spec: TuningSpec, home: str | None, backend: str, region: str | None) -> TuningResult:
    from amt_flows.cli.records import read_record
    from amt_flows.flows.ephemeral import start_server_beyond_ctrl_c
    from amt_flows.flows.tune import tune
    from amt_flows.results import result_of

    start_server_beyond_ctrl_c()
    place = cast("Place", backend)
    state = tune(spec, backend=place, region=region, home=home, return_state=True)
    if not state.is_cancelled():
        result: TuningResult = state.result()
        return result
    # Ctrl-C: to Prefect a cancelled run has no result, to a person at a terminal it has the best so far.
    assert spec.name is not None
    record = read_record(spec.name, home)
    assert record.ledger is not None
    return result_of(record.ledger, record.journal.location)


def _print_result(result: TuningResult, home: str | None, *, as_json: bool) -> None:
    if as_json:
        click.echo(result.model_dump_json(indent=2))
        return
    from amt_flows.render.terminal import terminal_summary

    _show(terminal_summary(result, home=home))


@main.command(
    epilog=_examples(
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
    from amt_flows.places import open_backend, open_journal
    from amt_flows.plan.dry_run import plan as planned
    from amt_flows.plan.text import plan_text

    asked = load_spec(spec, changes, name)
    existing = None if asked.name is None else Ledger.replay(open_journal(asked.name, home).read())
    where = open_backend(backend, home=home, region=region)
    made = planned(asked, where, job_seconds=job_seconds, first_jobs=first, existing=existing)
    if as_json:
        _print_json(made.to_json())
    else:
        _show(plan_text(made))
    if made.problems:
        raise SpecError(made.problems)


# -- looking --------------------------------------------------------------------------------------


@main.command(
    epilog=_examples("amt-flows status", "amt-flows status nightly-7", "amt-flows status nightly-7 --json")
)
@click.argument("name", required=False)
@home_option
@json_option("SageMaker's DescribeHyperParameterTuningJob answer (or, without NAME, the list's)")
def status(name: str | None, home: str | None, as_json: bool) -> None:
    """Show how a tuning job stands, or list all of them.

    Works while it runs and after, from any terminal.
    """
    if name is None:
        _list(home, as_json=as_json)
        return
    import time

    from amt_flows.cli.records import controller_is_gone, read_record
    from amt_flows.render.terminal import terminal_summary
    from amt_flows.results import result_of
    from amt_flows.results.amt_shapes import describe

    record = read_record(name, home)
    ledger, now = record.ledger, time.time()
    assert ledger is not None
    if as_json:
        _print_json(describe(ledger, now))
        return
    _show(terminal_summary(result_of(ledger, record.journal.location, now), home=home))
    if controller_is_gone(ledger):
        click.echo(
            f"\nNobody drives it any more ({ledger.controller} is gone). "
            "Run the same spec again and it goes on, or stop it.",
            err=True,
        )


def _list(home: str | None, *, as_json: bool) -> None:
    from amt_flows.cli.records import all_records
    from amt_flows.home import home_directory, home_text, is_in_s3
    from amt_flows.render.terminal import records_table
    from amt_flows.results.amt_shapes import tuning_job_summary

    records = all_records(home)
    if as_json:
        ledgers = [record.ledger for record in records if record.ledger is not None]
        _print_json({"HyperParameterTuningJobSummaries": [tuning_job_summary(ledger) for ledger in ledgers]})
    elif records:
        _show(records_table(records))
        for record in records:
            if record.damage:
                click.echo(f"{record.name}: {record.damage}", err=True)
    else:
        click.echo(f"No tuning job in {home_text(home) if is_in_s3(home) else home_directory(home)} yet.")


@main.command(
    epilog=_examples("amt-flows jobs nightly-7", "amt-flows jobs nightly-7 --csv > jobs.csv"),
)
@click.argument("name")
@home_option
@json_option("SageMaker's ListTrainingJobsForHyperParameterTuningJob answer")
@click.option("--csv", "as_csv", is_flag=True, help="Print a row for each job as CSV.")
def jobs(name: str, home: str | None, as_json: bool, as_csv: bool) -> None:
    """List the training jobs of a tuning job, the best first."""
    import time

    from amt_flows.cli.records import read_record
    from amt_flows.render.terminal import JobsTable
    from amt_flows.results import result_of
    from amt_flows.results.amt_shapes import training_jobs

    if as_json and as_csv:
        raise click.UsageError("give --json or --csv, not both")
    record = read_record(name, home)
    assert record.ledger is not None
    result = result_of(record.ledger, record.journal.location, time.time())
    if as_json:
        _print_json(training_jobs(record.ledger))
    elif as_csv:
        _print_csv(result)
    elif result.jobs:
        _show(JobsTable(result))
    else:
        click.echo(f"{result.name} has launched no training job yet.")


@main.command(
    epilog=_examples("amt-flows logs nightly-7-003-1a2b3c4d", "amt-flows logs nightly-7-003-1a2b3c4d -n 500")
)
@click.argument("job")
@home_option
@click.option(
    "-n", "--lines", type=click.IntRange(min=1), default=50, show_default=True, help="The last N lines."
)
def logs(job: str, home: str | None, lines: int) -> None:
    """Print what a training job wrote last."""
    from amt_flows.cli.records import training_job_log

    click.echo(training_job_log(job, home, lines=lines))


@main.command(epilog=_examples("amt-flows stop nightly-7", "amt-flows stop nightly-7 --kill"))
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
    epilog=_examples("amt-flows recover tuning.toml", "amt-flows recover tuning.toml --backend sagemaker")
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
    _show(terminal_summary(result_of(ledger, journal.location, ledger.last_at), home=home))
    click.echo(f"Recovered {count(len(ledger.jobs), 'training job')}.", err=True)


@main.command(epilog=_examples("amt-flows report nightly-7", "amt-flows report nightly-7 --markdown | less"))
@click.argument("name")
@home_option
@click.option("-o", "--output", metavar="FILE", help="Where to write it [default: NAME.html here].")
@click.option("--markdown", is_flag=True, help="Print it as markdown, without pictures.")
def report(name: str, home: str | None, output: str | None, markdown: bool) -> None:
    """Write a report with pictures, as one HTML file that needs nothing else."""
    import time
    from pathlib import Path

    from amt_flows.cli.records import read_record
    from amt_flows.render.report import report_markdown
    from amt_flows.results import result_of

    record = read_record(name, home)
    assert record.ledger is not None
    result = result_of(record.ledger, record.journal.location, time.time())
    if markdown:
        click.echo(report_markdown(record.ledger, result), nl=False)
        return
    from amt_flows.pictures.page import report_page

    path = Path(output or f"{result.name}.html")
    try:
        path.write_text(report_page(record.ledger, result), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} can't be written: {error.strerror or error}") from None
    click.echo(path)


# -- printing -------------------------------------------------------------------------------------


def _show(renderable: RenderableType) -> None:
    from rich.console import Console

    # A pipe has no width; 80 columns would fold what a file has room for.
    console = Console() if sys.stdout.isatty() else Console(width=160)
    console.print(renderable)


def _print_json(value: object) -> None:
    import json

    click.echo(json.dumps(value, indent=2, allow_nan=False, default=lambda moment: moment.isoformat()))


def _print_csv(result: TuningResult) -> None:
    import csv
    from datetime import datetime

    rows = result.rows()
    writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]) if rows else result.columns())
    writer.writeheader()
    for row in rows:
        writer.writerow({k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()})
