"""``init``: a first spec, for a training script that is there or for one to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from amt_flows.cli.group import examples, main

SPEC = "tuning.toml"
SCRIPT = "train.py"

EXAMPLE_SCRIPT = '''\
"""Train on made-up data; in its place, put a model of your own."""

import argparse

from amt_flows.reporting import model_dir, report

arguments = argparse.ArgumentParser()
arguments.add_argument("--learning-rate", type=float, default=0.01)
arguments.add_argument("--layers", type=int, default=2)
arguments.add_argument("--optimizer", choices=["sgd", "adam"], default="sgd")
given = arguments.parse_args()

best = 0.95 - abs(given.learning_rate - 0.1) / 2 - abs(given.layers - 3) / 20
if given.optimizer == "sgd":
    best -= 0.02
for epoch in range(1, 11):
    report(epoch=epoch, accuracy=best * (1 - 0.5**epoch))  # train for an epoch and measure here

(model_dir() / "model.txt").write_text(repr(given))
'''


@main.command(
    epilog=examples(
        "amt-flows init train.py",
        "amt-flows init train.py --metric val_loss --hint lr=0.001 --fixed data=train.csv",
        "amt-flows init --example",
    ),
)
@click.argument("script", type=click.Path(), required=False)
@click.option("--metric", metavar="NAME", help="What to optimise, as the script prints it.")
@click.option(
    "--hint",
    "hints",
    metavar="NAME=VALUE",
    multiple=True,
    help="Search this argument around a value that usually works. May be repeated.",
)
@click.option(
    "--fixed",
    metavar="NAME=VALUE",
    multiple=True,
    help="Give this argument to every training job. May be repeated.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(),
    metavar="FILE",
    default=SPEC,
    help=f"The spec's file, - to print it [{SPEC}].",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--example", is_flag=True, help=f"Write a training script to begin with, {SCRIPT}, beside it.")
def init(
    script: str | None,
    metric: str | None,
    hints: tuple[str, ...],
    fixed: tuple[str, ...],
    output: str,
    force: bool,
    example: bool,
) -> None:
    """Write a spec for a training script.

    Its arguments become ranges around their defaults, and a line that it prints a metric. It is read and
    never run. Without SCRIPT it is the one training script of this directory.
    """
    from amt_flows.plan.draft import Wanted, draft_of
    from amt_flows.show.text import visible

    if example and script is not None:
        raise click.UsageError("--example writes a script of its own; leave SCRIPT out")
    directory = Path() if output == "-" else Path(output).parent
    if output != "-":
        _must_be_free(Path(output), force)
    if example:
        script = str(directory / SCRIPT)
        _must_be_free(Path(script), force)
        _write(Path(script), EXAMPLE_SCRIPT)
    wanted = Wanted(metric, _pairs("--hint", hints), _pairs("--fixed", fixed))
    draft = draft_of(Path(script) if script is not None else _only_script(directory), directory, wanted)
    if output == "-":
        click.echo(draft.text, nl=False)
        return
    _write(Path(output), draft.text)
    for line in (*draft.notes, f"Written: {output}. What next:"):
        click.echo(visible(line))
    click.echo(
        f"  amt-flows plan {output}   # the ranges, and what it would take\n"
        f"  amt-flows try {output}    # one training job, here and now\n"
        f"  amt-flows run {output}    # all of them"
    )


def _pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals or not value:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=option)
        pairs[name.lstrip("-")] = value
    return pairs


def _must_be_free(file: Path, force: bool) -> None:
    from amt_flows.errors import AmtFlowsError

    if file.exists() and not force:
        raise AmtFlowsError(
            f"{file} is there already.",
            remedy="give another name with `--output FILE`, or write over it with --force",
        )


def _write(file: Path, text: str) -> None:
    """All of it or nothing: the file that was there stays until the new one is whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _only_script(directory: Path) -> Path:
    from amt_flows.errors import AmtFlowsError

    found = [file for file in sorted(directory.glob("*.py")) if _takes_arguments(file)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(str(one) for one in found)
    raise AmtFlowsError(
        f"Several scripts take arguments here: {names}." if found else "No training script was found here.",
        remedy="say which: `amt-flows init SCRIPT`"
        + ("" if found else "; or begin with one: `amt-flows init --example`"),
    )


def _takes_arguments(file: Path) -> bool:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "add_argument" in text or "@click.option" in text
