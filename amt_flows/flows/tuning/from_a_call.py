"""The flow ``tune`` called as the function ``amt_flows.tune``: with a function and its space. What the run is
given is the spec that they make, which the UI shows, and which another run can be started with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypedDict, TypeVar, overload

from prefect import Flow, State

from amt_flows.backends.local.early_imports import importing
from amt_flows.functions.call import refuse_to_travel, spec_of
from amt_flows.spec import TuningSpec

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from amt_flows.flows.parameters import PlaceName
    from amt_flows.functions.ranges import SearchSpace
    from amt_flows.functions.settings import SpecSettings
    from amt_flows.results import TuningResult

    class FlowSettings(SpecSettings, total=False):
        """Those of :func:`amt_flows.tune` that make a spec, and the flow's own parameters beside it."""

        backend: PlaceName
        home: str | None


P = ParamSpec("P")
R = TypeVar("R")


class OfTheRun(TypedDict, total=False):
    """What Prefect takes of a call for itself."""

    return_state: bool
    wait_for: Any


class TuneFlow(Flow[P, R]):
    """A flow whose first parameter is a spec, and which is called with a function and its space as well."""

    if TYPE_CHECKING:

        @overload  # type: ignore[override]
        def __call__(
            self,
            train: Callable[..., Any],
            space: SearchSpace,
            /,
            **settings: Unpack[FlowSettings],
        ) -> TuningResult: ...

        @overload
        def __call__(
            self,
            train: Callable[..., Any],
            space: SearchSpace,
            /,
            *,
            return_state: Literal[True],
            **settings: Unpack[FlowSettings],
        ) -> State[TuningResult]: ...

        @overload
        def __call__(
            self,
            spec: TuningSpec | dict[str, Any],
            backend: PlaceName = ...,
            region: str | None = None,
            training: str | None = None,
            home: str | None = None,
        ) -> TuningResult: ...

        @overload
        def __call__(
            self,
            spec: TuningSpec | dict[str, Any],
            backend: PlaceName = ...,
            region: str | None = None,
            training: str | None = None,
            home: str | None = None,
            *,
            return_state: Literal[True],
        ) -> State[TuningResult]: ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if args and callable(args[0]) and not isinstance(args[0], TuningSpec):
            parameters = parameters_of(*args, **kwargs)
            with _importing(**parameters):
                return super().__call__(**parameters)
        with _importing(*args, **kwargs):
            return super().__call__(*args, **kwargs)


def _importing(
    spec: object = None,
    backend: object = "local",
    region: object = None,
    training: object = None,
    home: object = None,
    **of_the_run: object,
) -> AbstractContextManager[None]:
    """Import what training jobs on this machine will import, while Prefect begins the flow run."""
    here = backend == "local" and training is None
    if here and isinstance(spec, TuningSpec) and isinstance(home, str | Path | None):
        return importing(spec, home)
    return nullcontext()


def called_with_a_function_too(**settings: Any) -> Callable[[Callable[P, R]], TuneFlow[P, R]]:
    """As ``@flow``, for a flow whose first parameter is a spec."""
    return lambda run: TuneFlow(run, **settings)


def parameters_of(
    train: Callable[..., Any],
    space: SearchSpace,
    /,
    *,
    backend: str = "local",
    home: str | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """The flow's parameters for a call with a function. One that has no module is kept in ``home``. Raises
    SpecError."""
    refuse_to_travel(backend)
    own = {name: settings.pop(name) for name in OfTheRun.__annotations__ if name in settings}
    spec = spec_of(train, space, home, settings)
    return {"spec": spec, "backend": backend, "home": home, **own}
