"""``python -m amt_flows.testing.sagemaker``: a simulated AWS with a SageMaker in it, on a port."""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import TypeVar

import click

from amt_flows.testing.sagemaker.clocks import AcceleratedClock
from amt_flows.testing.sagemaker.commands import Command
from amt_flows.testing.sagemaker.quotas import Quotas
from amt_flows.testing.sagemaker.scripts import JobScript
from amt_flows.testing.sagemaker.throttling import TokenBucket
from amt_flows.testing.sagemaker.world import SimulatedSageMaker

Number = TypeVar("Number", int, float)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=5000, show_default=True, help="The port to listen on; 0 is any free one.")
@click.option(
    "--real",
    is_flag=True,
    help="Run training for real: what the request's ContainerEntrypoint, or "
    "its sagemaker_program, says. Without it jobs follow a script.",
)
@click.option(
    "--command",
    "commands",
    nargs=2,
    multiple=True,
    metavar="IMAGE COMMAND",
    help="Run COMMAND for the training image (or algorithm) IMAGE, which may hold * and ?. "
    "Implies --real. May be given more than once.",
)
@click.option(
    "--values",
    default="0.5,0.7,0.8",
    show_default=True,
    help="Scripted jobs: the values of the first metric, one per epoch.",
)
@click.option(
    "--seconds-per-epoch", default=10.0, show_default=True, help="Scripted jobs: from value to value."
)
@click.option("--startup-seconds", default=0.0, show_default=True, help="How long a job is Starting.")
@click.option(
    "--tune/--no-tune",
    "tunes",
    default=True,
    show_default=True,
    help="Whether tuning jobs tune, by amt-flows' own engine, or only keep state.",
)
@click.option("--grace-seconds", default=120.0, show_default=True, help="From SIGTERM to SIGKILL.")
@click.option("--speed", default=1.0, show_default=True, help="Simulated seconds per second.")
@click.option(
    "--quota",
    "quotas",
    multiple=True,
    metavar="TYPE=COUNT",
    help="So many instances of a type at once, e.g. ml.m5.xlarge=2. May be given more than once.",
)
@click.option(
    "--throttle",
    "throttles",
    multiple=True,
    metavar="OPERATION=RATE",
    help="So many calls of an operation a second, * for all others. May be given more than once.",
)
def main(
    host: str,
    port: int,
    real: bool,
    commands: Sequence[tuple[str, str]],
    values: str,
    seconds_per_epoch: float,
    startup_seconds: float,
    tunes: bool,
    grace_seconds: float,
    speed: float,
    quotas: Sequence[str],
    throttles: Sequence[str],
) -> None:
    """Serve a simulated AWS in which SageMaker's training jobs live and its tuning jobs tune, until Ctrl-C or
    SIGTERM.

    Point clients at it by AWS_ENDPOINT_URL. Everything that runs ends with it, and nothing is kept.
    """
    if not speed > 0:
        raise click.BadParameter("must be above 0", param_hint="--speed")
    world = SimulatedSageMaker(
        None if real or commands else _script(values, seconds_per_epoch, startup_seconds),
        commands=_commands(commands, startup_seconds) if real or commands else None,
        clock=AcceleratedClock(speed),
        stop_grace_seconds=grace_seconds,
        tunes=tunes,
        quotas=Quotas(_numbers(quotas, int, "--quota")),
        throttles={
            n: TokenBucket(r, max(1, int(r))) for n, r in _numbers(throttles, float, "--throttle").items()
        },
    )
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        with world.serve(port, host) as url:
            click.echo(f"A simulated AWS listens on {url}. For its clients:")
            click.echo(f"export AWS_ENDPOINT_URL={url} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test")
            ended.wait()
    except OSError as error:
        raise click.ClickException(f"can't listen on {host}:{port}: {error.strerror}") from None
    click.echo("Ended; nothing of it is left.")


def _script(values: str, seconds_per_epoch: float, startup_seconds: float) -> JobScript:
    try:
        numbers = [float(word) for word in values.split(",") if word.strip()]
    except ValueError:
        raise click.BadParameter(
            f"not numbers with commas between: {values}", param_hint="--values"
        ) from None
    return JobScript(
        numbers,
        seconds_per_epoch,
        starting_seconds=startup_seconds,
        downloading_seconds=0.0,
        uploading_seconds=0.0,
    )


def _commands(given: Sequence[tuple[str, str]], startup_seconds: float) -> Mapping[str, Command]:
    # Split as a shell would, but no shell ever sees it.
    return {image: Command(shlex.split(text), starting_seconds=startup_seconds) for image, text in given}


def _numbers(given: Sequence[str], kind: Callable[[str], Number], option: str) -> dict[str, Number]:
    found: dict[str, Number] = {}
    for text in given:
        name, _, number = text.partition("=")
        try:
            found[name] = kind(number)
        except ValueError:
            raise click.BadParameter(f"{text} is not NAME=NUMBER", param_hint=option) from None
    return found


if __name__ == "__main__":
    main(prog_name="python -m amt_flows.testing.sagemaker")
