"""A tracker in memory, with whatever may befall a request to one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from amt_flows.errors import TrackerUnavailable, TrackingError
from amt_flows.ports import FoundRun, RunStatus, RunToShow, TimedValue


@dataclass
class Kept:
    """A run; ``values`` are in the order of their coming, one twice that came twice."""

    asked: RunToShow
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    values: list[TimedValue] = field(default_factory=list)
    status: RunStatus = RunStatus.RUNNING
    ended_at: float | None = None

    def curve(self, metric: str) -> list[tuple[int, float]]:
        return [(one.step, one.value) for one in self.values if one.metric == metric]


class MemoryTracker:
    """Of runs that others may look at too. ``fate`` says of each request that changes something: ``done``,
    ``lost`` (nothing was done, and nobody knows) or ``unanswered`` (it was done, and nobody knows)."""

    def __init__(self, runs: dict[str, Kept], fate: Callable[[], str] = lambda: "done") -> None:
        self.runs = runs
        self._fate = fate

    def _change(self, change: Callable[[], None]) -> None:
        fate = self._fate()
        if fate != "lost":
            change()
        if fate != "done":
            raise TrackerUnavailable(f"the request was {fate}")

    def find(self, tuning: Mapping[str, str]) -> Sequence[FoundRun]:
        found = [
            FoundRun(run.asked.key, run_id, run.asked.started_at, dict(run.tags), dict(run.params))
            for run_id, run in self.runs.items()
            if run.tags.items() >= tuning.items()
        ]
        return sorted(found, key=lambda run: run.started_at)

    def create(self, run: RunToShow) -> str:
        run_id = f"run-{len(self.runs)}"
        self._change(lambda: self.runs.update({run_id: Kept(run, dict(run.tags))}))
        return run_id

    def params(self, run_id: str) -> Mapping[str, str]:
        return dict(self.runs[run_id].params)

    def steps(self, run_id: str, metric: str) -> Sequence[int]:
        return [step for step, _ in self.runs[run_id].curve(metric)]

    def add(
        self,
        run_id: str,
        *,
        values: Sequence[TimedValue] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        run = self.runs[run_id]
        if any(run.params.get(key, text) != text for key, text in (params or {}).items()):
            raise TrackingError("a param has another value")

        def change() -> None:
            run.values += [one for one in values if one not in run.values]
            run.params |= params or {}
            run.tags |= tags or {}

        self._change(change)

    def set_status(self, run_id: str, status: RunStatus, ended_at: float | None) -> None:
        def change() -> None:
            self.runs[run_id].status, self.runs[run_id].ended_at = status, ended_at

        self._change(change)

    def delete(self, run_id: str) -> None:
        def change() -> None:
            self.runs.pop(run_id, None)

        self._change(change)

    def address(self, run_id: str) -> str | None:
        return None
