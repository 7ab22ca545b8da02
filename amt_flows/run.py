"""``tune``: open a tuning job, drive it to its end, and give back its result. Needs no Prefect."""

from __future__ import annotations

from collections.abc import Callable

from amt_flows.engine import News, Tuning
from amt_flows.errors import AmtFlowsError, Fenced, TuningInterrupted, TuningJobFailed
from amt_flows.events import TuningStatus
from amt_flows.followed import Followed
from amt_flows.interrupts import graceful_interrupts
from amt_flows.ledger import Ledger
from amt_flows.loop import Stages, drive
from amt_flows.names import made_up_name
from amt_flows.places import Place, SageMakerTuner, open_journal
from amt_flows.ports import Journal
from amt_flows.results import TuningResult, result_of
from amt_flows.spec import TuningSpec
from amt_flows.warm_start import Reader
from amt_flows.watch import Watch

Tick = Callable[[Followed, News], None]


def load_ledger(journal: Journal, name: str) -> Ledger:
    """The ledger of an existing tuning job. Raises TuningJobNotFound, JournalError."""
    return Watch(journal, name).ledger


def tune(
    spec: TuningSpec,
    backend: Place | None = None,
    *,
    journal: Journal | None = None,
    stages: Stages | None = None,
    progress: bool | None = None,
    parents: Reader | None = None,
    on_tick: Tick = lambda tuning, news: None,
    on_open: Callable[[Followed], None] = lambda tuning: None,
) -> TuningResult:
    """Run a tuning job to its end, on this machine unless a backend is given; a
    :class:`amt_flows.places.SageMakerTuner` hands it to SageMaker's own tuner and follows it.

    A tuning job of the same name and spec is taken up where it stands; a finished one is returned at once. A
    spec without a name gets a new one. Parents of a warm start are looked for where tuning jobs are kept by
    default, unless ``parents`` finds them (see :mod:`amt_flows.parents`). Ctrl-C stops the tuning job
    gracefully, a second Ctrl-C kills its jobs. Progress is shown in a terminal and in a notebook; with
    ``progress=True`` a line per event is written where there is neither, with ``False`` nothing is shown.

    Raises SpecError (nothing was launched), NameTaken, Fenced, JournalError, and TuningJobFailed when the
    tuning job ends as Failed.
    """
    from amt_flows.backends.local import LocalBackend
    from amt_flows.parents import parents_in
    from amt_flows.progress.bar import progress_bar

    spec = spec if spec.name is not None else spec.named(made_up_name())
    assert spec.name is not None
    if isinstance(backend, SageMakerTuner):
        from amt_flows.handoff import open_at, to_its_end

        handed_off = open_at(backend, spec, journal or open_journal(spec.name))
        return to_its_end(handed_off, progress=progress, on_tick=on_tick, on_open=on_open)
    backend = backend or LocalBackend()
    parents = parents or parents_in(place=backend)
    tuning = Tuning.open(spec, backend, journal or open_journal(spec.name), parents=parents)
    on_open(tuning)
    with progress_bar(progress) as show, graceful_interrupts(tuning), stop_jobs_on_breakdown(tuning):

        def tick(tuning: Tuning, news: News) -> None:
            show(tuning, news)
            on_tick(tuning, news)

        drive(tuning, stages, on_tick=tick)
    return finished_result(tuning)


def finished_result(tuning: Followed) -> TuningResult:
    """The result of a tuning job that has ended. Raises TuningJobFailed if it ended as Failed."""
    result = result_of(tuning.ledger, tuning.journal.location)
    if result.status is TuningStatus.FAILED:
        why = result.reasons[0].message if result.reasons else "no reason was recorded"
        raise TuningJobFailed(
            f"Tuning job {result.name} failed: {why}.",
            result=result,
            remedy=f"`amt-flows jobs {result.name}` lists the training jobs, `amt-flows logs JOB` shows the "
            "output of one; mend the script and run it under a new name",
        )
    return result


class stop_jobs_on_breakdown:  # noqa: N801 - reads as a phrase in a with statement
    """Leave no training job running behind an error that ends the loop (a full disk, say, or a second
    Ctrl-C). Only a fenced controller leaves them alone: they belong to its successor."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        tuning = self._tuning
        if error is None or isinstance(error, Fenced | GeneratorExit) or tuning.is_fenced:
            return
        kill = isinstance(error, TuningInterrupted) or not isinstance(error, AmtFlowsError)
        # Straight to the backend: the journal may be what broke.
        tuning.backend.stop(tuning.ledger.name, tuning.job_names_that_may_live(), kill=kill)
