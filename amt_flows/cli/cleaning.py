"""``clean``: what a home keeps and nothing in it needs any more."""

from __future__ import annotations

import json

import click

from amt_flows.cli.group import examples, home_option, json_option, main

DAY_SECONDS = 86_400.0


@main.command(epilog=examples("amt-flows clean --dry-run", "amt-flows clean --older-than 30"))
@home_option
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option(
    "--older-than",
    "days",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="DAYS",
    help="Leave alone what was kept since: the file of a spec may name it that was not run yet.",
)
@json_option("what was removed")
def clean(home: str | None, dry_run: bool, days: float, as_json: bool) -> None:
    """Remove functions that were kept by value and that no tuning job of the home names any more.

    Tuning jobs, their training jobs, logs and models are never removed: delete a tuning job's directory
    yourself, and its functions go with the next clean.
    """
    from amt_flows.errors import AmtFlowsError
    from amt_flows.functions.kept import remove, unused_functions

    unused = unused_functions(home, days * DAY_SECONDS)
    if not dry_run:
        try:
            remove(unused)
        except OSError as error:
            raise AmtFlowsError(
                f"A function can't be removed: {error.strerror} ({error.filename}).",
                remedy="grant access to the home; those before it are gone",
            ) from None
    if as_json:
        files, size = [str(one.file) for one in unused], sum(one.bytes for one in unused)
        content = {"functions": files, "bytes": size, "removed": not dry_run}
        click.echo(json.dumps(content, indent=2))
        return
    did = "Would remove" if dry_run else "Removed"
    for one in unused:
        click.echo(f"{did} {one.file} ({one.bytes} bytes).")
    if not unused:
        click.echo("No kept function is unused.")
