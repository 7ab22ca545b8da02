"""The command ``amt-flows``: what all its commands share.

Results go to standard output, progress and messages to standard error; the exit codes are those of
:mod:`amt_flows.errors`. What a command needs is imported in it, so that ``--help`` is there at once.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from amt_flows.errors import AmtFlowsError, TuningInterrupted

F = TypeVar("F", bound=Callable[..., Any])


class Commands(click.Group):
    """Suggests the command that was probably meant, and ends a known error with its message and exit code
    instead of a traceback. On its way out no further Ctrl-C changes that code."""

    ends_process = False

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from amt_flows.names import nearest

        given = args[0]
        if self.get_command(ctx, given) is None and not given.startswith("-"):
            names = self.list_commands(ctx)
            meant = nearest(given, names)
            hint = f"did you mean {meant!r}?" if meant else f"the commands are {', '.join(names)}"
            raise click.UsageError(f"There is no command {given!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        from amt_flows.cli.streams import prepare_streams

        prepare_streams()
        # Without arguments it is the command of this process, and not called from a program.
        self.ends_process = args is None
        return super().main(args, *more, **options)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AmtFlowsError as error:
            self._no_more_interrupts()
            from amt_flows.show.text import visible

            click.echo(visible(str(error)), err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            # Where no tuning job is driven here, which would be ended gracefully.
            self._no_more_interrupts()
            click.echo("Interrupted.", err=True)
            ctx.exit(TuningInterrupted.exit_code)
        except (MemoryError, OSError, ImportError, SystemError, RuntimeError) as error:
            known = _in_a_sentence(error)
            if known is None:
                raise
            from amt_flows.show.text import visible

            click.echo(visible(str(known)), err=True)
            ctx.exit(known.exit_code)
        finally:
            self._no_more_interrupts()
            if self.ends_process:
                # On its way out Python looks through all that was loaded for what could be dropped.
                gc.freeze()

    def _no_more_interrupts(self) -> None:
        if self.ends_process and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)


NO_MEMORY = AmtFlowsError(
    "There is not enough memory for amt-flows itself.",
    because="a limit is set (`ulimit -v`, a container's), or the machine is out of memory",
    remedy="allow more: about 500 MB beside the training jobs; then run the same tuning job again",
)


OF_MEMORY = (
    "failed to map segment",
    "annot allocate memory",
    "without exception set",
    "can't start new thread",
)
"""What Python says beside MemoryError when there is none left."""


def _in_a_sentence(error: Exception) -> AmtFlowsError | None:
    """What the machine refused; None for a mistake of ours, whose traceback is of use, and for the end of
    whoever read our output, which click knows."""
    if isinstance(error, MemoryError) or any(words in str(error) for words in OF_MEMORY):
        return NO_MEMORY
    if not isinstance(error, OSError) or error.errno == errno.EPIPE:
        return None
    where = f" ({error.filename})" if error.filename else ""
    return AmtFlowsError(
        f"The system refused: {error.strerror or error}{where}.",
        because="the disk is full or gone, or permissions are missing"
        if error.filename
        else "a limit of this process or of the machine was reached",
        remedy="put that right, then run the same command again",
    )


def examples(*lines: str) -> str:
    # \b keeps click from filling the paragraph.
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def _print_version(ctx: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"amt-flows {version('amt-flows')}")
        except PackageNotFoundError:
            click.echo("amt-flows (not installed)")
        ctx.exit()


NAMES: Final = ("local", "sagemaker", "amt")
ENGINES: Final = {"ray": "ray:http://head:8265", "work-pool": "work-pool:NAME"}


class BackendName(click.ParamType):  # type: ignore[type-arg] # has none before Click 8.3
    """``local``, ``sagemaker`` or ``amt``; or an engine and where it is."""

    name = "backend"

    def convert(self, value: str, parameter: click.Parameter | None, ctx: click.Context | None) -> str:
        engine, _, where = value.partition(":")
        if value not in NAMES and not (engine in ENGINES and where):
            self.fail(f"{value!r} is not one of {', '.join([*NAMES, *ENGINES.values()])}.", parameter, ctx)
        return value

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "BACKEND"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        known = (*NAMES, *(f"{engine}:" for engine in ENGINES))
        return [CompletionItem(name) for name in known if name.startswith(incomplete)]


BACKEND = BackendName()


def home_option(command: F) -> F:
    return click.option(
        "--home",
        type=click.Path(),
        metavar="DIR",
        help="Where tuning jobs are kept, or s3://bucket/folder [default: $AMT_FLOWS_HOME or ~/.amt-flows].",
    )(command)


def backend_options(default: str | None = "local") -> Callable[[F], F]:
    """``--backend`` and ``--region``. Without a ``default`` it is the one that a record names."""
    told = "the record's" if default is None else default

    def with_options(command: F) -> F:
        choice = click.option(
            "--backend",
            type=BACKEND,
            default=default,
            help="Where training jobs run: local, sagemaker, amt (SageMaker's own tuner drives them), "
            f"ray:http://head:8265 or work-pool:NAME [default: {told}].",
        )
        region = click.option("--region", help="AWS region, for SageMaker [default: the environment's].")
        return choice(region(command))

    return with_options


def gpus_option(command: F) -> F:
    """Read where the machine is looked at, so that a flow of this process finds it too."""
    return click.option(
        "--gpus",
        metavar="0,1",
        expose_value=False,
        callback=_use_gpus,
        help="The GPUs of this machine that training jobs may have [default: $AMT_FLOWS_GPUS, else "
        "$CUDA_VISIBLE_DEVICES, else all].",
    )(command)


def _use_gpus(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        os.environ["AMT_FLOWS_GPUS"] = value


def json_option(what: str) -> Callable[[F], F]:
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as JSON.")


def set_option(command: F) -> F:
    return click.option(
        "--set",
        "changes",
        metavar="FIELD=VALUE",
        multiple=True,
        help="Change a field of the spec, e.g. limits.max_parallel_training_jobs=4. May be repeated.",
    )(command)


def mlflow_options(command: F) -> F:
    uri = click.option(
        "--mlflow",
        metavar="URI",
        help="Show the tuning job in MLflow while it runs [default: the spec's `tracking`].",
    )
    experiment = click.option(
        "--experiment", metavar="NAME", help="The experiment there [default: the spec's, or amt-flows]."
    )
    return uri(experiment(command))


def prices_option(command: F) -> F:
    return click.option(
        "--prices",
        type=click.Path(),
        metavar="FILE",
        help="Your price table, for what the spec gives no price of "
        "[default: $AMT_FLOWS_PRICES, or prices.toml in your configuration directory].",
    )(command)


def seed_option(command: F) -> F:
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        metavar="N",
        help="Try the same configurations again [default: the spec's, or one drawn for each tuning job].",
    )(command)


def learn_from_option(command: F) -> F:
    return click.option(
        "--learn-from",
        metavar="auto|NAME,..|off",
        help="Start from what earlier tuning jobs found: those of this home that searched this space, or "
        "these [default: the spec's, else off].",
    )(command)


def name_option(command: F) -> F:
    return click.option("--name", metavar="NAME", help="The tuning job's name, instead of the spec's.")(
        command
    )


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples("amt-flows plan tuning.toml", "amt-flows run tuning.toml", "amt-flows status"),
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print it."
)
def main() -> None:
    """Automatic model tuning: many training jobs, the best hyperparameters.

    SPEC is a .toml, .json or .yaml file: a tuning spec, or a CreateHyperParameterTuningJob request's body.
    """
