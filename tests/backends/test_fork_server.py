"""Jobs of a function that share one import: what they save by it, and that nothing else is different."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.local.early_imports import importing
from amt_flows.backends.local.fork_servers import LOG
from amt_flows.backends.local.imported import SWITCH
from amt_flows.backends.local_worker.endings import children_of
from amt_flows.backends.marked_processes import marked_processes, running_processes
from amt_flows.ports import JobReport, JobState
from amt_flows.spec import TrainingJobTemplate, TuningSpec

if TYPE_CHECKING:
    from backends.conftest import Site

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="an import is shared on Linux")

MODULE = """
import gc, json, os, pathlib, random, signal, sys, atexit, time
print("imported")
open("/proc/self/limits").read()  # which is always new
random.seed(3)
os.environ["SET_HERE"] = os.environ.setdefault("MINE", "mine") + "!"
pathlib.Path("imports").open("a").write(f"{os.getpid()}\\n")
signal.signal(signal.SIGUSR1, lambda *_: None)

def facts(depth):
    import numpy
    atexit.register(print, "at exit")
    told = {
        "random": random.random(),
        "environment": {n: v for n, v in sorted(os.environ.items()) if "JOB" not in n and "SM_" not in n},
        "set": os.environ["SET_HERE"],
        "argv": sys.argv[1:],
        "directory": os.getcwd(),
        "leads": [os.getpid() == os.getpgid(0), os.getpid() == os.getsid(0)],
        "open": len(os.listdir("/proc/self/fd")),
        "usr1": callable(signal.getsignal(signal.SIGUSR1)),
        "int": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "pipe": signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN,
        "main": sys.modules["__main__"].__file__,
        "path": sys.path,
        "garbage": [gc.isenabled(), gc.get_threshold()],
    }
    # The last two are set by readline, past Python.
    for one in ("AMT_FLOWS_WORKER", "SAGEMAKER_BASE_DIR", "COLUMNS", "LINES"):
        told["environment"].pop(one, None)
    pathlib.Path(os.environ["SM_MODEL_DIR"], "facts").write_text(json.dumps(told))
    pathlib.Path(os.environ["SM_MODEL_DIR"], "numpy").write_text(repr(numpy.random.rand()))
    return depth

def alone(depth):
    with open(f"/proc/{os.getppid()}/stat") as file:
        guard = int(file.read().rpartition(")")[2].split()[1])
    os.kill(guard, signal.SIGKILL)
    return depth

def wait(depth):
    print("waiting", flush=True)
    time.sleep(600)

def leave(depth):
    print("bye", file=sys.stderr)
    sys.exit(7)
"""
VALUES = {"depth": "3"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (tmp_path / "imports").touch()
    (tmp_path / "shared.py").write_text(MODULE)
    return tmp_path


def template(place: Path, function: str, **fields: Any) -> TrainingJobTemplate:
    return TrainingJobTemplate(function=f"shared:{function}", working_directory=str(place), **fields)


def run(site: Site, place: Path, function: str, trial: int = 1, **fields: Any) -> JobReport:
    return site.run(template(place, function, **fields), trial=trial, hyperparameters=VALUES)


def imports(place: Path) -> int:
    return len((place / "imports").read_text().splitlines())


def servers(place: Path) -> list[int]:
    """The fork servers of this process that work there."""
    mine = f"{os.getpid()}".encode()
    serving = [one for one in running_processes() if one.command.split(b"\0")[2:5:2] == [b"--serve", mine]]
    return [one.pid for one in serving if Path(f"/proc/{one.pid}/cwd").resolve() == place.resolve()]


def test_jobs_share_an_import_and_are_otherwise_as_they_would_be(
    site: Site, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = [run(site, place, "facts", trial) for trial in (1, 2)]
    assert imports(place) == 1
    monkeypatch.setenv(SWITCH, "0")
    reports.append(run(site, place, "facts", 3))
    assert imports(place) == 2
    models = [site.directory(one.name) / "model" for one in reports]
    shared, again, own = (json.loads((model / "facts").read_text()) for model in models)
    own["environment"].pop(SWITCH)
    assert shared == again == own
    assert len({(model / "numpy").read_text() for model in models}) == 3, "each draws numbers of its own"
    logs = [(site.directory(one.name) / "output.log").read_text() for one in reports]
    assert logs[0] == logs[2] == "imported\namt-report acc=3.0;\nat exit\n"


@pytest.mark.parametrize(("variable", "imported"), [("MLFLOW_RUN_ID", 1), ("THEIRS", 3)])
def test_jobs_with_other_environments_at_once_all_begin(
    site: Site, place: Path, variable: str, imported: int
) -> None:
    """Whoever is first is not ended by whoever comes next; a run of MLflow's is each job's own."""
    jobs = {trial: template(place, "facts", environment={variable: f"of-{trial}"}) for trial in (1, 2, 3)}
    names = [site.launch(job, trial, hyperparameters=VALUES) for trial, job in jobs.items()]
    assert [site.end(name).state for name in names] == [JobState.COMPLETED] * 3
    told = [json.loads((site.directory(name) / "model" / "facts").read_text()) for name in names]
    assert [one["environment"][variable] for one in told] == ["of-1", "of-2", "of-3"]
    assert imports(place) == imported


def test_each_is_a_process_of_its_own_that_can_be_found_stopped_and_killed(site: Site, place: Path) -> None:
    waiting = template(place, "wait", stop_grace_seconds=30)
    names = [site.launch(waiting, trial, hyperparameters=VALUES) for trial in (1, 2)]
    for name in names:
        site.until(name, lambda report: report.state is JobState.RUNNING)
    wait_for(lambda: all("waiting" in log_of(site, name) for name in names))
    training = [json.loads((site.directory(name) / "process.json").read_text())["pid"] for name in names]
    marks = [f"SAGEMAKER_BASE_DIR={site.directory(name)}" for name in names]
    assert [marked_processes(mark) for mark in marks] == [[pid] for pid in training]
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0") for pid in training]
    assert [words[-2:] for words in commands] == [[b"shared:wait", b"acc"]] * 2
    (server,) = servers(place)
    memory = Path(f"/proc/{training[0]}/smaps_rollup").read_text()
    own, whole = (int(re.findall(rf"{kind}: +(\d+)", memory)[0]) for kind in ("Private_Dirty", "Rss"))
    assert own < whole / 2
    site.backend.stop("t", names[:1])
    assert site.end(names[0]).state is JobState.STOPPED
    os.kill(server, signal.SIGKILL)
    assert site.report(names[1]).state is JobState.RUNNING
    for role in ("guard", "pid"):
        os.kill(json.loads((site.directory(names[1]) / "claim").read_text())[role], signal.SIGKILL)
    assert site.end(names[1]).state is JobState.LOST
    wait_for(lambda: not marked_processes(marks[1]))
    assert run(site, place, "alone", 4).state is JobState.COMPLETED, "the worker goes on without its guard"
    assert run(site, place, "leave", 3).failure == "exit status 7; the last of its output:\nimported\nbye"
    assert imports(place) == 3


def test_guards_wait_for_the_next_short_job_and_end_with_their_server(site: Site, place: Path) -> None:
    def claim(trial: int) -> dict[str, int]:
        name = run(site, place, "facts", trial).name
        wait_for(lambda: not any(one.mentions(str(site.directory(name))) for one in running_processes()))
        claimed: dict[str, int] = json.loads((site.directory(name) / "claim").read_text())
        return claimed

    first, again = claim(1), claim(2)
    waiting = spares(servers(place))
    assert first["guard"] in waiting
    assert first["pid"] != again["pid"]
    assert again["pid"] not in waiting
    for guard in spares(servers(place)):
        os.kill(guard, signal.SIGKILL)
    wait_for(lambda: not spares(servers(place)))
    third = claim(3)
    assert third["guard"] not in waiting
    server = only_server(place)
    waiting = spares([server])
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: not any(map(is_spare, waiting)))
    assert claim(4)["guard"] not in waiting
    assert imports(place) == 2
    waiting = spares(servers(place))
    site.backend.rest("t")
    wait_for(lambda: not any(map(is_spare, waiting)))


def spares(guards_of: list[int]) -> list[int]:
    """The guards and workers of fork servers that wait for a job."""
    below = [child for server in guards_of for child in children_of(server)]
    return [one for guard in below for one in (guard, *children_of(guard)) if is_spare(one)]


def is_spare(pid: int) -> bool:
    try:
        return b"--spare" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def test_a_server_that_is_killed_or_stops_loses_no_job(site: Site, place: Path) -> None:
    """In the middle of its import, where jobs wait for it."""
    (place / "shared.py").write_text(
        "import os, time\nif not os.path.exists('go'): time.sleep(60)\n" + MODULE
    )
    names = [site.launch(template(place, "facts"), trial, hyperparameters=VALUES) for trial in (1, 2)]
    assert [site.report(name).state for name in names] == [JobState.STARTING] * 2
    wait_for(lambda: servers(place))
    (place / "go").touch()
    os.kill(servers(place)[0], signal.SIGKILL)
    assert [site.end(name).state for name in names] == [JobState.COMPLETED] * 2
    assert imports(place) == 1


def test_another_controller_knows_at_once_that_nobody_comes_any_more(site: Site, place: Path) -> None:
    (place / "shared.py").write_text("import time\ntime.sleep(60)\n")
    name = site.launch(template(place, "facts"), 1, hyperparameters=VALUES)
    other = LocalBackend(site.backend.root)
    wait_for(lambda: servers(place))
    assert other.poll("t", [name])[0].state is JobState.STARTING
    os.kill(servers(place)[0], signal.SIGKILL)
    began = time.monotonic()
    wait_for(lambda: other.poll("t", [name])[0].state is JobState.LOST)
    assert time.monotonic() - began < 25, "not after the time that a worker may take"


def test_what_has_changed_is_imported_anew(site: Site, place: Path) -> None:
    (place / "shared.py").write_text("import beside\n" + MODULE.replace("return depth", "return beside.K"))
    for trial, said in enumerate(("K = 1", "K = 2", "K = len(open('data').read())"), 1):
        (place / "beside.py").write_text(said)
        (place / "data").write_text("three" * trial)
        name = run(site, place, "facts", trial).name
        assert site.values(name) == [[1.0], [2.0], [15.0]][trial - 1]
    (place / "data").write_text("")
    assert site.values(run(site, place, "facts", 4).name) == [0.0]
    assert imports(place) == 4


def test_an_import_that_was_begun_early_is_the_one_that_jobs_share(
    site: Site, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SM_HP_DEPTH", "of a training job around this one")
    garbage = "class Kept: ...\none = Kept()\none.itself = one, open('/dev/zero')\ndel one\n"
    (place / "shared.py").write_text(MODULE + garbage + "print('early', file=sys.stderr, flush=True)\n")
    spec = early(place, "facts")
    with importing(spec, site.root):
        early_one = only_server(place)
        assert not site.root.exists()
        names = [run(site, place, "facts", trial).name for trial in (1, 2)]
    assert servers(place) == [early_one], "it is its tuning job's"
    assert imports(place) == 1
    assert (site.root / "t" / LOG).read_text() == "imported\nearly\n"
    assert "imported" in log_of(site, names[1])
    site.backend.rest("t")
    assert not servers(place)


def test_an_import_that_was_begun_early_for_nothing_is_ended(
    site: Site, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "shared.py").write_text("import time\ntime.sleep(60)\n")
    with importing(early(place, "facts"), site.root), importing(early(place, "facts"), site.root):
        only_server(place)
    assert not servers(place)
    (place / "shared.py").write_text(MODULE)
    with importing(early(place, "facts"), site.root):
        monkeypatch.setenv("ANOTHER", "environment")
        one = only_server(place)
        assert site.values(run(site, place, "facts").name) == [3.0]
        assert one not in servers(place)
    site.backend.rest("t")
    before = set(children_of(os.getpid()))
    mine = early(place, "facts")
    each_its_own = early(place, "facts", resources={"cpus": 1})
    for spec, home in ((mine.named("t"), site.root), (each_its_own, site.root), (mine, "no\0place")):
        with importing(spec, home):
            told = "its training jobs may have ended, each has variables of its own, or it can't be opened"
            assert set(children_of(os.getpid())) <= before, told


def only_server(place: Path) -> int:
    wait_for(lambda: servers(place))
    (one,) = servers(place)
    return one


def early(place: Path, function: str, **fields: Any) -> TuningSpec:
    return TuningSpec(
        objective={"type": "Maximize", "metric_name": "acc"},
        integer=[{"name": "depth", "min_value": 1, "max_value": 9}],
        training_job={"function": f"shared:{function}", "working_directory": str(place), **fields},
        limits={"max_number_of_training_jobs": 3},
    )


def test_it_ends_with_its_tuning_job_and_with_its_controller(place: Path) -> None:
    program = (
        "import sys, time, amt_flows as amt, shared\n"
        "amt.tune(shared.facts, {'depth': amt.Integer(1, 3)}, maximize='acc', jobs=1, home='home', name='a',"
        " progress=False)\nprint('one', flush=True)\nsys.stdin.readline()\n"
        "amt.tune(shared.wait, {'depth': amt.Integer(1, 3)}, maximize='acc', jobs=1, home='home', name='b',"
        " progress=False)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as controller:
        assert controller.stdin is not None
        assert controller.stdout is not None

        def serves() -> bool:
            commands = [one.command.split(b"\0") for one in running_processes()]
            return any(b"--serve" in one and str(controller.pid).encode() in one for one in commands)

        while "one" not in controller.stdout.readline():
            continue
        assert not serves()
        controller.stdin.write("go on\n")
        controller.stdin.flush()
        wait_for(lambda: any((place / "home/b").glob("jobs/*/process.json")))
        assert serves()
        controller.kill()
        wait_for(lambda: not serves())
    backend = LocalBackend(place / "home")
    (job,) = backend.find("b")
    assert job.state is JobState.RUNNING
    backend.stop("b", [job.name], kill=True)


def log_of(site: Site, name: str) -> str:
    file = site.directory(name) / "output.log"
    return file.read_text() if file.exists() else ""


def wait_for(condition: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


REFUSED = {
    "import _thread, time\n_thread.start_new_thread(time.sleep, (9,))": "1 thread running",
    "kept = open('/dev/zero')": "left something open",
    "from subprocess import *\nkept = Popen(['sleep', '3'], stdout=-3, stderr=-3)": "another process running",
    "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))": "the limits of the process",
    "import os\nos.umask(0o027)": "the umask",
    "import os\nos.chdir('/')": "the working directory",
    "import os\nos.nice(1)": "the priority",
    "import os\nos.fork = lambda: 0": "replaced calls of the standard library",
    "import json\njson.JSONDecoder.decode = lambda *_: 0": "replaced calls of the standard library",
    "import sys\nsys.settrace(lambda *_: None)": "a tracer or a profiler",
    "import tempfile\nkept = tempfile.mkdtemp()": "made /",
    "import pathlib\npathlib.Path('new').write_text('x')": "made /",
    "import numpy": "",
    "import os, random\nrandom.seed(3)\nos.getenv('SM_MODEL_DIR')\nopen('/proc/self/stat').read()": "",
}
TRACING = """
import json, os, sys
from amt_flows.backends.function_job.traces import Traces
for code in json.load(sys.stdin):
    if os.fork() == 0:
        traces = Traces()
        with traces.recorded():
            exec(code, scope := {})
        print(json.dumps(traces.against_copies()), flush=True)
        os._exit(0)
    os.wait()
"""


def test_no_copy_is_made_where_jobs_would_share_what_they_must_not(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", TRACING],
        input=json.dumps(list(REFUSED)),
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    reasons = [json.loads(line) for line in said.stdout.splitlines()]
    assert len(reasons) == len(REFUSED), said.stderr
    for (code, words), reason in zip(REFUSED.items(), reasons, strict=True):
        assert words in reason if words else not reason, (code, reason)


def test_a_module_that_changes_what_it_reads_is_imported_by_each(site: Site, place: Path) -> None:
    (place / "data").write_text("read before it is written")
    (place / "shared.py").write_text("import touching\n" + MODULE)
    (place / "touching.py").write_text("import os\nopen('data').read()\nos.utime('data')\n")
    assert run(site, place, "facts").state is JobState.COMPLETED


def test_a_module_whose_import_depends_on_the_job_is_imported_by_each(site: Site, place: Path) -> None:
    (place / "shared.py").write_text("import os\nWHERE = os.environ['SM_MODEL_DIR']\n" + MODULE)
    reports = [run(site, place, "facts", trial) for trial in (1, 2)]
    assert [one.state for one in reports] == [JobState.COMPLETED] * 2
    assert imports(place) == 2


SCRIPT = """
import atexit, json, os, pickle, sys, threading
from shared import facts

class Thing: ...

def later():
    pickle.loads(pickle.dumps(Thing()))
    print("thread ended", flush=True)

unwritten = open(os.environ["SM_MODEL_DIR"] + "/unwritten", "w")
unwritten.write("whole")
atexit.register(lambda: print("at exit", Thing.__module__, len(globals()) > 5))
main = {name: str(value) for name, value in globals().items() if name[:2] == "__" and name != "__builtins__"}
main |= {"argv": sys.argv, "orig": sys.orig_argv, "path": sys.path[0]}
main["__loader__"] = type(__loader__).__name__
with open(os.environ["SM_MODEL_DIR"] + "/main", "w") as file:
    json.dump(main, file, sort_keys=True)
facts(3)
threading.Timer(0.1, later).start()
print("amt-report acc=1;")
raise ValueError("as planned")
"""


def test_a_script_with_warm_modules_runs_as_python_runs_it(site: Site, place: Path) -> None:
    (place / "train.py").write_text(SCRIPT)
    job = TrainingJobTemplate(command=("python", "train.py"), working_directory=str(place))
    warm = job.model_copy(update={"warm": ("shared", "json")})
    names = [site.run(one, trial=trial, hyperparameters=VALUES).name for one, trial in ((warm, 1), (warm, 2))]
    assert imports(place) == 1
    names.append(site.run(job, trial=4, hyperparameters=VALUES).name)
    assert imports(place) == 2
    for file in ("model/unwritten", "model/main", "model/facts", "output.log"):
        told = [(site.directory(name) / file).read_text() for name in names]
        if file == "model/facts":
            told = [json.dumps({**json.loads(one), "path": 0}, sort_keys=True) for one in told]
        assert told[0] == told[1] == told[2], file
    assert [site.report(name).failure for name in names[1:]] == [site.report(names[0]).failure] * 2
    assert "ValueError: as planned" in str(site.report(names[0]).failure)
    # A change of the script is the next job's; the process that has imported is still the same.
    (place / "train.py").write_text("import shared\nprint('amt-report acc=7;')\n")
    assert site.values(site.run(warm, trial=5, hyperparameters=VALUES).name) == [7.0]
    assert imports(place) == 2
