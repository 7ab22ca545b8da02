"""The jobs API of a Ray head, as measured of Ray 2.60: a process a job, in a server of this process.

It knows nodes with amounts, PENDING for want of room, a ``submission_id`` that is taken (500), 404 for what
it doesn't know, and a stop that waits three seconds. What it is not: a cluster. The same suite runs against
one with ``-m long`` and ``AMT_FLOWS_TEST_RAY=http://head:8265``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class RayHead:
    nodes: list[dict[str, float]] = field(default_factory=lambda: [{"CPU": 64.0, "memory": 64e9}])
    starts: bool = True
    """Whether it starts jobs; without, they are pending."""
    away: bool = False
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    url: str = ""

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        with self.lock:
            self.requests.append(f"{method} {path}")
            if self.away:
                return 503, "the head is not there"
            for name in list(self.processes):
                self._see(name)
            words = path.strip("/").split("/")[1:]
            if words == ["cluster_status"]:
                return 200, self._status()
            if method == "POST" and words == ["jobs"]:
                return self._submit(body)
            if words == ["jobs"]:
                return 200, list(self.jobs.values())
            name = words[1]
            if name not in self.jobs:
                return 404, f"Job {name} does not exist"
            if words[2:] == ["stop"]:
                self._stop(name)
                return 200, {"stopped": True}
            return 200, self.jobs[name]

    def _submit(self, body: dict[str, Any]) -> tuple[int, Any]:
        name = body["submission_id"]
        if name in self.jobs:
            return 500, f"Job with submission_id {name} already exists. Please use a different submission_id."
        self.jobs[name] = {**body, "status": "PENDING", "message": "waiting"}
        node = self._free(body)
        if self.starts and node is not None:
            environment = {**os.environ, **(body.get("runtime_env") or {}).get("env_vars", {})}
            self.processes[name] = subprocess.Popen(
                body["entrypoint"],
                shell=True,
                env=environment,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            self.jobs[name] |= {"status": "RUNNING", "node": node}
        return 200, {"submission_id": name}

    def _free(self, body: dict[str, Any]) -> int | None:
        for number, node in enumerate(self.nodes):
            used = self._used(number)
            needs = {"CPU": body.get("entrypoint_num_cpus", 0), "GPU": body.get("entrypoint_num_gpus", 0)}
            needs |= body.get("entrypoint_resources") or {}
            if all(node.get(name, 0.0) - used.get(name, 0.0) >= amount for name, amount in needs.items()):
                return number
        return None

    def _used(self, number: int) -> dict[str, float]:
        running = [j for j in self.jobs.values() if j["status"] == "RUNNING" and j["node"] == number]
        return {
            "CPU": sum(job.get("entrypoint_num_cpus", 0) for job in running),
            "GPU": sum(job.get("entrypoint_num_gpus", 0) for job in running),
        }

    def _status(self) -> Any:
        usage = {
            f"node{number}": {
                name: [self._used(number).get(name, 0.0), total] for name, total in node.items()
            }
            for number, node in enumerate(self.nodes)
        }
        return {"data": {"clusterStatus": {"loadMetricsReport": {"usageByNode": usage}}}}

    def _see(self, name: str) -> None:
        code = self.processes[name].poll()
        if code is not None:
            state = "SUCCEEDED" if code == 0 else "FAILED"
            self.jobs[name] |= {"status": state, "message": f"exit code {code}"}
            del self.processes[name]

    def _stop(self, name: str) -> None:
        process = self.processes.pop(name, None)
        self.jobs[name] |= {"status": "STOPPED", "message": "stopped"}
        if process is not None:
            process.terminate()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def forget(self) -> None:
        """Be restarted without a storage of its own."""
        with self.lock:
            for process in self.processes.values():
                process.kill()  # what looks after a job on its node goes with the head
                process.wait()
            self.processes.clear()
            self.jobs.clear()
            self.requests.clear()

    def end(self) -> None:
        for process in self.processes.values():
            process.wait(30)


@contextmanager
def ray_head(**settings: Any) -> Iterator[RayHead]:
    head = RayHead(**settings)

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = head.answer(self.command, self.path, json.loads(body) if body else {})
            text = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _serve  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    head.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield head
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        head.end()
