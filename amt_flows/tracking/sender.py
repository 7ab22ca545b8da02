"""The handle of the process that sends (:mod:`amt_flows.tracking.process`). Telling it takes no wait."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from amt_flows.errors import JournalError
from amt_flows.events import Event, Inherited, Judged, event_to_json
from amt_flows.spec.parts import Tracking
from amt_flows.tracking.mlflow_client import QUIET

# A client that retries on its own would be deaf for minutes.
SETTINGS: Final = {
    **QUIET,
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "PYTHONWARNINGS": "ignore",
}
# By the search path of whoever tunes, and without the current directory: a file there might be called mlflow.
PROGRAM: Final = (
    "import os, sys; sys.path[:] = sys.argv[1].split(os.pathsep); "
    "from amt_flows.tracking.process import main; main()"
)
UNNEEDED: Final = (Judged, Inherited)
"""Most of a record, and nothing that is shown."""
MOST_MESSAGES: Final = 100_000

Said = Mapping[str, Any]


class Sender:
    """``said`` is what the process had to say and nobody has looked at yet, but for the runs, which are found
    by :meth:`run_of`."""

    def __init__(
        self, tracking: Tracking, tuning_job: str, links: Mapping[str, str], *, past_is_whole: bool
    ) -> None:
        self._changed = threading.Condition()
        self._runs: dict[str, str] = {}
        self._said: list[Said] = []
        self._ends: list[Said] = []
        self._away = False
        self._gone = False
        self._late: str | None = None
        self._told: queue.SimpleQueue[Callable[[], Mapping[str, Any] | None] | None] = queue.SimpleQueue()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, os.pathsep.join(path or str(Path.cwd()) for path in sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **SETTINGS},
            start_new_session=True,  # Ctrl-C is for whoever tunes, who then still has something to say
            text=True,
            encoding="utf-8",
        )
        first = {
            "uri": tracking.mlflow,
            "experiment": tracking.experiment,
            "links": dict(links),
            "past_is_whole": past_is_whole,
            "lock": hashlib.sha256(f"{tracking.mlflow}\0{tuning_job.lower()}".encode()).hexdigest()[:32],
        }
        self._tell(lambda: first)
        for target in (self._write, self._read):
            threading.Thread(target=target, daemon=True).start()

    # -- telling ---------------------------------------------------------------------------------

    def tell_events(self, entries: Sequence[Sequence[Event]], *, past: bool) -> None:
        """What stands in the record. It is made JSON of in another thread."""

        def message() -> Said | None:
            events = [event for entry in entries for event in entry if not isinstance(event, UNNEEDED)]
            told = [event_to_json(event) for event in events]
            return {"tell": "events", "events": told, "past": past} if told else None

        self._tell(message)

    def tell_points(self, job: str, points: Sequence[tuple[str, int, object]], at: float) -> None:
        """Values of a metric's epochs. Those beyond what may wait are let go: they can be read again."""
        if self._told.qsize() < MOST_MESSAGES:
            self._tell(lambda: {"tell": "points", "job": job, "points": points, "at": at})

    def tell_again(self, job: str, points: Sequence[tuple[str, int, object]]) -> None:
        self._tell(lambda: {"tell": "again", "job": job, "points": points})

    def leave(self, job: str) -> None:
        self._tell(lambda: {"tell": "leave", "job": job})

    def _tell(self, message: Callable[[], Said | None]) -> None:
        if not self._gone:
            self._told.put(message)

    # -- asking ----------------------------------------------------------------------------------

    def run_of(self, job: str, seconds: float) -> str | None:
        """The id of a training job's run, which is made now. None when it is not there after so many seconds;
        at once while the tracker is away, or still owes an earlier one."""
        self._tell(lambda: {"tell": "want", "job": job})
        with self._changed:
            if self._late in self._runs:
                self._late = None
            if self._late is None:
                self._changed.wait_for(lambda: job in self._runs or self._away or self._gone, seconds)
            if job not in self._runs and self._late is None:
                self._late = job
            return self._runs.get(job)

    def finish(self, seconds: float) -> Said:
        """Have it send the rest, for up to so many seconds. What is missing then: ``missing``, ``in_part``
        and ``why``."""
        self._tell(lambda: {"tell": "finish", "seconds": seconds})
        with self._changed:
            # A request that is under way has a time limit of its own.
            self._changed.wait_for(lambda: bool(self._ends) or self._gone, seconds + 15)
            if self._ends:
                return self._ends.pop(0)
        why = self._last_words() if self._gone else "no answer came in time"
        return {"missing": None, "in_part": [], "why": f"the process that sends: {why}"}

    def said(self) -> list[Said]:
        """What there is to tell since the last look."""
        with self._changed:
            said, self._said = self._said, []
        return said

    @property
    def is_gone(self) -> bool:
        return self._gone

    def close(self) -> None:
        """End the process; what it has not sent yet, it does not send."""
        self._told.put(None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    # -- the threads -----------------------------------------------------------------------------

    def _write(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        # A damaged record is told by whoever reads it to go on with it.
        with contextlib.suppress(OSError, ValueError, JournalError):
            while (message := self._told.get()) is not None:
                if (said := message()) is not None:
                    pipe.write(json.dumps(said) + "\n")
                    if self._told.empty():
                        pipe.flush()
        with contextlib.suppress(OSError):
            pipe.close()

    def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        with contextlib.suppress(OSError, ValueError):
            for line in pipe:
                self._hear(json.loads(line))
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def _hear(self, said: Said) -> None:
        with self._changed:
            match said["say"]:
                case "run":
                    self._runs[said["job"]] = said["id"]
                case "end":
                    self._ends.append(said)
                case "away" | "waits" | "back":
                    self._away = said["say"] != "back"
                    self._said.append(said)
                case _:
                    self._said.append(said)
            self._changed.notify_all()

    def _last_words(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            self._errors.seek(0)
            lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
            if lines:
                return lines[-1][:300]
        return f"it ended with {self._process.poll()}"
