"""Runs in an experiment of MLflow."""

from __future__ import annotations

import getpass
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from amt_flows.ports import FoundRun, RunStatus, RunToShow, TimedValue
from amt_flows.tracking import facts
from amt_flows.tracking.mlflow_client import experiment_id, in_our_words, open_client

# https://mlflow.org/docs/latest/api_reference/rest-api.html: limits of a batch, and of what a text may be.
MOST_VALUES: Final = 1000
MOST_TEXTS: Final = 100
LONGEST_KEY: Final = 250
LONGEST_PARAM: Final = 6000
LONGEST_TAG: Final = 5000
PAGE: Final = 1000
_STRANGE: Final = re.compile(r"[^\w\-. :/]", re.ASCII)


class MlflowTracker:
    """``experiment`` is made when it is first needed."""

    def __init__(self, uri: str, experiment: str) -> None:
        self._uri = uri
        self._experiment = experiment
        self._experiment_id: str | None = None
        self._its_client: Any = None

    @property
    def _client(self) -> Any:
        if self._its_client is None:
            self._its_client = open_client(self._uri)
        return self._its_client

    @property
    def experiment_id(self) -> str:
        """Raises as the other methods."""
        if self._experiment_id is None:
            with in_our_words(self._uri):
                self._experiment_id = experiment_id(self._client, self._experiment)
        return self._experiment_id

    def find(self, tuning: Mapping[str, str]) -> Sequence[FoundRun]:
        texts = " and ".join(f"tags.\"{key}\" = '{text}'" for key, text in tuning.items())
        runs: list[Any] = []
        token = None
        while True:
            with in_our_words(self._uri):
                page = self._client.search_runs(
                    [self.experiment_id], texts, max_results=PAGE, page_token=token
                )
            runs += page
            token = page.token
            if not token:
                return sorted(map(_found, runs), key=lambda run: run.started_at)

    def create(self, run: RunToShow) -> str:
        tags = {
            **_texts(run.tags, LONGEST_TAG),
            "mlflow.source.name": "amt-flows",
            "mlflow.source.type": "JOB",
        }
        if run.parent is not None:
            tags["mlflow.parentRunId"] = run.parent
        tags |= _user()
        with in_our_words(self._uri):
            made = self._client.create_run(
                self.experiment_id, start_time=_milliseconds(run.started_at), tags=tags, run_name=run.name
            )
        return str(made.info.run_id)

    def params(self, run_id: str) -> Mapping[str, str]:
        with in_our_words(self._uri):
            return dict(self._client.get_run(run_id).data.params)

    def steps(self, run_id: str, metric: str) -> Sequence[int]:
        with in_our_words(self._uri):
            return [int(one.step) for one in self._client.get_metric_history(run_id, key_of(metric))]

    def add(
        self,
        run_id: str,
        *,
        values: Sequence[TimedValue] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        metrics = [Metric(key_of(v.metric), v.value, _milliseconds(v.at), v.step) for v in values]
        pairs = [Param(key, text) for key, text in _texts(params or {}, LONGEST_PARAM).items()]
        marks = [RunTag(key, text) for key, text in _texts(tags or {}, LONGEST_TAG).items()]
        room = MOST_VALUES - 2 * MOST_TEXTS
        while metrics or pairs or marks:
            with in_our_words(self._uri):
                self._client.log_batch(run_id, metrics[:room], pairs[:MOST_TEXTS], marks[:MOST_TEXTS])
            metrics, pairs, marks = metrics[room:], pairs[MOST_TEXTS:], marks[MOST_TEXTS:]

    def set_status(self, run_id: str, status: RunStatus, ended_at: float | None) -> None:
        with in_our_words(self._uri):
            if ended_at is None:
                self._client.update_run(run_id, status=status.value)
            else:
                self._client.set_terminated(run_id, status.value, _milliseconds(ended_at))

    def delete(self, run_id: str) -> None:
        with in_our_words(self._uri):
            self._client.delete_run(run_id)

    def address(self, run_id: str) -> str | None:
        if not self._uri.startswith(("http://", "https://")) or self._experiment_id is None:
            return None
        return f"{self._uri.rstrip('/')}/#/experiments/{self._experiment_id}/runs/{run_id}"


def key_of(name: str) -> str:
    """The name of a metric, param or tag in MLflow's alphabet."""
    return _STRANGE.sub("_", name)[:LONGEST_KEY]


def _texts(given: Mapping[str, str], longest: int) -> dict[str, str]:
    return {
        key_of(key): text if len(text) <= longest else f"{text[: longest - 3]}..."
        for key, text in given.items()
    }


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _user() -> dict[str, str]:
    try:
        return {"mlflow.user": getpass.getuser()}
    except (KeyError, OSError, ImportError):
        return {}  # in a container without such an entry


def _found(run: Any) -> FoundRun:
    tags = dict(run.data.tags)
    started_at = (run.info.start_time or 0) / 1000
    return FoundRun(
        tags.get(facts.TRAINING_JOB, ""), run.info.run_id, started_at, tags, dict(run.data.params)
    )
