"""``amt-flows plan``: what ``run`` would do, as a text, as JSON and as a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from amt_flows.cli.completion import TUNING_JOB
from amt_flows.cli.group import (
    backend_options,
    examples,
    gpus_option,
    home_option,
    json_option,
    learn_from_option,
    main,
    name_option,
    prices_option,
    seed_option,
    set_option,
)
from amt_flows.cli.printing import print_json, show
from amt_flows.errors import AmtFlowsError

if TYPE_CHECKING:
    from amt_flows.ledger.ledger import Ledger
    from amt_flows.plan.dry_run import Plan
    from amt_flows.spec import TuningSpec

PICTURED: Final = 24
"""Configurations in a picture, beside those of the training jobs shown."""


@main.command(
    epilog=examples(
        "amt-flows plan tuning.toml",
        "amt-flows plan tuning.toml --job-seconds 600 --prices prices.toml",
        "amt-flows plan tuning.toml --picture plan.html",
        "amt-flows plan tuning.toml --json | jq .first_jobs[0].request",
    )
)
@click.argument("spec", type=click.Path())
@name_option
@backend_options()
@gpus_option
@home_option
@click.option(
    "--job-seconds",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long one training job takes [default: as in --like, in this name's jobs, or in a parent's].",
)
@click.option(
    "--startup-seconds",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="How long it takes to start, which is not paid for [default: as in the same, else 0].",
)
@click.option("--like", metavar="NAME", type=TUNING_JOB, help="Take these times from that tuning job.")
@click.option(
    "--first", type=click.IntRange(min=0), default=3, show_default=True, help="Training jobs to show."
)
@prices_option
@click.option(
    "--write-prices",
    metavar="FILE",
    type=click.Path(),
    help="Write a price table to fill in, with the instances of this spec, and do no more.",
)
@click.option(
    "--picture",
    metavar="FILE",
    type=click.Path(),
    help="Draw the space and its first configurations: .html (with this text), .svg or .png.",
)
@json_option("the plan, with every request")
@seed_option
@learn_from_option
@set_option
def plan(
    spec: str,
    name: str | None,
    backend: str,
    region: str | None,
    home: str | None,
    job_seconds: float | None,
    startup_seconds: float | None,
    like: str | None,
    first: int,
    prices: str | None,
    write_prices: str | None,
    picture: str | None,
    as_json: bool,
    seed: int | None,
    learn_from: str | None,
    changes: tuple[str, ...],
) -> None:
    """Show what `run` would do. Launches nothing.

    What nobody can know beforehand is assumed, and the assumptions are named. Exit code 2 when the spec is
    wrong or can't run here.
    """
    from amt_flows.backends.places import open_journal, open_place
    from amt_flows.cli.input import learning, load_spec, seeded
    from amt_flows.cli.pricing import priced_spec
    from amt_flows.errors import SpecError
    from amt_flows.ledger.ledger import Ledger
    from amt_flows.plan.dry_run import plan as planned
    from amt_flows.plan.text import plan_text
    from amt_flows.tuning.parents import parents_in

    if picture is not None:
        _is_a_picture(picture)

    def load(*more: str) -> TuningSpec:
        return load_spec(spec, [*changes, *seeded(seed), *learning(learn_from), *more], name)

    def recorded(name: str) -> Ledger:
        return Ledger.replay(open_journal(name, home).read())

    where = open_place(backend, home=home, region=region)
    if write_prices is not None:
        _write_prices(write_prices, load, where.address)
        return
    priced = priced_spec(load, prices, address=lambda: where.address, recorded=recorded)
    made = planned(
        priced.spec,
        where,
        job_seconds=job_seconds,
        startup_seconds=startup_seconds,
        like=None if like is None else _with_times(like, home),
        first_jobs=first,
        proposals=0 if picture is None else PICTURED,
        existing=None if priced.spec.name is None else recorded(priced.spec.name),
        parents=parents_in(home, where),
        price=priced.price,
        price_note=priced.note,
    )
    if picture is not None:
        _draw(made, picture)
    if as_json:
        print_json(made.to_json())
    else:
        show(plan_text(made))
    if made.problems:
        raise SpecError(made.problems)


def _with_times(name: str, home: str | None) -> Ledger:
    from amt_flows.backends.places import open_journal
    from amt_flows.ledger.record import load_ledger
    from amt_flows.plan.job_length import length_in

    ledger = load_ledger(open_journal(name, home), name)
    if length_in(ledger) is None:
        raise AmtFlowsError(
            f"{ledger.name} has no completed training job whose time could be taken.",
            remedy="name another tuning job with --like, or give --job-seconds",
        )
    return ledger


def _is_a_picture(picture: str) -> None:
    """Before anything is worked out. Raises UsageError."""
    from amt_flows.plan.picture import KINDS

    if not picture.lower().endswith(KINDS):
        raise click.UsageError(f"--picture {picture}: end the name in {', '.join(KINDS[:-1])} or {KINDS[-1]}")


def _draw(made: Plan, picture: str) -> None:
    from amt_flows.plan.picture import draw

    try:
        draw(made, picture)
    except OSError as error:
        raise _unwritable(picture, error) from None
    click.echo(picture, err=True)


def _write_prices(file: str, load: Callable[..., TuningSpec], address: str) -> None:
    from amt_flows.cli.pricing import spec_to_price
    from amt_flows.plan.prices import template_text

    spec = spec_to_price(load)
    templates = [spec.training_job, *(other.training_job for other in spec.other_definitions)]
    text = template_text(templates, address.partition(":")[2])
    try:
        # Prices that somebody looked up are not to be written over.
        with Path(file).open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise AmtFlowsError(
            f"{file} is there already.", remedy="name another file, or fill that one in"
        ) from None
    except OSError as error:
        raise _unwritable(file, error) from None
    click.echo(file)


def _unwritable(file: str, error: OSError) -> AmtFlowsError:
    return AmtFlowsError(f"{file} can't be written: {error.strerror or error}.", remedy="name another file")
