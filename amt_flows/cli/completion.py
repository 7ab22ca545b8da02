"""Completion in the shell: ``amt-flows completion``, and the names that it offers.

It runs at every press of the tab key, so nothing is imported for it but click and what lists a directory, and
nothing is asked over the network: the names of a home in S3 are not offered.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem, get_completion_class
from click.types import StringParamType

from amt_flows.backends.home import home_directory, is_in_s3
from amt_flows.cli.group import examples, main
from amt_flows.errors import AmtFlowsError

PROGRAM: Final = "amt-flows"
VARIABLE: Final = "_AMT_FLOWS_COMPLETE"
"""click's rule: the program's name in capitals."""


class TuningJobName(StringParamType):
    """A tuning job; those that are kept in the home on this machine are offered."""

    name = "name"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        given = ctx.params.get(param.name or "") or ()
        return [
            CompletionItem(directory.name)
            for directory in tuning_jobs(ctx.params.get("home"))
            if directory.name.startswith(incomplete.lower()) and directory.name not in given
        ]


class TrainingJobName(StringParamType):
    """A training job; those that ran on this machine are offered."""

    name = "job"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        begun, tuning_job = incomplete.lower(), ctx.params.get("name")
        return [
            CompletionItem(name)
            for directory in tuning_jobs(ctx.params.get("home"))
            if tuning_job is None or directory.name == tuning_job.lower()
            # The names of training jobs begin with that of their tuning job.
            if begun.startswith(directory.name) or directory.name.startswith(begun)
            for name in _entries(directory / "jobs")
            if name.startswith(begun)
        ]


TUNING_JOB: Final = TuningJobName()
TRAINING_JOB: Final = TrainingJobName()


def tuning_jobs(home: str | None) -> Iterator[Path]:
    """Their directories in a home on this machine, in the order of their names."""
    try:
        if is_in_s3(home):
            return
        directory = home_directory(home)
    except AmtFlowsError:
        # Nobody can read an error while completing.
        return
    for name in _entries(directory):
        if (directory / name / "journal").is_dir():
            yield directory / name


def _entries(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208 - a Path for each of thousands takes its time
    except OSError:
        return []


@main.command(epilog=examples("amt-flows completion bash", "amt-flows completion fish > amt-flows.fish"))
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands, options and names of tuning jobs.

    \b
    bash: eval "$(amt-flows completion bash)"   in ~/.bashrc
    zsh:  eval "$(amt-flows completion zsh)"    in ~/.zshrc, after compinit
    fish: amt-flows completion fish > ~/.config/fish/completions/amt-flows.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, PROGRAM, VARIABLE).source())
