"""``doctor``: what of this machine tuning would fail by, and how to mend it."""

from __future__ import annotations

import json

import click

from amt_flows.cli.group import examples, home_option, json_option, main

COLOURS = {"ok": "green", "look": "yellow", "bad": "red"}


@main.command(epilog=examples("amt-flows doctor", "amt-flows doctor --home s3://my-bucket/tunings"))
@home_option
@json_option("what was found")
def doctor(home: str | None, as_json: bool) -> None:
    """Look whether this machine has what tuning needs.

    Python and packages, the home and its disk, the machine's parts, the Prefect server and the AWS account
    that are configured. Nothing is written, and no network asked but for those. The exit code is 1 if
    something would fail.
    """
    from amt_flows.cli.checkup import Finding, findings
    from amt_flows.show.text import visible

    found: list[Finding] = []
    for one in findings(home):
        found.append(one)
        if not as_json:
            state = click.style(f"{one.state:<4}", fg=COLOURS[one.state])
            click.echo(f"{state}  {visible(f'{one.about}: {one.says}')}")
            if one.remedy:
                click.echo(f"      {one.remedy}")
    bad = sum(one.state == "bad" for one in found)
    if as_json:
        click.echo(json.dumps([one.to_json() for one in found], indent=2))
    else:
        click.echo(f"{bad} of these would fail you." if bad else "Nothing of this keeps you from tuning.")
    click.get_current_context().exit(1 if bad else 0)
