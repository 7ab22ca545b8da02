"""The process that sends: a line of JSON for each thing it is told, a line for each that it has to say.

A process of its own, and not a thread: MLflow's client takes seconds to be loaded, waits at its own pace for
a server that is away, and reads its settings from the environment. None of that is to be felt by whoever
tunes, nor inherited by training jobs.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TextIO

from amt_flows.backends.home import home_directory
from amt_flows.errors import TrackerUnavailable, TrackingError
from amt_flows.events import event_from_json, number_from_json
from amt_flows.ports import MetricPoint, Tracker
from amt_flows.tracking.mirror import Mirror
from amt_flows.tracking.mlflow_tracker import MlflowTracker

PAUSES_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Between two tries while the tracker is away; the last one again and again."""
LONGEST_WAIT_SECONDS: Final = 30.0

Message = Mapping[str, Any]


class Sending:
    """``say`` gets what is to be told to whoever tunes."""

    def __init__(self, mirror: Mirror, say: Callable[[Message], None]) -> None:
        self._mirror = mirror
        self._say = say
        self._failures = 0
        self._again_at = 0.0
        self._finishing_until: float | None = None
        self._shown = False

    def take(self, message: Message) -> None:
        """What whoever tunes has told."""
        mirror = self._mirror
        match message["tell"]:
            case "events":
                mirror.take(map(event_from_json, message["events"]), past=message["past"])
            case "points":
                mirror.take_points(message["job"], _points(message["points"]), message["at"])
            case "want":
                mirror.want(message["job"])
            case "again":
                mirror.take_again(message["job"], list(_points(message["points"])))
            case "leave":
                mirror.leave(message["job"])
            case "finish":
                self._finishing_until = time.monotonic() + message["seconds"]
                self._again_at = 0.0

    def work(self) -> float:
        """Do what can be done now, and return after how many seconds there may be more."""
        now = time.monotonic()
        if now < self._again_at and not self._is_late():
            return min(self._again_at, self._finishing_until or self._again_at) - now
        try:
            went_on = self._mirror.step(now=self._finishing_until is not None)
            if not went_on and self._finishing_until is not None:
                self._mirror.remove_never_launched()
        except TrackerUnavailable as error:
            return self._wait_after(error)
        except TrackingError as error:
            # The experiment was deleted, say: nothing can be done here, until somebody mends it.
            return self._wait_after(error)
        if self._failures and went_on:
            self._failures = 0
            self._say({"say": "back"})
        self._tell_news()
        if went_on and not self._is_late():
            return 0.0
        if self._finishing_until is not None:
            self._tell_end("")
            return LONGEST_WAIT_SECONDS
        due = self._mirror.seconds_to_next()
        return LONGEST_WAIT_SECONDS if due is None else min(max(due, 0.0), LONGEST_WAIT_SECONDS)

    def _is_late(self) -> bool:
        return self._finishing_until is not None and time.monotonic() >= self._finishing_until

    def _wait_after(self, error: TrackingError) -> float:
        pause = PAUSES_SECONDS[min(self._failures, len(PAUSES_SECONDS) - 1)]
        if self._failures == 0:
            self._say({"say": "away", "why": error.happened, "remedy": error.remedy})
        self._failures += 1
        if self._finishing_until is not None and time.monotonic() + pause >= self._finishing_until:
            self._tell_end(error.happened)
            return LONGEST_WAIT_SECONDS
        self._again_at = time.monotonic() + pause
        return pause

    def _tell_news(self) -> None:
        mirror = self._mirror
        if not self._shown and (address := mirror.address()) is not None:
            self._shown = True
            self._say({"say": "shown", "address": address})
        while mirror.made:
            name, run_id = mirror.made.popleft()
            self._say({"say": "run", "job": name, "id": run_id})
        for complaint in mirror.complaints:
            self._say({"say": "refused", "why": complaint})
        mirror.complaints.clear()

    def _tell_end(self, why: str) -> None:
        self._finishing_until = None
        mirror = self._mirror
        self._say({"say": "end", "missing": mirror.missing(), "in_part": mirror.in_part(), "why": why})


def _points(rows: list[list[Any]]) -> Iterator[MetricPoint]:
    for metric, epoch, value in rows:
        yield MetricPoint(metric, epoch, number_from_json(value))


def serve(make: Callable[[Message], Tracker], source: TextIO, say: Callable[[Message], None]) -> None:
    """Until ``source`` ends: then whoever tunes is gone, and whoever goes on sends the rest."""
    told: queue.Queue[str] = queue.Queue()

    def listen() -> None:
        for line in source:
            told.put(line)
        told.put("")

    threading.Thread(target=listen, daemon=True).start()
    first: Message = json.loads(told.get() or "{}")
    if not first:
        return
    with _alone(first["lock"], say):
        tracker = make(first)
        mirror = Mirror(tracker, first["links"], past_is_whole=first["past_is_whole"])
        sending = Sending(mirror, say)
        wait = 0.0
        while True:
            with contextlib.suppress(queue.Empty):
                line = told.get(timeout=max(wait, 0.0)) if wait > 0 else told.get_nowait()
                if not line:
                    return
                sending.take(json.loads(line))
                wait = 0.0
                continue
            wait = sending.work()


@contextlib.contextmanager
def _alone(name: str, say: Callable[[Message], None]) -> Iterator[None]:
    """Two that send at once would make a run twice. The one before ends as soon as whoever drove it has."""
    import fcntl

    path = home_directory(None) / ".tracking" / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError:
        yield  # where nothing can be kept, nobody else sends either
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say({"say": "waits"})
            fcntl.flock(file, fcntl.LOCK_EX)
            say({"say": "back"})
        yield


def main() -> None:
    """What :class:`amt_flows.tracking.sender.Sender` starts."""
    # Whatever libraries print goes where errors go.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def say(message: Message) -> None:
        try:
            print(json.dumps(message), file=output, flush=True)
        except OSError:
            os._exit(0)  # nobody listens any more

    def make(first: Message) -> Tracker:
        return MlflowTracker(first["uri"], first["experiment"])

    serve(make, sys.stdin, say)
    # Not by way of what a library would still have to say to a server that may be away.
    os._exit(0)
