"""``register-work-pool``: what a Prefect work pool needs to run training jobs."""

from __future__ import annotations

import click

from amt_flows.cli.group import examples, main


@main.command("register-work-pool", epilog=examples("amt-flows register-work-pool gpu-pool"))
@click.argument("pool", metavar="NAME")
def register_work_pool(pool: str) -> None:
    """Give a Prefect work pool the deployment that training jobs are flow runs of.

    Once for each pool and server; again does no harm. Then: run SPEC --backend work-pool:NAME.
    """
    from amt_flows.backends.work_pool.engine import FLOW, WorkPoolEngine

    deployment = WorkPoolEngine(pool).register()
    click.echo(f"Registered {FLOW}/{pool} ({deployment}).")
    click.echo(f"Run training jobs there with --backend work-pool:{pool}.", err=True)
