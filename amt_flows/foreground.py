"""One configuration in the foreground, before many are paid for: the output as it comes, a debugger that
works, and at the end what was found of the metrics. Nothing is recorded."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, overload

from amt_flows.backends.function_job import arguments, loading, outcome
from amt_flows.backends.home import Home, home_directory
from amt_flows.backends.local.check import problems_of
from amt_flows.backends.local.foreground_script import ForegroundScript
from amt_flows.backends.local.paths import JobPaths
from amt_flows.backends.local.request import build, command_line, environment, working_directory
from amt_flows.backends.told_to_end import ToldToEnd
from amt_flows.errors import LaunchRejected, Problem, SpecError
from amt_flows.ledger.algorithms import Algorithm, algorithms_of
from amt_flows.metrics.reading import read_values
from amt_flows.names import meant
from amt_flows.plan.first_jobs import first_training_jobs
from amt_flows.plan.prepare import prepare
from amt_flows.ports import JobRequest
from amt_flows.reporting import report
from amt_flows.space.space import Value, hyperparameter_texts
from amt_flows.space.values import configuration_from
from amt_flows.spec import TuningSpec
from amt_flows.spec.metric_definitions import definitions
from amt_flows.spec.spaces import values_of
from amt_flows.tuning.parents import parents_in

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from amt_flows.functions.ranges import SearchSpace
    from amt_flows.functions.settings import SpecSettings

NAME = "try"


@dataclass(frozen=True)
class Tried:
    """What came of it. ``values`` has each metric's values, an epoch each; ``failure`` is None when it ended
    well."""

    hyperparameters: dict[str, str]
    metric: str
    """The objective's name."""
    values: dict[str, tuple[float, ...]]
    failure: str | None = None

    @property
    def objective_value(self) -> float | None:
        """The last value of the objective, which is what a training job counts by; None if there is none."""
        return self.values[self.metric][-1] if self.values.get(self.metric) else None

    def __str__(self) -> str:
        """For a person, in a line or a few."""
        given = ", ".join(f"{name}={value}" for name, value in self.hyperparameters.items())
        lines = [f"Tried {given or 'no hyperparameters'}."]
        for name, values in self.values.items():
            if values:
                epochs = f", the last of {len(values)} values" if len(values) > 1 else ""
                lines.append(f"Found {name} = {values[-1]:.6g}{epochs}.")
            else:
                lines.append(f"Found no {name} in the output: a tuning job would count it as failed.")
        if self.failure is not None:
            lines.append(f"It failed: {self.failure}")
        return "\n".join(lines)


@overload
def try_once(
    spec: TuningSpec, /, *, values: Mapping[str, object] | None = None, home: Home = None
) -> Tried: ...


@overload
def try_once(
    train: Callable[..., Any],
    space: SearchSpace,
    /,
    *,
    values: Mapping[str, object] | None = None,
    home: Home = None,
    **settings: Unpack[SpecSettings],
) -> Tried: ...


def try_once(
    what: TuningSpec | Callable[..., Any],
    space: Any = None,
    /,
    *,
    values: Mapping[str, object] | None = None,
    home: Home = None,
    **settings: Any,
) -> Tried:
    """Run one configuration here and now: the first that would be proposed, with ``values`` in place of its
    own.

    A function is called in this process, so that ``breakpoint()`` works; without ``maximize`` and
    ``minimize`` its metric is called ``objective``. A command is started with this process's input. What it
    writes into SageMaker's directories is removed at the end; nothing is recorded. An exception of the
    function's is told in the result's ``failure``, and its traceback is shown.

    SIGTERM and SIGHUP mean what Ctrl-C means: a function is interrupted; a command is asked to end by
    SIGTERM, has the spec's ``stop_grace_seconds``, and is killed then or at a second signal, with what it has
    started.

    Raises SpecError, before anything is run; KeyboardInterrupt at such a signal, when nothing runs any
    more."""
    function: Callable[..., Any] | None = None
    if isinstance(what, TuningSpec):
        spec = what
        if settings or space is not None:
            message = "is said by the spec; leave it out"
            raise SpecError([Problem(name, None, message) for name in (settings or ("space",))])
    else:
        from amt_flows.functions.call import asked

        if not {"maximize", "minimize"} & settings.keys():
            settings["maximize"] = "objective"
        spec = asked(what, space, {"jobs": 1, **settings}).spec
        function = loading.plain_function(what)
    algorithm, configuration = _configuration(spec, values or {}, home)
    if function is None:
        problems = problems_of(algorithm.spec, home_directory(home))
        if problems:
            raise SpecError(problems)
    return _run(algorithm, configuration, function, home_directory(home))


def _configuration(
    spec: TuningSpec, values: Mapping[str, object], home: Home
) -> tuple[Algorithm, dict[str, Value]]:
    """The first proposal, changed by ``values``. Raises SpecError."""
    from amt_flows.backends.local import LocalBackend

    prepared = prepare(spec, parents_in(home))
    if prepared.problems:
        raise SpecError(prepared.problems)
    _, proposals = first_training_jobs(prepared.spec, LocalBackend(home_directory(home)), 1, parents_in(home))
    if not proposals:
        raise SpecError([Problem("space", None, "has no configuration to try")])
    first = proposals[0]
    algorithm = next(one for one in algorithms_of(prepared.spec) if one.name == first.algorithm)
    names = [parameter.name for parameter in algorithm.space.parameters]
    wrong = [
        Problem(n, v, f"is no tuned hyperparameter; {meant(n, names)}")
        for n, v in values.items()
        if n not in names
    ]
    if wrong:
        raise SpecError(wrong)
    try:
        merged = configuration_from(algorithm.space, {**first.configuration, **values})
    except ValueError as error:
        raise SpecError([Problem("values", dict(values), str(error))]) from None
    given = {name: merged[name] for name in values}
    configuration = {**algorithm.space.used(merged), **given}
    if given:
        _must_be_allowed(algorithm.spec, configuration)
    return algorithm, configuration


def _must_be_allowed(spec: TuningSpec, configuration: Mapping[str, Value]) -> None:
    """By the rules of configurations that are tried first. Raises SpecError."""
    try:
        TuningSpec.parse({**spec.to_json(), "first_configurations": [dict(configuration)]})
    except SpecError as error:
        raise SpecError(
            [
                Problem(one.field.replace("first_configurations[0]", "values"), one.value, one.message)
                for one in error.problems
            ]
        ) from None


def _run(
    algorithm: Algorithm, configuration: Mapping[str, Value], function: Callable[..., Any] | None, home: Path
) -> Tried:
    spec = algorithm.spec
    static = {name: str(text) for name, text in spec.static_hyperparameters.items()}
    request = JobRequest(
        name=NAME,
        tuning_job=NAME,
        trial=1,
        attempt=1,
        hyperparameters={**static, **hyperparameter_texts(configuration)},
        values=values_of(spec, configuration),
        fingerprint="",
        template=spec.training_job,
        objective_metric=spec.objective.metric_name,
        tags=spec.tags,
        definition=algorithm.name,
        other_metrics=spec.other_metrics,
    )
    told = ToldToEnd()
    with told.noting(), tempfile.TemporaryDirectory(prefix="amt-flows-try-") as scratch:
        place = Path(scratch) / "jobs" / NAME / NAME
        place.mkdir(parents=True)
        try:
            build(request, JobPaths(place), place)
        except LaunchRejected as error:
            raise SpecError([Problem("training_job", None, str(error))]) from None
        if spec.training_job.function is None:
            output, failure = _start(request, JobPaths(place), home, told)
        else:
            with told.raising():
                output, failure = _call(request, JobPaths(place), function, home)
    defined = definitions(spec.training_job, request.objective_metric, request.other_metrics)
    found: dict[str, list[float]] = {one.name: [] for one in defined}
    for name, _, value in read_values(defined, output.splitlines()):
        found[name].append(value)
    return Tried(
        dict(request.hyperparameters),
        request.objective_metric,
        {name: tuple(values) for name, values in found.items()},
        failure,
    )


def _start(request: JobRequest, paths: JobPaths, home: Path, told: ToldToEnd) -> tuple[str, str | None]:
    """A command, with our input and our terminal's signals. Its output is shown as it comes."""
    script = ForegroundScript(
        command_line(request, home),
        working_directory(request.template.working_directory),
        {**os.environ, **environment(request, paths)},
        told,
    )
    output, code = script.run(request.template.stop_grace_seconds)
    failure = None if code == 0 else f"exit status {code}" if code > 0 else f"ended by signal {-code}"
    return output, failure


def _call(
    request: JobRequest, paths: JobPaths, function: Callable[..., Any] | None, home: Path
) -> tuple[str, str | None]:
    """A function, in this process, as :mod:`amt_flows.backends.local.function` calls it in one of its own."""
    target = str(request.template.function)
    read = io.StringIO()
    own = frozenset({__file__, arguments.__file__, loading.__file__, outcome.__file__})
    with _as_in_a_job(request, paths), _copied(read):
        try:
            reported = outcome.reporting_to(sys.stdout, report)
            called = function or loading.load(target, loading.stored_at(home, target))
            result = called(**arguments.typed_arguments(called, dict(request.values)))
            outcome.tell(result, request.objective_metric, loading.called(target), reported)
        except Exception as error:
            error.__traceback__ = outcome.from_the_user_on(error, own)
            traceback.print_exception(error)
            return read.getvalue(), outcome.reason(error).partition("\n")[0]
        except SystemExit as end:
            failed = end.code not in (None, 0)
            return read.getvalue(), f"exit status {end.code}" if failed else None
    return read.getvalue(), None


@contextlib.contextmanager
def _as_in_a_job(request: JobRequest, paths: JobPaths) -> Iterator[None]:
    """The variables, the working directory and the search path of a training job, for as long as it runs."""
    variables, path, directory = dict(os.environ), list(sys.path), Path.cwd()
    place = working_directory(request.template.working_directory)
    os.environ.update(environment(request, paths))
    sys.path.insert(0, str(place))
    sys.path[1:1] = [
        one for one in request.template.environment.get("PYTHONPATH", "").split(os.pathsep) if one
    ]
    importlib.invalidate_caches()
    os.chdir(place)
    try:
        yield
    finally:
        os.chdir(directory)
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(variables)


@contextlib.contextmanager
def _copied(into: io.StringIO) -> Iterator[None]:
    """What is printed goes where it always goes, and into a copy."""
    with (
        contextlib.redirect_stdout(_Copy(sys.stdout, into)),
        contextlib.redirect_stderr(_Copy(sys.stderr, into)),
    ):
        yield


class _Copy:
    """A stream in everything but that it keeps what is written to it: a debugger finds its terminal."""

    def __init__(self, stream: TextIO, into: io.StringIO) -> None:
        self._stream, self._into = stream, into

    def write(self, text: str) -> int:
        self._into.write(text)
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
