"""Commands that act: ``run``, ``resume``, ``stop``, ``recover``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from amt_flows.cli.completion import TUNING_JOB
from amt_flows.cli.group import (
    BACKEND,
    backend_options,
    examples,
    gpus_option,
    home_option,
    json_option,
    learn_from_option,
    main,
    mlflow_options,
    name_option,
    prices_option,
    seed_option,
    set_option,
)
from amt_flows.cli.outcome import extend_and_go_on, print_outcome, run_here
from amt_flows.cli.printing import print_described, print_result
from amt_flows.errors import AmtFlowsError

if TYPE_CHECKING:
    from amt_flows.backends.places import Place
    from amt_flows.ledger.ledger import Ledger
    from amt_flows.ports import Backend
    from amt_flows.results import TuningResult
    from amt_flows.spec import TuningSpec


@main.command(
    epilog=examples(
        "amt-flows run tuning.toml",
        "amt-flows run tuning.toml --name nightly-7 --set limits.max_number_of_training_jobs=50",
        "amt-flows run tuning.toml --json | jq -r .best.artifact",
    )
)
@click.argument("spec", type=click.Path())
@name_option
@backend_options()
@gpus_option
@home_option
@mlflow_options
@click.option("--prefect/--no-prefect", default=False, help="Run it as a Prefect flow [default: no].")
@prices_option
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@json_option("the result")
@seed_option
@learn_from_option
@set_option
def run(
    spec: str,
    name: str | None,
    backend: str,
    region: str | None,
    home: str | None,
    mlflow: str | None,
    experiment: str | None,
    prefect: bool,
    prices: str | None,
    quiet: bool,
    as_json: bool,
    seed: int | None,
    learn_from: str | None,
    changes: tuple[str, ...],
) -> None:
    """Run a tuning job to its end.

    A tuning job of the same name and spec is taken up where it stands. Ctrl-C ends it gracefully and keeps
    the best so far; a second Ctrl-C kills its training jobs.
    """
    from amt_flows.backends.places import open_journal, open_place
    from amt_flows.cli.input import learning, load_spec, seeded, tracked
    from amt_flows.cli.pricing import priced_spec
    from amt_flows.ledger.ledger import Ledger
    from amt_flows.names import made_up_name

    priced = priced_spec(
        lambda *more: load_spec(
            spec,
            [*changes, *seeded(seed), *learning(learn_from), *tracked(mlflow, experiment), *more],
            name,
        ),
        prices,
        address=lambda: open_place(backend, home=home, region=region).address,
        recorded=lambda its_name: Ledger.replay(open_journal(its_name, home).read()),
    )
    if priced.note and not quiet:
        click.echo(f"Its cost is not known: {priced.note}", err=True)
    asked = priced.spec
    asked = asked if asked.name is not None else asked.named(made_up_name())

    if changes_wanted := _agreed_extension(asked, home):
        extend_and_go_on(str(asked.name), changes_wanted, home, quiet=quiet, as_json=as_json)
        return

    def to_its_end() -> TuningResult:
        if prefect:
            return _run_as_flow(asked, home, backend, region)
        return run_here(asked, home, open_place(backend, home=home, region=region), quiet=quiet)

    print_outcome(to_its_end, home, as_json=as_json)


@main.command(epilog=examples("amt-flows resume nightly-7", "amt-flows resume tuning.toml"))
@click.argument("name", metavar="NAME|SPEC", type=TUNING_JOB)
@click.option("--name", "other_name", metavar="NAME", help="The tuning job's name, instead of the spec's.")
@backend_options(default=None)
@gpus_option
@home_option
@prices_option
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@json_option("the result")
@set_option
def resume(
    name: str,
    other_name: str | None,
    backend: str | None,
    region: str | None,
    home: str | None,
    prices: str | None,
    quiet: bool,
    as_json: bool,
    changes: tuple[str, ...],
) -> None:
    """Go on with a tuning job whose controller died, where its record stands.

    The record has its spec and says where its training jobs run; a SPEC that is given all the same, and a
    backend, must be the record's. If it has ended, this is its result.
    """
    from amt_flows.backends.places import open_journal, open_place, place_at
    from amt_flows.cli.input import is_spec_file, load_spec
    from amt_flows.cli.pricing import priced_spec
    from amt_flows.ledger.ledger import Ledger
    from amt_flows.results.records import read_record

    given: TuningSpec | None = None
    if is_spec_file(name, home):
        given = priced_spec(
            lambda *more: load_spec(name, [*changes, *more], other_name),
            prices,
            address=lambda: open_place(backend or "local", home=home, region=region).address,
            recorded=lambda its_name: Ledger.replay(open_journal(its_name, home).read()),
        ).spec
        if given.name is None:
            raise click.UsageError(f"{name} names no tuning job: give its name, or --name")
    elif changes or prices is not None or other_name is not None:
        raise click.UsageError("--name, --set and --prices go with a SPEC; the record of NAME has all of it")
    ledger = read_record(name if given is None else str(given.name), home).ledger
    there = place_at(ledger.backend, home)
    if backend is not None:
        _must_be_there(ledger, there, open_place(backend, home=home, region=region or _region(there)))
    spec = ledger.asked if given is None else given
    print_outcome(lambda: run_here(spec, home, there, quiet=quiet), home, as_json=as_json)


def _region(place: Place) -> str | None:
    return place.address.partition(":")[2] or None


def _must_be_there(ledger: Ledger, recorded: Place, asked: Place) -> None:
    from amt_flows.errors import BackendError

    if asked.address != recorded.address:
        raise BackendError(
            f"The training jobs of {ledger.name} run on {recorded.address}, not on {asked.address}.",
            remedy="leave --backend and --region out: the record knows",
        )


def _agreed_extension(spec: TuningSpec, home: str | None) -> dict[str, Any]:
    """What to change of the tuning job of this name, if the spec asks for other limits and nothing else, and
    whoever sits at the terminal agrees; nothing where nobody can be asked."""
    import sys

    from amt_flows.backends.places import open_journal
    from amt_flows.ledger.ledger import Ledger
    from amt_flows.spec.extension import extension_between

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return {}
    ledger = Ledger.replay(open_journal(str(spec.name), home).read())
    if not ledger.opened or spec.fingerprint() in ledger.fingerprints:
        return {}
    changes = extension_between(ledger.asked, spec)
    what = ", ".join(f"{path} = {value}" for path, value in changes.items())
    question = f"{ledger.name} is {ledger.status.value} with other limits. Extend it ({what})?"
    return changes if changes and click.confirm(question, err=True) else {}


def _run_as_flow(spec: TuningSpec, home: str | None, backend: str, region: str | None) -> TuningResult:
    from amt_flows.flows.ephemeral import start_server_beyond_ctrl_c
    from amt_flows.flows.tuning.tune import tune
    from amt_flows.results.records import read_record
    from amt_flows.results.result import usable_result

    start_server_beyond_ctrl_c()
    state = tune(spec, backend=backend, region=region, home=home, return_state=True)
    if not state.is_cancelled():
        result: TuningResult = state.result()
        return result
    # Ctrl-C: to Prefect a cancelled run has no result, to a person at a terminal it has the best so far.
    assert spec.name is not None
    return usable_result(read_record(spec.name, home).result())


@main.command(epilog=examples("amt-flows stop nightly-7", "amt-flows stop nightly-7 --kill"))
@click.argument("name", type=TUNING_JOB)
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
@click.option(
    "--backend",
    type=BACKEND,
    help="Where it runs, if there is no record that says so.",
)
@click.option("--region", help="AWS region, with --backend [default: the environment's].")
@json_option("SageMaker's DescribeHyperParameterTuningJob answer after it")
def stop(
    name: str,
    home: str | None,
    kill: bool,
    wait: float,
    backend: str | None,
    region: str | None,
    as_json: bool,
) -> None:
    """End a tuning job and keep the best so far.

    Its controller, wherever it runs, stops the training jobs and closes the record. If none answers in time
    the training jobs are stopped from here. With --backend it needs no record.
    """
    from amt_flows.backends.places import open_place
    from amt_flows.cli.stop import stop as stop_it

    place = None if backend is None else open_place(backend, home=home, region=region)
    ledger = stop_it(
        name, home, kill=kill, wait=wait, backend=place, say=lambda line: click.echo(line, err=as_json)
    )
    if as_json and ledger is not None:
        print_described(ledger)


@main.command(
    epilog=examples("amt-flows recover tuning.toml", "amt-flows recover tuning.toml --backend sagemaker")
)
@click.argument("spec", metavar="SPEC|NAME", type=click.Path())
@name_option
@backend_options()
@home_option
@prices_option
@click.option("-q", "--quiet", is_flag=True, help="Print the result only.")
@json_option("SageMaker's DescribeHyperParameterTuningJob answer after it")
@set_option
def recover(
    spec: str,
    name: str | None,
    backend: str,
    region: str | None,
    home: str | None,
    prices: str | None,
    quiet: bool,
    as_json: bool,
    changes: tuple[str, ...],
) -> None:
    """Rebuild a tuning job's lost record from its training jobs.

    SPEC is the one that it was run with; with NAME alone only what there is to recover can be told. Launches
    and stops nothing; `run` or `resume` then goes on with it.
    """
    from amt_flows.backends.places import open_backend, open_journal
    from amt_flows.cli.input import is_spec_file, load_spec
    from amt_flows.cli.pricing import priced_spec
    from amt_flows.errors import SpecError
    from amt_flows.ledger.ledger import Ledger
    from amt_flows.names import count
    from amt_flows.results import result_of
    from amt_flows.tuning.recover import recover as rebuild

    if not is_spec_file(spec, home):
        raise _spec_is_lost(spec, home)

    def load(*more: str) -> TuningSpec:
        return load_spec(spec, [*changes, *more], name)

    def there() -> Backend:
        return open_backend(backend, home=home, region=region)

    # What was recorded is lost.
    priced = priced_spec(load, prices, address=lambda: there().address, recorded=lambda _: Ledger())
    journal = open_journal(str(priced.spec.name), home)
    try:
        ledger = rebuild(priced.spec, there, journal)
    except SpecError as error:
        if priced.price is None:
            raise
        try:
            # It may have been run before there was a price table.
            ledger = rebuild(load(), there, journal)
        except SpecError:
            raise error from None
    if as_json:
        print_described(ledger)
    else:
        print_result(result_of(ledger, journal.location, ledger.last_at), home, as_json=False)
    if not quiet:
        click.echo(f"Recovered {count(len(ledger.jobs), 'training job')}.", err=True)


def _spec_is_lost(name: str, home: str | None) -> AmtFlowsError:
    """Why a tuning job can't be recovered by its name: its record is there, or its spec was lost with it."""
    from amt_flows.backends.places import open_journal
    from amt_flows.errors import JournalError, Problem, SpecError

    journal = open_journal(name, home)
    entries: object = ()
    try:
        entries = journal.read()
    except JournalError as error:
        return JournalError(
            f"There is a journal at {journal.location}, and it is damaged: {error.happened}",
            remedy="restore it if you can; else move it away, and recover with the spec's file",
        )
    if entries:
        return JournalError(
            f"There is a journal at {journal.location}; nothing has to be recovered.",
            remedy=f"`amt-flows resume {name}` goes on with it",
        )
    file = f"it has no record here, and its spec was in it; give the spec's file, and --name {name}"
    return SpecError([Problem("SPEC", name, file)])
