"""``tune``: open a tuning job, drive it to its end, and give back its result. Needs no Prefect."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, overload

from amt_flows.amt.following import follow
from amt_flows.amt.handed_off import Following, HandedOff
from amt_flows.backends.home import Home, home_directory
from amt_flows.backends.places import Place, SageMakerTuner, open_journal, open_place
from amt_flows.backends.quota import with_quota
from amt_flows.backends.sagemaker.clients import Clients
from amt_flows.errors import Problem, SpecError, TuningInterrupted
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.running_tuning_job import News, OnTick, RunningTuningJob
from amt_flows.names import made_up_name
from amt_flows.ports import Journal
from amt_flows.results import TuningResult
from amt_flows.results.result import finished_result
from amt_flows.show.ended_before import ended_before
from amt_flows.spec import TuningSpec
from amt_flows.tracking.beside import Beside, beside
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.interrupts import graceful_interrupts, stop_jobs_on_breakdown
from amt_flows.tuning.loop import Stages, drive
from amt_flows.tuning.notices import opening_notices
from amt_flows.tuning.warm_start import Reader

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from amt_flows.functions.ranges import SearchSpace
    from amt_flows.functions.settings import SpecSettings, TuneSettings

logger = logging.getLogger("amt_flows")


OnOpen: TypeAlias = Callable[[RunningTuningJob], None]


class Watching(TypedDict, total=False):
    """Where a tuning job is recorded, and who looks on."""

    journal: Journal | None
    """On this machine unless one is given."""
    progress: bool | None
    on_tick: OnTick
    on_open: OnOpen


class RunSettings(Watching, total=False):
    """Those of a spec that is run here."""

    stages: Stages | None
    parents: Reader | None
    tell: Callable[[str], None]


class AmtSettings(Watching, total=False):
    """Those of a tuning job that SageMaker's own tuner runs."""

    session: Any
    """As in boto3, as are the next two."""
    region: str | None
    endpoint_url: str | None
    how: Following | None


@overload
def tune(spec: TuningSpec, backend: Place | None = None, **settings: Unpack[RunSettings]) -> TuningResult: ...


@overload
def tune(
    train: Callable[..., Any], space: SearchSpace, /, **settings: Unpack[TuneSettings]
) -> TuningResult: ...


def tune(*given: Any, **settings: Any) -> TuningResult:
    """Run a tuning job to its end, and give back what came of it.

    ``tune(train, {"rate": Continuous(1e-5, 1), "optimizer": ["sgd", "adam"]}, maximize="accuracy",
    jobs=20)``: a function, a range for each hyperparameter (or the ranges of a spec), the metric's name in
    ``maximize`` or ``minimize``, and what people change: ``jobs``, ``parallel``, ``seconds``, ``target``,
    ``early_stopping``, ``seed``, ``strategy``, ``known_starts``, ``parents`` or ``warm_start``, ``name``,
    ``home``, ``backend`` (``"local"`` or an object), ``progress``. AMT's names will do. The function returns
    the metric, or a mapping of metrics, or yields them epoch by epoch. It is imported by training jobs where
    it has a module, else it is kept in the home.

    ``tune(spec, backend)``: a spec, on this machine unless a backend is given; a
    :class:`amt_flows.SageMakerTuner` hands it to SageMaker's own tuner and follows it. Parents of a warm
    start are looked for where tuning jobs are kept by default, unless ``parents`` finds them (see
    :mod:`amt_flows.tuning.parents`). ``tell`` gets a sentence for whatever is worth a look before it runs,
    and of one that has ended already.

    A tuning job of the same name and spec is taken up where it stands; a finished one is returned at once. A
    spec without a name gets a new one. Ctrl-C stops the tuning job gracefully, a second Ctrl-C kills its
    jobs. Progress is shown in a terminal and in a notebook; with ``progress=True`` a line per event is
    written where there is neither, with ``False`` nothing is shown.

    Raises SpecError (nothing was launched), NameTaken, Fenced, JournalError, and TuningJobFailed when the
    tuning job ends as Failed, or is stopped before any training job could be the best."""
    first = given[0] if given else settings.get("spec")
    if isinstance(first, TuningSpec):
        _only_of_a_spec(settings)
        return run_spec(*given, **settings)
    return _run_function(*given, **settings)


def _only_of_a_spec(settings: Mapping[str, Any]) -> None:
    known = {"spec", "backend"} | RunSettings.__required_keys__ | RunSettings.__optional_keys__
    wrong = [name for name in settings if name not in known]
    if wrong:
        message = "what a spec says is not said once more beside it; write it into the spec"
        home = "is said of a spec's parts: backend=LocalBackend(home), journal=open_journal(name, home)"
        raise SpecError(
            [Problem(name, settings[name], home if name == "home" else message) for name in wrong]
        )


def _run_function(
    train: Callable[..., Any],
    space: SearchSpace,
    *,
    backend: Place | str | None = None,
    home: Home = None,
    progress: bool | None = None,
    **settings: Any,
) -> TuningResult:
    from amt_flows.functions.call import asked, refuse_as_home, refuse_to_travel
    from amt_flows.tuning.parents import parents_in

    refuse_as_home(home)
    refuse_to_travel(backend or "local")
    place = open_place(backend or "local", home=home) if isinstance(backend, str | None) else backend
    call = asked(train, space, settings)
    # Where training jobs look for it: below the root that their machines share.
    root = getattr(place, "root", home_directory(home) if place.address == "local" else None)
    if root is not None:
        call.function.keep(root)
    spec = call.spec if call.spec.name is not None else call.spec.named(made_up_name())
    journal = open_journal(str(spec.name), home)
    return run_spec(spec, place, journal=journal, progress=progress, parents=parents_in(home, place))


def spec_of(
    train: Callable[..., Any], space: SearchSpace, /, *, home: Home = None, **settings: Unpack[SpecSettings]
) -> TuningSpec:
    """The spec that :func:`tune` makes of the same call: for a flow, a plan, or a file by its ``to_toml()``.

    A function without a module of its own is kept in ``home``. Raises SpecError.
    """
    from amt_flows.functions.call import spec_of as made

    return made(train, space, home, settings)


def run_spec(
    spec: TuningSpec,
    backend: Place | None = None,
    *,
    journal: Journal | None = None,
    stages: Stages | None = None,
    progress: bool | None = None,
    parents: Reader | None = None,
    on_tick: OnTick = lambda tuning, news: None,
    on_open: OnOpen = lambda tuning: None,
    tell: Callable[[str], None] = logger.warning,
) -> TuningResult:
    """Run a spec to its end; what its arguments mean, and what it raises, is said by :func:`tune`."""
    from amt_flows.backends.local import LocalBackend
    from amt_flows.show.progress.bar import progress_bar
    from amt_flows.tuning.parents import parents_in

    spec = spec if spec.name is not None else spec.named(made_up_name())
    assert spec.name is not None
    if isinstance(backend, SageMakerTuner):
        from amt_flows.amt import open_at

        with beside(spec, tell=tell) as onlooker:
            handed_off = open_at(backend, spec, onlooker.journal(journal or open_journal(spec.name)))
            _tell_at_opening(handed_off.ledger, tell)
            on_open(handed_off)
            follow_amt(handed_off, progress, _told_too(onlooker, on_tick))
        return finished_result(handed_off)
    backend = backend or LocalBackend()
    parents = parents or parents_in(place=backend)
    with beside(spec, tell=tell) as onlooker:
        backend = onlooker.backend(with_quota(backend, spec))
        journal = onlooker.journal(journal or open_journal(spec.name))
        tuning = Tuning.open(spec, backend, journal, parents=parents)
        _tell_at_opening(tuning.ledger, tell)
        on_open(tuning)
        with progress_bar(progress) as show, graceful_interrupts(tuning), stop_jobs_on_breakdown(tuning):

            def tick(tuning: Tuning, news: News) -> None:
                show(tuning, news)
                on_tick(tuning, news)

            drive(tuning, stages, on_tick=tick)
    return finished_result(tuning)


def _told_too(onlooker: Beside, on_tick: OnTick) -> OnTick:
    def tick(followed: RunningTuningJob, news: News) -> None:
        onlooker.say()
        on_tick(followed, news)

    return tick


def _tell_at_opening(ledger: Ledger, tell: Callable[[str], None]) -> None:
    if ledger.finished:
        tell(ended_before(ledger, time.time()))
    for notice in opening_notices(ledger):
        tell(f"Worth a look: {notice}.")


def tune_on_amt(spec: TuningSpec, **settings: Unpack[AmtSettings]) -> TuningResult:
    """The same as :func:`amt_flows.tune`, by SageMaker's own tuner in place of ours.

    A tuning job of the same name and spec is taken up where it stands; a finished one is returned at once.
    Ctrl-C has AMT stop it, and waits for its end; a second Ctrl-C only ends the wait. Should this process
    die, AMT goes on, and the next call follows it again. ``journal`` is on this machine unless one is given;
    ``session``, ``region`` and ``endpoint_url`` are as in boto3; ``progress``, ``on_tick`` and ``on_open`` as
    in ``tune``.

    Raises SpecError before AMT is asked, NameTaken, BackendError, Fenced, JournalError, TuningInterrupted,
    and TuningJobFailed when the tuning job ends as Failed, or is stopped before any training job could be the
    best.
    """
    spec = spec if spec.name is not None else spec.named(made_up_name())

    def opened(clients: Clients, journal: Journal, how: Following | None) -> HandedOff:
        handed_off = HandedOff.open(spec, clients, journal, how=how)
        _tell_at_opening(handed_off.ledger, logger.warning)
        return handed_off

    with beside(spec) as onlooker:
        return _by_amt(str(spec.name), opened, onlooker, **settings)


def attach_to_amt(name: str, **settings: Unpack[AmtSettings]) -> TuningResult:
    """Follow a tuning job that AMT runs, or has run, whoever created it. Otherwise as :func:`tune_on_amt`;
    raises TuningJobNotFound too."""

    def attached(clients: Clients, journal: Journal, how: Following | None) -> HandedOff:
        return HandedOff.attach(name, clients, journal, how=how)

    return _by_amt(name, attached, Beside(), **settings)


def _by_amt(
    name: str,
    open_: Callable[[Clients, Journal, Following | None], HandedOff],
    onlooker: Beside,
    *,
    journal: Journal | None = None,
    session: Any = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    how: Following | None = None,
    progress: bool | None = None,
    on_tick: OnTick = lambda followed, news: None,
    on_open: OnOpen = lambda followed: None,
) -> TuningResult:
    record = onlooker.journal(journal or open_journal(name))
    handed_off = open_(Clients(session, region, endpoint_url, None), record, how)
    on_open(handed_off)
    follow_amt(handed_off, progress, _told_too(onlooker, on_tick))
    onlooker.conclude()
    return finished_result(handed_off)


def follow_amt(handed_off: HandedOff, progress: bool | None, on_tick: OnTick) -> None:
    """Follow a tuning job to its end, with progress and Ctrl-C as in :func:`tune_on_amt`. Raises as it does
    once the tuning job is in AMT's hands."""
    # Late: it is needed only where somebody looks.
    from amt_flows.show.progress.bar import progress_bar

    try:
        with progress_bar(progress) as show, graceful_interrupts(handed_off):

            def tick(followed: RunningTuningJob, news: News) -> None:
                show(followed, news)
                on_tick(followed, news)

            follow(handed_off, on_tick=tick)
    except TuningInterrupted:
        raise TuningInterrupted(
            f"Interrupted a second time: tuning job {handed_off.ledger.name} is left to AMT.",
            remedy="follow it again to see its end; `aws sagemaker stop-hyper-parameter-tuning-job` stops it",
        ) from None
