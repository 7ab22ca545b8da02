"""``try``: one configuration in the foreground, before many are paid for."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence

import click

from amt_flows.cli.group import examples, home_option, json_option, main


@main.command(
    "try",
    epilog=examples("amt-flows try tuning.toml", "amt-flows try tuning.toml --set learning_rate=0.01"),
)
@click.argument("spec", type=click.Path())
@home_option
@json_option("what was tried and found")
@click.option(
    "--set",
    "changes",
    metavar="NAME=VALUE",
    multiple=True,
    help="A hyperparameter's value, in place of the one proposed, or a field of the spec. May be repeated.",
)
def try_(spec: str, home: str | None, as_json: bool, changes: tuple[str, ...]) -> None:
    """Run one configuration here and now, and record nothing.

    It is the first that would be proposed, but for what is set. The output is shown as it comes, and input is
    passed on, so that a debugger works. At the end it is said what was found of the metrics.
    """
    from amt_flows.cli.input import change_of, load_spec
    from amt_flows.errors import TuningJobFailed
    from amt_flows.events import number_to_json
    from amt_flows.foreground import try_once
    from amt_flows.show.text import visible

    fields = _fields_among(changes, spec)
    values = dict(change_of(text) for text in changes if text not in fields)
    asked = load_spec(spec, fields)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        tried = try_once(asked, values=values, home=home)
    if as_json:
        content = {
            "hyperparameters": tried.hyperparameters,
            "objective_value": None
            if tried.objective_value is None
            else number_to_json(tried.objective_value),
            "values": {name: [number_to_json(one) for one in found] for name, found in tried.values.items()},
            "failure": tried.failure,
        }
        click.echo(json.dumps(content, indent=2))
    else:
        click.echo(visible(str(tried)))
    if tried.failure is not None or tried.objective_value is None:
        click.get_current_context().exit(TuningJobFailed.exit_code)


def _fields_among(changes: Sequence[str], spec: str) -> list[str]:
    """Those that change a field of the spec. A hyperparameter may be called as a field is (``seed``): then it
    is meant."""
    from amt_flows.cli.input import change_of, load_spec
    from amt_flows.errors import SpecError
    from amt_flows.ledger.algorithms import algorithms_of
    from amt_flows.spec import TuningSpec
    from amt_flows.spec.dotted import steps_of

    def first(text: str) -> object:
        return next(iter(steps_of(change_of(text)[0])), None)

    fields = [text for text in changes if first(text) in TuningSpec.model_fields]
    plain = [text for text in fields if change_of(text)[0] in TuningSpec.model_fields]
    if not plain:
        return fields
    with contextlib.suppress(SpecError):
        asked = load_spec(spec, [text for text in fields if text not in plain])
        tuned = {name for algorithm in algorithms_of(asked) for name in algorithm.space.names}
        return [text for text in fields if text not in plain or change_of(text)[0] not in tuned]
    return fields
