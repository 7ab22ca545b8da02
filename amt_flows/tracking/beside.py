"""A tuning job's journal and backend as they are, with somebody who is told what passes through them.

The loop knows nothing of it: what is appended to the journal, and what training jobs report, goes to the
process that sends; and a training job finds its run in its environment.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from amt_flows.backends.places import SageMakerTuner, home_at, place_at
from amt_flows.errors import AmtFlowsError, Problem, SpecError
from amt_flows.events import Event, number_to_json
from amt_flows.ledger.record import load_ledger
from amt_flows.ports import (
    Backend,
    FoundJob,
    HasRoom,
    JobReport,
    JobRequest,
    Journal,
    Launch,
    MetricPoint,
    Resting,
    Room,
)
from amt_flows.spec import Resources, TuningSpec
from amt_flows.spec.parts import Tracking
from amt_flows.tracking.mlflow_client import lacking
from amt_flows.tracking.sender import Said, Sender

logger = logging.getLogger("amt_flows")

BEGIN_SECONDS: Final = 30.0
"""How long the first launch waits for its run: MLflow's client is being loaded."""
LAUNCH_SECONDS: Final = 5.0
"""How long another may; it takes one answer of the server."""
END_SECONDS: Final = 30.0
"""How long the end of a tuning job waits for the rest to be sent."""
MOST_NAMED: Final = 5
OF_A_RUN: Final = frozenset({"MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"})

Tell = Callable[[str], None]


def problems_of(spec: TuningSpec) -> list[Problem]:
    """What keeps a spec's tuning job from being shown where it asks to be. Looks at this Python only."""
    return [] if spec.tracking is None else lacking()


class Beside:
    """What is put beside a tuning job: nothing, where its spec asks for nothing."""

    def journal(self, journal: Journal) -> Journal:
        return journal

    def backend(self, backend: Backend) -> Backend:
        return backend

    def say(self) -> None:
        """Tell what there is to tell since the last time."""

    def conclude(self) -> None:
        """The tuning job has ended: send what is missing, for a while, and say what could not be sent."""

    def close(self) -> None:
        """Nothing is sent any more."""


class Shown(Beside):
    """A tuning job that is shown while it runs. ``tell`` gets a sentence for what is amiss, ``inform`` one
    for where it is shown; ``links``: what its run links to, by its tag."""

    def __init__(
        self,
        tracking: Tracking,
        name: str,
        *,
        tell: Tell = logger.warning,
        inform: Tell | None = None,
        links: Mapping[str, str] | None = None,
    ) -> None:
        self._tracking = tracking
        self._name = name
        self._tell = tell
        self._inform = inform or tell
        self._sender = Sender(tracking, name, links or {}, past_is_whole=True)
        self._journal: Journal | None = None
        self._has_begun = False
        self._has_said_without = False

    def journal(self, journal: Journal) -> Journal:
        self._journal = journal
        return _TellingJournal(journal, self._sender)

    def backend(self, backend: Backend) -> Backend:
        return _TellingBackend(backend, self)

    def variables(self, training_job: str) -> dict[str, str]:
        """What a training job that logs to MLflow itself finds in its environment."""
        seconds = LAUNCH_SECONDS if self._has_begun else BEGIN_SECONDS
        run_id = self._sender.run_of(training_job, seconds)
        self._has_begun = True
        self.say()
        found = {
            "MLFLOW_TRACKING_URI": self._tracking.mlflow,
            "MLFLOW_EXPERIMENT_NAME": self._tracking.experiment,
            # Whoever tunes may be within a run of another experiment, which a training job on this machine
            # would find, and add to.
            **dict.fromkeys(OF_A_RUN & os.environ.keys(), ""),
        }
        if run_id is None:
            if not self._has_said_without:
                self._tell(f"{training_job} is launched without a run of its own in MLflow: none came")
            self._has_said_without = True
            return found
        self._has_said_without = False
        return {**found, "MLFLOW_RUN_ID": run_id}

    def points(self, report: JobReport) -> None:
        if report.points:
            self._sender.tell_points(report.name, _rows(report.points), time.time())

    def say(self) -> None:
        for said in self._sender.said():
            if said["say"] == "shown":
                if said["address"]:
                    self._inform(f"Shown in MLflow: {said['address']}")
            elif line := sentence_of(said):
                self._tell(line)

    def conclude(self) -> None:
        if self._journal is not None:
            missing = unsent(self._sender, self._name, self._journal, END_SECONDS)
            self.say()
            if missing is not None:
                self._tell(f"{missing}. `amt-flows track {self._name}` sends the rest")

    def close(self) -> None:
        self._sender.close()


def sentence_of(said: Said) -> str:
    """What the process that sends had to say of what is amiss; empty for anything else."""
    match said["say"]:
        case "away":
            remedy = f" ({said['remedy']})" if said["remedy"] else ""
            return f"{said['why']}{remedy}. The tuning job goes on, and what is missing is sent later"
        case "waits":
            return "Another process is still sending this tuning job to MLflow; this one waits for its end"
        case "back":
            return "What MLflow lacks is sent now"
        case "refused":
            return f"{said['why']}. The record has it"
    return ""


def unsent(sender: Sender, name: str, journal: Journal, seconds: float) -> str | None:
    """Have everything sent that isn't there, reading training jobs' output again where it takes that. What is
    not there then, and why, in a sentence without its stop; None: it is all there."""
    end = sender.finish(seconds)
    if end["in_part"] and not end["why"]:
        _read_again(sender, name, journal, end["in_part"])
        end = sender.finish(seconds)
    missing = end["missing"]
    if missing == [] and not end["why"]:
        return None
    if missing is None:
        what = f"Nobody knows what MLflow has of {name}"
    else:
        names = ", ".join(missing[:MOST_NAMED])
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        what = f"MLflow does not have all of {name} yet ({names}{more})"
    return f"{what}: {end['why'].rstrip('.')}" if end["why"] else what


def _read_again(sender: Sender, name: str, journal: Journal, jobs: Sequence[str]) -> None:
    """By a backend of its own: one tells each value once."""
    try:
        place = place_at(load_ledger(journal, name).backend, home_at(journal.location, name))
        if isinstance(place, SageMakerTuner):
            reports: Sequence[JobReport] = ()
        else:
            reports = place.poll(name, jobs)
    except AmtFlowsError as error:
        logger.warning("The values of %s that only its training jobs know: %s", name, error.happened)
        reports = ()
    for report in reports:
        sender.tell_again(report.name, _rows(report.points))
    for job in set(jobs) - {report.name for report in reports}:
        sender.leave(job)


def _rows(points: Sequence[MetricPoint]) -> list[tuple[str, int, object]]:
    return [(point.metric, point.epoch, number_to_json(point.value)) for point in points]


@contextlib.contextmanager
def beside(
    spec: TuningSpec,
    *,
    tell: Tell = logger.warning,
    inform: Tell | None = None,
    links: Mapping[str, str] | None = None,
) -> Iterator[Beside]:
    """What a spec, which has a name, asks to be put beside its tuning job; concluded at the end of the block,
    if that is reached. Raises SpecError where that can't be."""
    onlooker = onlooker_of(spec, tell=tell, inform=inform, links=links)
    try:
        yield onlooker
        onlooker.conclude()
    finally:
        onlooker.close()


def onlooker_of(
    spec: TuningSpec,
    *,
    tell: Tell = logger.warning,
    inform: Tell | None = None,
    links: Mapping[str, str] | None = None,
) -> Beside:
    """The same, to be concluded and closed by whoever asks."""
    if spec.tracking is None:
        return Beside()
    if problems := problems_of(spec):
        raise SpecError(problems)
    # A relative path is from here for training jobs too, wherever those are started.
    return Shown(spec.tracking.anchored(Path.cwd()), str(spec.name), tell=tell, inform=inform, links=links)


class _TellingJournal:
    def __init__(self, journal: Journal, sender: Sender) -> None:
        self._journal = journal
        self._sender = sender
        self._told = 0

    @property
    def location(self) -> str:
        return self._journal.location

    def read(self, start: int = 0) -> Sequence[Sequence[Event]]:
        entries = self._journal.read(start)
        self._hear(start, entries, past=self._told == 0)
        return entries

    def append(self, index: int, events: Sequence[Event]) -> None:
        self._journal.append(index, events)
        self._hear(index, [events], past=False)

    def _hear(self, start: int, entries: Sequence[Sequence[Event]], *, past: bool) -> None:
        """Each entry once, in its order; whoever reads another part reads what was told, or will be."""
        if start <= self._told < start + len(entries):
            # An entry of a long record is made when one comes to it: not here, but in another thread.
            fresh = entries if start == self._told else entries[self._told - start :]
            self._told = start + len(entries)
            self._sender.tell_events(fresh, past=past)

    def ask_to_stop(self, reason: str) -> None:
        self._journal.ask_to_stop(reason)

    def asked_to_stop(self, *, anew: bool = False) -> str | None:
        return self._journal.asked_to_stop(anew=anew)

    def take_back_stop(self) -> None:
        self._journal.take_back_stop()


class _TellingBackend:
    def __init__(self, backend: Backend, shown: Shown) -> None:
        self._backend = backend
        self._shown = shown

    @property
    def address(self) -> str:
        return self._backend.address

    def check(self, spec: TuningSpec) -> Sequence[Problem]:
        return self._backend.check(spec)

    def launch(self, request: JobRequest) -> Launch:
        own = request.template.environment
        variables = {**self._shown.variables(request.name), **own}
        template = request.template.model_copy(update={"environment": variables})
        return self._backend.launch(replace(request, template=template))

    def poll(self, tuning_job: str, names: Sequence[str]) -> Sequence[JobReport]:
        reports = self._backend.poll(tuning_job, names)
        for report in reports:
            self._shown.points(report)
        self._shown.say()
        return reports

    def stop(self, tuning_job: str, names: Sequence[str], *, kill: bool = False) -> None:
        self._backend.stop(tuning_job, names, kill=kill)

    def find(self, tuning_job: str) -> Sequence[FoundJob]:
        return self._backend.find(tuning_job)

    def wait(self, timeout: float) -> None:
        self._backend.wait(timeout)

    def room(self, need: Resources) -> Room:
        return self._backend.room(need) if isinstance(self._backend, HasRoom) else Room(None, "")

    def rest(self, tuning_job: str) -> None:
        if isinstance(self._backend, Resting):
            self._backend.rest(tuning_job)
