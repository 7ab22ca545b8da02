"""``python -m amt_flows.testing.sagemaker``: a simulated AWS with a SageMaker in it, on a port."""

from __future__ import annotations

import getpass
import ipaddress
import os
import shlex
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from amt_flows.backends.told_to_end import hear_requests_to_end
from amt_flows.testing.sagemaker.clocks import AcceleratedClock
from amt_flows.testing.sagemaker.commands import Command
from amt_flows.testing.sagemaker.credentials import (
    KEY_ID_VARIABLE,
    Credentials,
    CredentialsError,
    given_in,
    made_up,
    read,
    write,
)
from amt_flows.testing.sagemaker.lags import Lags
from amt_flows.testing.sagemaker.quotas import Quotas
from amt_flows.testing.sagemaker.scripts import JobScript
from amt_flows.testing.sagemaker.throttling import TokenBucket
from amt_flows.testing.sagemaker.world import SimulatedSageMaker

Number = TypeVar("Number", int, float)
LOOK_SECONDS = 0.1


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
    "Each hyperparameter is appended as --name value. Implies --real. May be given more than once.",
)
@click.option(
    "--arguments/--no-arguments",
    default=True,
    show_default=True,
    help="Whether a --command gets its hyperparameters as arguments, or has only the container's files "
    "and variables for them.",
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
    "--endpoint-seconds",
    default=0.0,
    show_default=True,
    help="How long it takes until an endpoint is in service; on AWS some minutes.",
)
@click.option(
    "--tune/--no-tune",
    "tunes",
    default=True,
    show_default=True,
    help="Whether tuning jobs tune, by amt-flows' own engine, or only keep state.",
)
@click.option("--grace-seconds", default=120.0, show_default=True, help="From SIGTERM to SIGKILL.")
@click.option(
    "--log-seconds",
    default=0.0,
    show_default=True,
    help="How often output is handed to CloudWatch Logs, in simulated seconds; AWS's agents take 5.",
)
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
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="A further name by which clients call this machine, such as its service's name in a Compose file. "
    "May be given more than once.",
)
@click.option(
    "--credentials",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take the credentials from this file of AWS's form; where there is none, write those made up "
    "into it. Without it they are those of $SIMULATED_AWS_ACCESS_KEY_ID and "
    "$SIMULATED_AWS_SECRET_ACCESS_KEY, or made up.",
)
@click.option(
    "--region",
    envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
    default="us-east-1",
    show_default=True,
    help="The region to tell clients of; any is answered.",
)
def main(
    host: str,
    port: int,
    real: bool,
    commands: Sequence[tuple[str, str]],
    arguments: bool,
    values: str,
    seconds_per_epoch: float,
    startup_seconds: float,
    endpoint_seconds: float,
    tunes: bool,
    grace_seconds: float,
    log_seconds: float,
    speed: float,
    quotas: Sequence[str],
    throttles: Sequence[str],
    allowed_hosts: Sequence[str],
    file: Path | None,
    region: str,
) -> None:
    """Serve a simulated AWS in which SageMaker's training jobs live and its tuning jobs tune, until Ctrl-C or
    SIGTERM.

    Clients find it by the variables that it prints, AWS_ENDPOINT_URL and credentials. Only requests that
    are signed with these are answered, and none of a web page. Everything that runs ends with it, and
    nothing is kept.
    """
    if not log_seconds >= 0:
        raise click.BadParameter("must not be negative", param_hint="--log-seconds")
    if not speed > 0:
        raise click.BadParameter("must be above 0", param_hint="--speed")
    world = SimulatedSageMaker(
        None if real or commands else _script(values, seconds_per_epoch, startup_seconds),
        commands=_commands(commands, startup_seconds, arguments) if real or commands else None,
        clock=AcceleratedClock(speed),
        stop_grace_seconds=grace_seconds,
        endpoint_seconds=endpoint_seconds,
        lags=Lags(log_batch_seconds=log_seconds),
        tunes=tunes,
        quotas=Quotas(_numbers(quotas, int, "--quota")),
        throttles={
            n: TokenBucket(r, max(1, int(r))) for n, r in _numbers(throttles, float, "--throttle").items()
        },
    )
    told: list[int] = []
    hear_requests_to_end(told.append)
    try:
        with (
            _kept(file) as (credentials, place, are_given),
            world.serve(port, host, credentials=credentials, allowed_hosts=allowed_hosts) as url,
        ):
            click.echo(f"A simulated AWS listens on {url}. For its clients:")
            for line in (
                *_for_clients(world.environment, region, credentials, place, are_given),
                *_who_may(url, host, allowed_hosts, runs=bool(real or commands)),
            ):
                click.echo(line)
            # Not a lock's wait: the system may have the other thread take a signal, and then nothing ends it.
            while not told:
                time.sleep(LOOK_SECONDS)
    except CredentialsError as error:
        raise click.ClickException(f"{error}.") from None
    except OSError as error:
        raise click.ClickException(f"can't listen on {host}:{port}: {error.strerror}") from None
    click.echo("Ended; nothing of it is left.")


@contextmanager
def _kept(file: Path | None) -> Iterator[tuple[Credentials, Path, bool]]:
    """The credentials, the file that has them, the user's own or one that goes with this process, and whether
    they were given. Raises CredentialsError."""
    given = given_in(os.environ)
    if file is not None:
        if given is not None:
            raise CredentialsError(f"give either --credentials or ${KEY_ID_VARIABLE}, not both")
        is_there = file.exists()
        if not is_there:
            write(file, made_up())
        yield read(file), file, is_there
        return
    credentials = given or made_up()
    with tempfile.TemporaryDirectory(prefix="simulated-aws-") as directory:  # its owner's alone
        place = Path(directory) / "credentials"
        write(place, credentials)
        yield credentials, place, given is not None


def _for_clients(
    environment: Mapping[str, str], region: str, credentials: Credentials, file: Path, are_given: bool
) -> Iterator[str]:
    variables = {**environment, "AWS_DEFAULT_REGION": region}
    if are_given:  # what somebody gave is his to show
        variables = {name: text for name, text in variables.items() if name not in credentials.environment()}
        variables["AWS_SHARED_CREDENTIALS_FILE"] = str(file)
    yield "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    if file.stat().st_mode & 0o077:
        yield f"Others of this machine can read {file}: take that right from them with chmod 600."
    elif not are_given:
        yield f"The credentials are also in {file}, which only you can read (AWS_SHARED_CREDENTIALS_FILE)."


def _who_may(url: str, host: str, allowed_hosts: Sequence[str], *, runs: bool) -> Iterator[str]:
    if _is_loopback(host):
        reach = "Programs of this machine can reach it"
    else:
        port, name = url.rpartition(":")[2], socket.gethostname()
        reach = (
            f"Every machine that can reach {host}, port {port}, can reach it (e.g. as http://{name}:{port})"
        )
    names = "".join(f", {name}" for name in allowed_hosts)
    what = f"they can run any program as {_user()}" if runs else "their jobs follow a script"
    yield f"{reach}, by the names localhost, {socket.gethostname()}{names} or its address."
    yield f"Those that know the credentials are answered, and {what}; web pages are not."


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.getuid()}"


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


def _commands(
    given: Sequence[tuple[str, str]], startup_seconds: float, arguments: bool
) -> Mapping[str, Command]:
    # Split as a shell would, but no shell ever sees it.
    return {
        image: Command(
            shlex.split(text), hyperparameters_as_arguments=arguments, starting_seconds=startup_seconds
        )
        for image, text in given
    }


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
