"""Errors of a flow run as sentences: what is wrong and what to do about it first, in the run's state, and no
traceback. A traceback is for errors that nobody foresaw."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar, cast

from prefect import Flow, runtime
from prefect.context import FlowRunContext
from prefect.exceptions import CancelledRun, ParameterTypeError
from prefect.states import Failed
from prefect.utilities.callables import parameter_schema

from amt_flows.errors import AmtFlowsError, SpecError
from amt_flows.flows.quiet import quiet_end_of

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound="Flow[..., Any]")

_REMEDY: Final = (
    "give it in the run's parameters, or among those of the deployment, which are every run's that brings "
    "none; a schedule that is switched on may lose its own"
)


_ENGINES: Final = ("prefect.flow_runs", "prefect.engine")
_EXITED: Final = ("Engine execution exited with unexpected exception", "Execution of flow run")


class RefusedParameters(AmtFlowsError):
    """A flow run's parameters can't be what its flow asks for. Nothing was begun."""

    exit_code = SpecError.exit_code


def in_sentences(run: Callable[P, R]) -> Callable[P, R]:
    """For a flow's function, below ``@flow(validate_parameters=False)``: it checks its parameters itself, and
    what amt-flows raises on purpose ends the flow run as Failed, with the sentence as the state's message. A
    flow or a script that calls the flow gets the error itself, as it was raised."""

    @wraps(run)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return run(**_checked(run, args, kwargs))  # type: ignore[call-arg]
        except AmtFlowsError as error:
            return cast(R, Failed(message=str(error), data=error))
        finally:
            # The process of a deployment's run raises the state once more, after the flow.
            for name in _ENGINES:
                logging.getLogger(name).addFilter(_says_more_than_the_state)
            here = FlowRunContext.get()
            if here is not None and here.flow_run is not None:
                quiet_end_of(here.flow_run.id)

    # Prefect binds a run's parameters before any flow begins, and what it raises then is a traceback.
    signature = inspect.signature(run)
    told.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[_with_default(one) for one in signature.parameters.values()]
    )
    return told


def _says_more_than_the_state(record: logging.LogRecord) -> bool:
    """Not so a traceback of what the run's state has said in a sentence. A filter is added once only."""
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    return not (str(record.msg).startswith(_EXITED) and isinstance(error, AmtFlowsError | CancelledRun))


def _with_default(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(default=None) if parameter.default is parameter.empty else parameter


def required_in_the_form(made: F) -> F:
    """For such a flow, above its ``@flow``: the form and the server ask for what has no default all the
    same."""
    strict: Any = made
    strict.__signature__ = inspect.signature(inspect.unwrap(made.fn))
    made.parameters = parameter_schema(made)
    return made


def run_called(template: str, parameter: str) -> Callable[[], str]:
    """For ``flow_run_name``: the template with a parameter in it, also where a run comes without."""
    return lambda: template.format(runtime.flow_run.parameters.get(parameter) or "nothing")


def _checked(run: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The parameters as the flow's annotations have them. Raises RefusedParameters, SpecError."""
    signature = inspect.signature(run)
    given = signature.bind_partial(*args, **kwargs).arguments
    missing = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.default is parameter.empty and given.get(name) is None
    ]
    if missing:
        raise RefusedParameters(
            f"This run has no {' and no '.join(repr(name) for name in missing)}, so there is nothing to do.",
            remedy=_REMEDY,
        )
    around = FlowRunContext.get()
    if around is None or around.flow is None:
        return given
    try:
        return around.flow.validate_parameters(given)
    except ParameterTypeError as error:
        raise RefusedParameters(
            f"The run's parameters can't be used: {error}", remedy="correct them, and start the run again"
        ) from None
