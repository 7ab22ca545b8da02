"""``python -m amt_flows.testing.chaos``: break everything, and count what was lost or left running."""

from __future__ import annotations

import sys
import time

import click

from amt_flows.testing.chaos.report import failures_text, table
from amt_flows.testing.chaos.suite import Kind, hush, kinds, run_kind

KINDS = kinds()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--only", "chosen", multiple=True, type=click.Choice(list(KINDS)), help="One kind; may be repeated."
)
@click.option("--all", "everything", is_flag=True, help="Also as Prefect flows, and with the records in S3.")
@click.option("--seeds", type=click.IntRange(min=1), help="How many tuning jobs of each kind.")
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), help="Run that long instead, on new seeds."
)
@click.option("--seed", metavar="RUN", help="Play one tuning job again and tell everything (with --only).")
def main(
    chosen: tuple[str, ...],
    everything: bool,
    seeds: int | None,
    first: int,
    minutes: float | None,
    seed: str | None,
) -> None:
    """Tune while controllers are killed, frozen and doubled, clocks jump, disks fill up and clouds fail.

    Prints how many training jobs were lost, doubled or left running, and exits with 1 if any was.
    """
    hush()
    usual = [name for name, kind in KINDS.items() if kind.default or everything]
    asked = [KINDS[name] for name in chosen or usual]
    if seed is not None:
        if len(asked) != 1:
            raise click.UsageError("--seed needs --only, to say of which kind it is")
        sys.exit(_again(asked[0], seed))
    parts = []
    there = [kind for kind in asked if not kind.missing]
    if minutes is not None:
        first = first or int(time.time())
    for kind in asked:
        if kind.missing:
            click.echo(f"{kind.title} is left out: {kind.missing}", err=True)
            continue
        click.echo(f"{kind.title} ...", err=True)
        seconds = None if minutes is None else 60 * minutes / len(there)
        number = seeds if seeds is not None or minutes is not None else kind.usual
        tell = lambda line: click.echo(line, err=True)  # noqa: E731
        parts.append(run_kind(kind, first=first, number=number, seconds=seconds, tell=tell))
    click.echo(table(parts))
    if any(part.failures for part in parts):
        click.echo(f"\n{failures_text(parts)}")
        sys.exit(1)
    if not parts:
        sys.exit(2)


def _again(kind: Kind, seed: str) -> int:
    if kind.missing:
        raise click.UsageError(kind.missing)
    with kind.opened() as play:
        told = play(seed, click.echo)
    click.echo("nothing was broken" if not told.violations else f"{len(told.violations)} promises broken")
    return 1 if told.violations else 0


if __name__ == "__main__":
    main()
