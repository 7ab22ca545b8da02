"""Commands that only look: ``status``, ``jobs``, ``logs``, ``report``, ``explain``, ``compare``. From any
process, at any time."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from amt_flows.cli.completion import TRAINING_JOB, TUNING_JOB
from amt_flows.cli.group import examples, home_option, json_option, main
from amt_flows.cli.one_go import in_one_go
from amt_flows.cli.printing import print_csv, print_described, print_json, print_result, say, show
from amt_flows.errors import AmtFlowsError

if TYPE_CHECKING:
    from amt_flows.results.records import Record


@main.command(
    epilog=examples("amt-flows status", "amt-flows status nightly-7", "amt-flows status nightly-7 --json")
)
@click.argument("name", required=False, type=TUNING_JOB)
@home_option
@json_option("SageMaker's DescribeHyperParameterTuningJob answer (or, without NAME, the list's)")
@in_one_go
def status(name: str | None, home: str | None, as_json: bool) -> None:
    """Show how a tuning job stands, or list all of them.

    Works while it runs and after, from any terminal.
    """
    if name is None:
        _list(home, as_json=as_json)
        return
    from amt_flows.backends.local.controller import Controller
    from amt_flows.results.records import read_record

    record = read_record(name, home)
    ledger = record.ledger
    if as_json:
        print_described(ledger)
        return
    print_result(record.result(), home, as_json=False)
    if not ledger.finished and Controller(ledger.controller).is_gone:
        click.echo(
            f"\nNobody drives it any more ({ledger.controller} is gone). "
            "`amt-flows resume` goes on with it, or stop it.",
            err=True,
        )


def _list(home: str | None, *, as_json: bool) -> None:
    from amt_flows.backends.home import home_directory, home_text, is_in_s3
    from amt_flows.results.amt_shapes import tuning_job_summary
    from amt_flows.results.records import DamagedRecord, all_records
    from amt_flows.show.terminal import records_table

    records = all_records(home)
    if as_json:
        ledgers = [record.ledger for record in records if record.ledger is not None]
        print_json({"HyperParameterTuningJobSummaries": [tuning_job_summary(ledger) for ledger in ledgers]})
    elif records:
        show(records_table(records))
        for record in records:
            if isinstance(record, DamagedRecord):
                say(f"{record.name}: {record.damage}", err=True)
    else:
        click.echo(f"No tuning job in {home_text(home) if is_in_s3(home) else home_directory(home)} yet.")


@main.command(
    epilog=examples("amt-flows jobs nightly-7", "amt-flows jobs nightly-7 --csv > jobs.csv"),
)
@click.argument("name", type=TUNING_JOB)
@home_option
@json_option("SageMaker's ListTrainingJobsForHyperParameterTuningJob answer")
@click.option("--csv", "as_csv", is_flag=True, help="Print a row for each job as CSV.")
@in_one_go
def jobs(name: str, home: str | None, as_json: bool, as_csv: bool) -> None:
    """List the training jobs of a tuning job, the best first."""
    from amt_flows.results.amt_shapes import training_jobs
    from amt_flows.results.records import read_record
    from amt_flows.show.terminal import JobsTable

    if as_json and as_csv:
        raise click.UsageError("give --json or --csv, not both")
    record = read_record(name, home)
    result = record.result()
    if as_json:
        print_json(training_jobs(record.ledger))
    elif as_csv:
        print_csv(result)
    elif result.jobs:
        show(JobsTable(result))
    else:
        click.echo(f"{result.name} has launched no training job yet.")


@main.command(epilog=examples("amt-flows logs nightly-7-003-1a2b3c4d", "amt-flows logs nightly-7 3 -n 500"))
@click.argument("job", nargs=-1, required=True, metavar="[NAME] JOB", type=TRAINING_JOB)
@home_option
@click.option(
    "-n", "--lines", type=click.IntRange(min=1), default=50, show_default=True, help="The last N lines."
)
@json_option("the lines")
def logs(job: tuple[str, ...], home: str | None, lines: int, as_json: bool) -> None:
    """Print what a training job wrote last.

    JOB is its name, in full or as tables print it: 003-1a2b3c4d, or 3 for the third trial. NAME is the tuning
    job's, needed where others have such a one too.
    """
    from amt_flows.cli.records import full_name, training_job_log

    if len(job) > 2:
        raise click.UsageError("give a training job's name, and before it the tuning job's if you like")
    name = full_name(job[-1], job[0] if len(job) == 2 else None, home)
    text = training_job_log(name, home, lines=lines)
    if as_json:
        print_json({"TrainingJobName": name, "Lines": text.splitlines()})
    else:
        say(text)


@main.command(epilog=examples("amt-flows report nightly-7", "amt-flows report nightly-7 --markdown | less"))
@click.argument("name", type=TUNING_JOB)
@home_option
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(), help="Where to write it [default: NAME.html here]."
)
@click.option("--markdown", is_flag=True, help="Print it as markdown, without pictures.")
@json_option("the result, as `run` does,")
@in_one_go
def report(name: str, home: str | None, output: str | None, markdown: bool, as_json: bool) -> None:
    """Write a report with pictures, as one HTML file that needs nothing else."""
    from pathlib import Path

    from amt_flows.results.records import read_record
    from amt_flows.show.report import report_markdown

    record = read_record(name, home)
    result = record.result()
    if as_json:
        print_result(result, home, as_json=True)
        return
    if markdown:
        click.echo(report_markdown(record.ledger, result), nl=False)
        return
    from amt_flows.show.page import report_page

    path = Path(output or f"{result.name}.html")
    try:
        path.write_text(report_page(record.ledger, result), encoding="utf-8")
    except OSError as error:
        raise AmtFlowsError(
            f"{path} can't be written: {error.strerror or error}.", remedy="name another file with --output"
        ) from None
    click.echo(path)


@main.command(epilog=examples("amt-flows explain nightly-7", "amt-flows explain nightly-7 3"))
@click.argument("name", type=TUNING_JOB)
@click.argument("job", required=False, type=TRAINING_JOB)
@home_option
@json_option("the figures")
@in_one_go
def explain(name: str, job: str | None, home: str | None, as_json: bool) -> None:
    """Say which hyperparameters mattered, and where their best values lie.

    With JOB, say why that training job was proposed, and why it was stopped. A short name will do, as tables
    print it, or the number of its trial.
    """
    from amt_flows.cli.records import full_name
    from amt_flows.errors import TuningJobNotFound
    from amt_flows.ledger.names import parse_training_job_name
    from amt_flows.results.records import read_record

    try:
        record = read_record(name, home)
    except TuningJobNotFound as no_tuning_job:
        own = None
        if job is None:
            # It may be a training job's name, which tells the tuning job's.
            with contextlib.suppress(TuningJobNotFound):
                job = full_name(name, home=home)
                own = parse_training_job_name(job)
        if own is None:
            raise no_tuning_job from None
        record = read_record(own.tuning_job, home)
    if job is None:
        _explain_tuning_job(record, as_json=as_json)
        return
    ledger = record.ledger
    from amt_flows.results.explain import why
    from amt_flows.show.explanation import why_json, why_lines

    told = why(ledger, job)
    if as_json:
        print_json(why_json(told))
    else:
        say("\n".join(why_lines(ledger, told)))


def _explain_tuning_job(record: Record, *, as_json: bool) -> None:
    from dataclasses import asdict

    from amt_flows.results.edges import edges
    from amt_flows.results.explain import NothingToExplain
    from amt_flows.show.explanation import importance_json, importance_table

    on_edges = edges(record.result())
    try:
        if as_json:
            print_json({**importance_json(record.ledger), "edges": [asdict(edge) for edge in on_edges]})
        else:
            show(importance_table(record.ledger))
    except NothingToExplain as none:
        # No fault of whoever asks, nor an error: a tuning job's first minutes are like that.
        if as_json:
            edge_figures = [asdict(edge) for edge in on_edges]
            print_json({"importance": [], "note": none.happened, "edges": edge_figures})
        else:
            click.echo(none.happened)
    if on_edges and not as_json:
        click.echo("\nThe best training job lies on the edge of what was searched:")
        for edge in on_edges:
            click.echo(f"  {edge}")


@main.command(
    epilog=examples("amt-flows compare digits-off digits-auto", "amt-flows compare monday tuesday --json")
)
@click.argument("names", nargs=-1, required=True, metavar="NAME NAME...", type=TUNING_JOB)
@home_option
@json_option("the figures")
@in_one_go
def compare(names: tuple[str, ...], home: str | None, as_json: bool) -> None:
    """Set tuning jobs side by side: what they found, and what that took. The first is compared with."""
    from amt_flows.results.records import read_record
    from amt_flows.show.comparison import comparison_table, figures

    if len(names) < 2:
        raise click.UsageError("give two tuning jobs or more")
    results = [read_record(name, home).result() for name in names]
    if as_json:
        print_json([figures(result, results[0]) for result in results])
    else:
        show(comparison_table(results))
