"""What the commands that drive a tuning job share: they bring it to its end and print what it came to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from amt_flows.cli.printing import print_result
from amt_flows.errors import TuningJobFailed

if TYPE_CHECKING:
    from amt_flows.backends.places import Place
    from amt_flows.results import TuningResult
    from amt_flows.spec import TuningSpec


def print_outcome(to_its_end: Callable[[], TuningResult], home: str | None, *, as_json: bool) -> None:
    """Also of a tuning job that comes to no model, which raises TuningJobFailed all the same."""
    try:
        result = to_its_end()
    except TuningJobFailed as error:
        if error.result is not None:
            print_result(error.result, home, as_json=as_json)  # type: ignore[arg-type]
        raise
    print_result(result, home, as_json=as_json)


def _to_stderr(line: str) -> None:
    click.echo(line, err=True)


def run_here(spec: TuningSpec, home: str | None, backend: Place, *, quiet: bool) -> TuningResult:
    from amt_flows.backends.places import open_journal
    from amt_flows.run import tune
    from amt_flows.show.text import place
    from amt_flows.tuning.parents import parents_in

    assert spec.name is not None
    journal = open_journal(spec.name, home)
    if not quiet:
        kept = place(journal.location).removesuffix("/journal")
        click.echo(f"Tuning job {spec.name}, kept in {kept}", err=True)
    # Lines where there is no terminal: whoever reads a log wants to know how far it came.
    parents = parents_in(home, backend)
    # Also when it is to be quiet: what is worth a look is no progress.
    return tune(spec, backend, journal=journal, progress=not quiet, parents=parents, tell=_to_stderr)


def extend_and_go_on(
    name: str, changes: dict[str, Any], home: str | None, *, quiet: bool, as_json: bool, run: bool = True
) -> None:
    from amt_flows.backends.places import open_journal, place_at
    from amt_flows.results.records import read_record
    from amt_flows.tuning.extend import extend as extend_it
    from amt_flows.tuning.extend import is_driven

    driven = is_driven(read_record(name, home).ledger)
    ledger = extend_it(name, open_journal(name, home), changes)
    click.echo(f"{ledger.name} has other limits now: {_in_words(ledger.spec, list(changes))}.", err=True)
    if driven:
        click.echo(f"Its controller ({ledger.controller}) goes on within them.", err=True)
    elif run:
        place = place_at(ledger.backend, home)
        print_outcome(lambda: run_here(ledger.spec, home, place, quiet=quiet), home, as_json=as_json)


def _in_words(spec: TuningSpec, paths: Sequence[str]) -> str:
    def value(path: str) -> object:
        part, _, field = path.partition(".")
        return getattr(getattr(spec, part), field)

    return ", ".join(f"{path} = {value(path)}" for path in paths)
