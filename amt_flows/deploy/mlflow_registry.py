"""MLflow's model registry: a tuning job's model as a version, and the alias ``champion`` at the one that
is at work. Whoever serves reads ``models:/<name>@champion``.

A version is made once for a model: it is known by its tags. What a version took over from is written before
the alias is moved, so that whoever dies in between leaves a way back that is right either way.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from amt_flows.deploy.bodies import digest_of
from amt_flows.deploy.candidate import Candidate, Deployable, candidate_of
from amt_flows.deploy.champion import Champion
from amt_flows.deploy.local_artifact import copy_model, local_path
from amt_flows.deploy.metadata import champion_of, metadata_of
from amt_flows.deploy.succession import Line, behind, gone_back, taken_over
from amt_flows.errors import (
    BackendError,
    CapacityUnavailable,
    DeployRejected,
    Problem,
    TrackerUnavailable,
    TrackingError,
)
from amt_flows.tracking import facts
from amt_flows.tracking.mlflow_client import experiment_id, in_our_words, lacking, open_client

T = TypeVar("T")

ALIAS: Final = "champion"
IDENTITY: Final = f"{facts.OURS}identity"
LINE: Final = f"{facts.OURS}line"
MODEL: Final = "model"
LONGEST_LINE: Final = 100
LONGEST_TEXT: Final = 5000


@dataclass(frozen=True)
class MlflowPromotion:
    """What a promotion, or a roll-back, came to."""

    model: str
    version: str
    """Which the alias names now."""
    previous: str | None
    """Of a promotion: what it named before, where a roll-back leads. Of a roll-back: what it named until
    then."""
    created: bool
    """False when the version was there already."""

    @property
    def address(self) -> str:
        return f"models:/{self.model}@{ALIAS}"


def promote_mlflow(
    result: Deployable,
    uri: str,
    model: str,
    *,
    experiment: str = "amt-flows",
    lineage: Mapping[str, str] | None = None,
) -> MlflowPromotion:
    """Register the best training job's model as a version of ``model``, and move the alias ``champion`` to
    it.

    Its tags say where it came from: objective, metrics, hyperparameters, tuning job, training job, data, and
    ``lineage``. It belongs to the training job's own run, if the tuning job was shown there, or else to a new
    run in ``experiment``; files of this machine are uploaded there, those at s3:// and the like are named.
    Doing it again changes nothing. Of several at the same time the last one is the champion, and each is a
    version.

    Raises DeployRejected before MLflow is asked, CapacityUnavailable while it can't be reached, BackendError.
    """
    candidate = candidate_of(result)
    registry = _Registry(uri, model)
    version, created = registry.version_of(candidate, experiment, lineage or {})
    before = registry.at_work()
    if before != version:
        registry.write_line(taken_over(version, before, registry.behind(before)) if before else (version,))
        registry.point_to(version)
    previous = before if before != version else next(iter(registry.behind(version)), None)
    return MlflowPromotion(model, version, previous, created)


def roll_back_mlflow(uri: str, model: str, to: str | None = None) -> MlflowPromotion:
    """Move the alias ``champion`` to the version ``to``, or to the one that the current one took over from;
    without ``to`` a second time leads one further back. Raises DeployRejected when there is no such version,
    CapacityUnavailable, BackendError."""
    registry = _Registry(uri, model)
    before = registry.at_work()
    earlier = registry.behind(before)
    target = to or next(iter(earlier), None)
    if target is None or not registry.has(target):
        there = "there is no version to go back to" if target is None else "there is no such version"
        raise DeployRejected("The roll-back", [Problem("to", to, f"{there} of {model} in MLflow")])
    if before is not None and target != before:
        registry.write_line(gone_back(before, earlier, target))
    registry.point_to(target)
    return MlflowPromotion(model, target, before, created=False)


def mlflow_champion(uri: str, model: str) -> Champion | None:
    """The version that the alias ``champion`` names; None if it names none. Raises NotComparable when another
    program registered it, CapacityUnavailable, BackendError."""
    registry = _Registry(uri, model)
    version = registry.at_work()
    if version is None:
        return None
    tags = registry.tags_of(version)
    ours = {key.removeprefix(facts.OURS): text for key, text in tags.items() if key.startswith(facts.OURS)}
    return champion_of(f"{model} version {version}", ours)


class _Registry:
    def __init__(self, uri: str, model: str) -> None:
        if problems := lacking():
            raise DeployRejected("The promotion", problems)
        self._uri = uri
        self._model = model
        with self._asked():
            self._client = open_client(uri)

    @contextlib.contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            with in_our_words(self._uri):
                yield
        except TrackerUnavailable as error:
            raise CapacityUnavailable(error.happened, because=error.because, remedy=error.remedy) from None
        except TrackingError as error:
            raise BackendError(error.happened, because=error.because, remedy=error.remedy) from None

    def _write(self, write: Callable[[], T]) -> T:
        """What may be written twice. Of those who write the same row of its tables for the first time, at the
        same moment, MLflow refuses all but one, though none of them would be refused alone."""
        try:
            with self._asked():
                return write()
        except CapacityUnavailable:
            raise
        except BackendError:
            with self._asked():
                return write()

    # -- the alias -------------------------------------------------------------------------------

    def _registered(self) -> Any:
        """The registered model; None while there is none."""
        name = self._model.replace("'", "\\\\'")
        with self._asked():
            found = self._client.search_registered_models(f"name = '{name}'")
            # A search has the latest versions only, and may lack aliases.
            return self._client.get_registered_model(self._model) if found else None

    def at_work(self) -> str | None:
        registered = self._registered()
        version = None if registered is None else registered.aliases.get(ALIAS)
        return None if version is None else str(version)

    def point_to(self, version: str) -> None:
        self._write(lambda: self._client.set_registered_model_alias(self._model, ALIAS, version))

    def behind(self, version: str | None) -> Line:
        """What a version took over from, the latest first."""
        registered = self._registered()
        text = "" if registered is None else registered.tags.get(LINE, "")
        line: Line = tuple(str(one) for one in json.loads(text)) if text else ()
        return () if version is None else behind(line, version) or ()

    def write_line(self, line: Line) -> None:
        text = json.dumps(line[:LONGEST_LINE])
        self._write(lambda: self._client.set_registered_model_tag(self._model, LINE, text))

    def has(self, version: str) -> bool:
        return any(str(one.version) == version for one in self._versions())

    def tags_of(self, version: str) -> Mapping[str, str]:
        with self._asked():
            return dict(self._client.get_model_version(self._model, version).tags)

    # -- versions --------------------------------------------------------------------------------

    def _versions(self) -> Sequence[Any]:
        """All of them, the oldest first."""
        versions: list[Any] = []
        token = None
        while True:
            with self._asked():
                page = self._client.search_model_versions(f"name = '{self._model}'", page_token=token)
            versions += page
            token = page.token
            if not token:
                return sorted(versions, key=lambda one: int(one.version))

    def _known(self, identity: str) -> str | None:
        versions = (one for one in self._versions() if one.tags.get(IDENTITY) == identity)
        return next((str(one.version) for one in versions), None)

    def version_of(
        self, candidate: Candidate, experiment: str, lineage: Mapping[str, str]
    ) -> tuple[str, bool]:
        """The version that a model is, and whether it was made now."""
        identity = digest_of(
            [candidate.tuning_job, candidate.training_job, candidate.fingerprint, candidate.artifact]
        )
        if (known := self._known(identity)) is not None:
            return known, False
        with _files_of(candidate) as files:
            run_id, root = self._run_of(candidate, experiment)
            source = candidate.artifact
            if files is not None:
                with self._asked():
                    self._client.log_artifacts(run_id, str(files), MODEL)
                source = f"{root}/{MODEL}"
        self._make_model()
        tags = {f"{facts.OURS}{key}": text for key, text in metadata_of(candidate).items()}
        tags |= {f"{facts.OURS}data:{name}": place for name, place in candidate.inputs.items()}
        tags |= {**lineage, **candidate.tags, IDENTITY: identity}
        made = self._write(
            lambda: self._client.create_model_version(
                self._model,
                source,
                run_id,
                tags={key: text[:LONGEST_TEXT] for key, text in tags.items() if text},
                description=_description(candidate),
            )
        )
        # Somebody else may have registered the same model at the same time: the first one counts.
        first = self._known(identity) or str(made.version)
        if first != str(made.version):
            with self._asked():
                self._client.delete_model_version(self._model, made.version)
        return first, first == str(made.version)

    def _make_model(self) -> None:
        if self._registered() is None:
            # Another one may have made it just now; if it can't be made, its version can't either.
            with contextlib.suppress(BackendError), self._asked():
                self._client.create_registered_model(self._model)

    def _run_of(self, candidate: Candidate, experiment: str) -> tuple[str, str]:
        """The id of the run that a model came from, and where its files are kept."""
        marks = {facts.TRAINING_JOB: candidate.training_job, facts.FINGERPRINT: candidate.fingerprint}
        texts = " and ".join(f"tags.\"{key}\" = '{text}'" for key, text in marks.items())
        with self._asked():
            experiments = [one.experiment_id for one in self._client.search_experiments()]
            found = list(self._client.search_runs(experiments, texts, order_by=["attribute.start_time DESC"]))
            run = found[0] if found else self._new_run(candidate, experiment, marks)
        return str(run.info.run_id), str(run.info.artifact_uri).rstrip("/")

    def _new_run(self, candidate: Candidate, experiment: str, marks: Mapping[str, str]) -> Any:
        where = experiment_id(self._client, experiment)
        tags = {**marks, facts.TUNING_JOB: candidate.tuning_job}
        run = self._client.create_run(where, tags=tags, run_name=candidate.training_job)
        for name, value in candidate.hyperparameters.items():
            self._client.log_param(run.info.run_id, name, value)
        for name, value in candidate.metrics.items():
            self._client.log_metric(run.info.run_id, name, value)
        self._client.set_terminated(run.info.run_id)
        return run


@contextlib.contextmanager
def _files_of(candidate: Candidate) -> Iterator[Path | None]:
    """A copy of a model of this machine, unpacked; None for one that is somewhere else. Raises
    DeployRejected."""
    if "://" in candidate.artifact and not candidate.artifact.startswith("file://"):
        yield None
        return
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / MODEL
        copy_model(local_path(candidate.artifact), copy)
        yield copy


def _description(candidate: Candidate) -> str:
    return (
        f"{candidate.objective_metric} = {candidate.objective_value:g}, by training job "
        f"{candidate.training_job} of tuning job {candidate.tuning_job}"
    )
