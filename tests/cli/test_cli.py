"""The command line: what it prints and where, its exit codes, and that it ends what it is told to end."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest

from amt_flows import errors
from amt_flows.backends.attended.http import Refused
from amt_flows.backends.local import LocalBackend
from amt_flows.backends.local.controller import process_here
from amt_flows.cli import main
from amt_flows.cli.input import load_spec, value_of
from amt_flows.cli.stop import stop as stop_tuning_job
from amt_flows.errors import SpecError, TuningJobFailed, TuningJobNotFound
from amt_flows.events import Concluding, Opened, TuningStatus
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.results import TuningResult
from amt_flows.results.records import read_record
from amt_flows.show.pictures.drawing import PicturesNotInstalled
from amt_flows.tuning.engine import Tuning
from commands import cli, ok, write_spec
from error_tree import tree
from worlds import spec

SLOW = 'echo "amt-report epoch=1; accuracy=0.5;"; sleep 600'
FAILING = 'echo "about to fail"; exit 3'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AMT_FLOWS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "home"


# -- help, version, mistakes ----------------------------------------------------------------------


def test_help_imports_nothing_heavy() -> None:
    code = """
import sys
from amt_flows.cli import main
try:
    main(["--help"])
except SystemExit as end:
    assert end.code == 0
heavy = {"scipy", "numpy", "pydantic", "prefect", "pandas", "botocore", "rich"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [None, *main.commands])
def test_every_help_has_examples(command: str | None) -> None:
    text = ok(*([command] if command else []), "--help")
    assert "Examples:" in text
    assert f"amt-flows {command or 'run'}" in text


def test_examples_in_the_help_are_commands_that_exist() -> None:
    for name, command in main.commands.items():
        for line in (command.epilog or "").splitlines()[2:]:
            words = line.split("|")[0].split(">")[0].split()
            assert words[:2] == ["amt-flows", name]
            options = [word for word in words if word.startswith("-")]
            known = {option for parameter in command.params for option in parameter.opts}
            assert set(options) <= known


def test_version() -> None:
    assert re.fullmatch(r"amt-flows \d+\.\d+\S*\n", ok("--version"))


@pytest.mark.parametrize(("given", "meant"), [("stats", "status"), ("job", "jobs"), ("Plan", "plan")])
def test_an_unknown_command_suggests_the_nearest(given: str, meant: str) -> None:
    result = cli(given)
    assert result.exit_code == 2
    assert f"did you mean '{meant}'?" in result.stderr


def test_an_unknown_command_that_resembles_none_lists_them() -> None:
    assert f"the commands are {', '.join(sorted(main.commands))}" in cli("xyzzy").stderr
    assert {"plan", "run", "stop"} <= main.commands.keys()


def every_error() -> list[type[errors.AmtFlowsError]]:
    """Wherever it is defined, whatever was imported before."""
    root = Path(errors.__file__).parent
    derived = re.compile(rf"^class \w+\(({'|'.join(errors.__all__)}|AmtFlowsError)\):", re.MULTILINE)
    for file in root.rglob("*.py"):
        if derived.search(file.read_text()):
            import_module(".".join(file.relative_to(root.parent).with_suffix("").parts))

    ours = {kind for kind in tree() if kind.__module__.startswith("amt_flows")}
    return sorted(ours, key=lambda kind: kind.__name__)


def made(kind: type[errors.AmtFlowsError]) -> errors.AmtFlowsError:
    if kind is SpecError:
        return SpecError([])
    if kind is errors.DeployRejected:
        return errors.DeployRejected("Deploying", [])
    if kind is Refused:
        return Refused("It broke.", 403, "no", remedy="mend it")
    return PicturesNotInstalled() if kind is PicturesNotInstalled else kind("It broke.", remedy="mend it")


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_every_error_ends_with_its_message_and_its_code(
    home: Path, monkeypatch: pytest.MonkeyPatch, kind: type[errors.AmtFlowsError]
) -> None:
    error = made(kind)

    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("amt_flows.results.records.read_record", fail)
    result = cli("status", "demo")
    assert result.exit_code == kind.exit_code
    assert result.stderr == f"{error}\n"
    assert result.stdout == ""


def test_ctrl_c_has_the_code_that_shells_give_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("amt_flows.results.records.read_record", press)
    result = cli("status", "demo")
    assert (result.exit_code, result.stderr) == (errors.TuningInterrupted.exit_code, "Interrupted.\n")


def test_a_report_that_can_not_be_written_is_explained(finished: Path, tmp_path: Path) -> None:
    result = cli("report", "demo", "--home", finished, "--output", tmp_path / "no" / "such" / "page.html")
    assert result.exit_code == errors.AmtFlowsError.exit_code
    assert "page.html can't be written: No such file or directory." in result.stderr
    assert "--output" in result.stderr


# -- reading what is given ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20", 20),
        ("1e-3", 0.001),
        ("1_000", 1000),
        ("true", True),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ('{"a": 1}', {"a": 1}),
        ("{a = 1}", {"a": 1}),
        ('"20"', "20"),
        ("'20'", "20"),
        ("plain text", "plain text"),
        ("validation:accuracy", "validation:accuracy"),
        ("2026-01-01", "2026-01-01"),
        ("1\nother = 2", "1\nother = 2"),
        ("NaN", "NaN"),
        ("inf", "inf"),
        ("", ""),
    ],
)
def test_a_value_is_read_as_json_or_toml_or_taken_as_text(text: str, value: object) -> None:
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


def test_fields_are_changed_by_path(tmp_path: Path) -> None:
    path = write_spec(tmp_path)
    changed = load_spec(
        str(path),
        ["limits.max_number_of_training_jobs=7", "continuous[0].max_value=0.5", "seed=3"],
        name="other",
    )
    assert changed.limits.max_number_of_training_jobs == 7
    assert changed.limits.max_parallel_training_jobs == 2
    assert changed.continuous[0].max_value == 0.5
    assert (changed.seed, changed.name) == (3, "other")


def test_a_change_may_give_what_the_file_lacks(tmp_path: Path) -> None:
    path = write_spec(tmp_path, objective={})
    with pytest.raises(SpecError):
        load_spec(str(path))
    assert load_spec(str(path), ["objective.metric_name=f1"]).objective.metric_name == "f1"


def test_a_change_to_a_toml_file_keeps_its_directory(tmp_path: Path) -> None:
    path = tmp_path / "tuning.toml"
    path.write_text(
        'objective.metric_name = "a"\nlimits.max_number_of_training_jobs = 2\n'
        'continuous = [{name = "x", min_value = 0.0, max_value = 1.0}]\ntraining_job.command = "train"\n'
    )
    assert load_spec(str(path), ["seed=1"]).training_job.working_directory == str(tmp_path.resolve())
    assert load_spec(str(path), ["seed=1"]) == load_spec(str(path)).model_copy(update={"seed": 1})


def test_amts_request_body_is_named_and_changed_in_its_own_words(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    config = {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "accuracy"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 5, "MaxParallelTrainingJobs": 1},
        "ParameterRanges": {"IntegerParameterRanges": [{"Name": "n", "MinValue": "1", "MaxValue": "9"}]},
    }
    path.write_text(json.dumps({"HyperParameterTuningJobConfig": config}))
    field = "HyperParameterTuningJobConfig.ResourceLimits.MaxNumberOfTrainingJobs"
    changed = load_spec(str(path), [f"{field}=8"], name="mine")
    assert (changed.name, changed.limits.max_number_of_training_jobs) == ("mine", 8)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("seed", "write it as field=value"),
        ("=5", "write it as field=value"),
        ("continuous[5].name=x", "there is nothing at this path"),
        ("name.deeper=1", "there is nothing at this path"),
        ("limits.max_paralel_training_jobs=1", "write `max_parallel_training_jobs`"),
        ("limits.max_parallel_training_jobs=zero", "limits.max_parallel_training_jobs"),
    ],
)
def test_a_wrong_change_is_explained(tmp_path: Path, home: Path, change: str, complaint: str) -> None:
    result = cli("run", write_spec(tmp_path), "--set", change)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not home.exists()


@pytest.mark.parametrize("arguments", [(), ("--set", "seed=1"), ("--name", "x")])
def test_a_missing_file_is_explained(home: Path, arguments: tuple[str, ...]) -> None:
    result = cli("run", "nowhere.toml", *arguments)
    assert result.exit_code == 2
    assert "no such file" in result.stderr


def test_a_broken_file_is_explained(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "tuning.toml"
    path.write_text("name = ")
    result = cli("plan", path, "--set", "seed=1")
    assert result.exit_code == 2
    assert "is not valid TOML" in result.stderr


# -- run, and looking at it afterwards ------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one completed tuning job, ``demo``, to be looked at and not to be changed."""
    directory = tmp_path_factory.mktemp("finished")
    cli("run", write_spec(directory), "--home", directory / "home", "--quiet")
    return directory / "home"


def snapshot(directory: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in sorted(directory.rglob("*"))
        if not path.is_dir()
    }


def test_run_prints_the_summary_and_tells_its_progress_elsewhere(tmp_path: Path, home: Path) -> None:
    result = cli("run", write_spec(tmp_path))
    assert result.exit_code == 0
    assert "demo completed after" in result.stdout
    assert "3 of 3 training jobs launched (3 completed)" in result.stdout
    assert str(home / "demo" / "jobs") in result.stdout
    assert f"Tuning job demo, kept in {home / 'demo'}" in result.stderr
    assert len(re.findall(r"^\S+ \[\d/3\] demo-\S+ completed: accuracy", result.stderr, re.MULTILINE)) == 3


def test_a_finished_tuning_job_is_not_run_again(tmp_path: Path, home: Path) -> None:
    path = write_spec(tmp_path)
    first = TuningResult.model_validate_json(ok("run", path, "--json", "--quiet"))
    before = snapshot(home)
    again = TuningResult.model_validate_json(ok("run", path, "--json", "-q"))
    assert again == first
    assert snapshot(home) == before


def test_another_spec_under_the_same_name_is_refused_with_the_difference(tmp_path: Path, home: Path) -> None:
    path = write_spec(tmp_path)
    ok("run", path, "--quiet")
    result = cli("run", path, "--set", "seed=5")
    assert result.exit_code == 4
    assert "seed: (default) -> 5" in result.stderr


def test_run_as_json_prints_the_result_and_nothing_else(tmp_path: Path, home: Path) -> None:
    result = cli("run", write_spec(tmp_path), "--json", "--name", "other", "--set", "seed=4", "--quiet")
    outcome = TuningResult.model_validate_json(result.stdout)
    assert (outcome.name, outcome.spec["seed"]) == ("other", 4)
    assert outcome.best is not None
    assert outcome.best.objective_value == max(job.objective_value or 0 for job in outcome.jobs)
    assert outcome.best.artifact is not None
    assert result.stderr == ""


def test_a_tuning_job_without_a_name_gets_one_and_says_so(tmp_path: Path, home: Path) -> None:
    result = cli("run", write_spec(tmp_path, name=None, limits={"max_number_of_training_jobs": 1}))
    name = re.search(r"Tuning job (tuning-[0-9a-f]{8}), kept in", result.stderr)
    assert name is not None
    assert f"{name[1]} completed" in result.stdout


def test_a_tuning_job_that_fails_has_its_own_exit_code_and_still_a_result(tmp_path: Path, home: Path) -> None:
    limits = {"max_failed_training_jobs": 2, "max_number_of_training_jobs": 9}
    path = write_spec(tmp_path, FAILING, limits=limits)
    result = cli("run", path, "--json", "--quiet")
    assert result.exit_code == 8
    assert TuningResult.model_validate_json(result.stdout).status.value == "Failed"
    assert "2 training jobs failed and none succeeded" in result.stderr
    shown = cli("run", path, "--quiet")
    assert shown.exit_code == 8
    assert "demo failed after" in shown.stdout
    job = re.search(r"amt-flows logs (\S+)", shown.stdout)
    assert job is not None
    assert ok("logs", job[1]) == "about to fail\n"


def test_status_without_a_name_lists_all(finished: Path) -> None:
    text = ok("status", "--home", finished)
    assert re.search(r"demo\s+Completed\s+3/3\s+accuracy 0\.\d+", text)
    listed = json.loads(ok("status", "--home", finished, "--json"))
    (summary,) = listed["HyperParameterTuningJobSummaries"]
    assert summary["HyperParameterTuningJobName"] == "demo"
    assert summary["TrainingJobStatusCounters"]["Completed"] == 3


def test_the_newest_tuning_job_is_listed_first(home: Path) -> None:
    for at, name in ((200.0, "middle"), (300.0, "newest"), (100.0, "oldest")):
        tuning_spec = spec(name=name)
        journal = DirectoryJournal(home / name / "journal")
        journal.append(0, [Opened(at, name, tuning_spec.fingerprint(), tuning_spec.to_json(), "me")])
    listed = json.loads(ok("status", "--json"))["HyperParameterTuningJobSummaries"]
    names = [summary["HyperParameterTuningJobName"] for summary in listed]
    assert names == ["newest", "middle", "oldest"]


def test_a_damaged_record_does_not_hide_the_others(tmp_path: Path, home: Path) -> None:
    ok("run", write_spec(tmp_path), "--quiet")
    (home / "broken" / "journal").mkdir(parents=True)
    (home / "broken" / "journal" / "00000000.json").write_text("[]")
    (home / "empty" / "journal").mkdir(parents=True)
    (home / "not a tuning job").mkdir()
    result = cli("status")
    assert result.exit_code == 0
    assert re.search(r"^demo\s+Completed", result.stdout, re.MULTILINE)
    assert re.search(r"^broken\s+damaged", result.stdout, re.MULTILINE)
    assert re.search(r"^broken: .*00000000.json is damaged", result.stderr, re.MULTILINE)
    assert "empty" not in result.stdout
    assert len(json.loads(ok("status", "--json"))["HyperParameterTuningJobSummaries"]) == 1


def test_a_home_that_does_not_exist_has_no_tuning_jobs_and_is_not_made(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert "No tuning job in" in ok("status", "--home", nowhere)
    assert json.loads(ok("status", "--home", nowhere, "--json")) == {"HyperParameterTuningJobSummaries": []}
    assert not nowhere.exists()


def test_a_home_that_is_no_directory_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = cli("status", "--home", tmp_path / "file")
    assert result.exit_code == 7
    assert "can't be read" in result.stderr


def test_status_of_one_is_the_summary_or_amts_shape(finished: Path) -> None:
    text = ok("status", "DEMO", "--home", finished)
    assert "demo completed after" in text
    described = json.loads(ok("status", "demo", "--home", finished, "--json"))
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert re.match(r"\d{4}-\d\d-\d\dT.*\+00:00$", described["CreationTime"])
    assert described["BestTrainingJob"]["TrainingJobStatus"] == "Completed"


def test_jobs_are_listed_best_first_in_three_forms(finished: Path) -> None:
    table = ok("jobs", "demo", "--home", finished)
    summaries = json.loads(ok("jobs", "demo", "--home", finished, "--json"))["TrainingJobSummaries"]
    names = [summary["TrainingJobName"] for summary in summaries]
    values = [s["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for s in summaries]
    assert values == sorted(values, reverse=True)
    assert re.findall(r"^demo-\S+", table, re.MULTILINE) == names
    rows = list(csv.DictReader(io.StringIO(ok("jobs", "demo", "--home", finished, "--csv"))))
    assert [row["TrainingJobName"] for row in rows] == names
    assert [float(row["FinalObjectiveValue"]) for row in rows] == values
    assert float(rows[0]["rate"]) == float(summaries[0]["TunedHyperParameters"]["rate"])


def test_one_form_at_a_time(finished: Path) -> None:
    assert cli("jobs", "demo", "--home", finished, "--json", "--csv").exit_code == 2


def test_logs_prints_what_a_training_job_wrote_last(finished: Path) -> None:
    name = next(iter(read_record("demo", finished).ledger.jobs))
    text = ok("logs", name, "--home", finished)
    assert re.fullmatch(r"amt-report epoch=1; accuracy=0\.\d+;\ngot --rate 0\.\d+\n", text)
    assert ok("logs", name, "--home", finished, "-n", "1").startswith("got --rate")


@pytest.mark.parametrize("name", ["demo", "demo-001-00000000", "../demo-001-00000000", "x"])
def test_logs_of_what_is_no_training_job_are_explained(finished: Path, name: str) -> None:
    result = cli("logs", name, "--home", finished)
    assert result.exit_code == 3
    assert "`amt-flows jobs NAME`" in result.stderr


@pytest.mark.parametrize("command", ["status", "jobs", "stop"])
@pytest.mark.parametrize("name", ["nobody", "../demo", "a/b", ""])
def test_a_tuning_job_that_is_not_there_has_its_own_exit_code(
    finished: Path, command: str, name: str
) -> None:
    assert cli(command, name, "--home", finished).exit_code == 3


def test_looking_changes_nothing(finished: Path) -> None:
    before = snapshot(finished)
    for arguments in (["status"], ["status", "demo"], ["status", "demo", "--json"], ["jobs", "demo"]):
        ok(*arguments, "--home", finished)
    ok("stop", "demo", "--home", finished)
    cli("status", "other", "--home", finished)
    assert snapshot(finished) == before
    assert sorted(path.name for path in finished.iterdir()) == ["demo"]


def test_a_tuning_job_without_training_jobs_yet_can_be_looked_at(home: Path) -> None:
    tuning_spec = spec()
    journal = DirectoryJournal(home / "demo" / "journal")
    journal.append(0, [Opened(time.time(), "demo", tuning_spec.fingerprint(), tuning_spec.to_json(), "me")])
    assert "demo in progress" in ok("status", "demo")
    assert "has launched no training job yet" in ok("jobs", "demo")
    assert ok("jobs", "demo", "--csv").startswith("learning_rate,TrainingJobName,")
    assert json.loads(ok("jobs", "demo", "--json")) == {"TrainingJobSummaries": []}


# -- plan -----------------------------------------------------------------------------------------


def test_plan_shows_and_writes_nothing(tmp_path: Path, home: Path) -> None:
    path = write_spec(tmp_path)
    text = ok("plan", path, "--job-seconds", 60)
    assert "demo: Maximize accuracy, Random, 2 training jobs at once" in text
    assert "3 training jobs in 2 min" in text
    data = json.loads(ok("plan", path, "--json", "--first", "1"))
    assert len(data["first_jobs"]) == 1
    assert sorted(tmp_path.iterdir()) == [path]


def test_plan_shows_what_will_be_launched(tmp_path: Path, home: Path) -> None:
    path = write_spec(tmp_path)
    data = json.loads(ok("plan", path, "--json"))
    ok("run", path, "--quiet")
    ledger = read_record("demo", home).ledger
    assert [job["name"] for job in data["first_jobs"]] == list(ledger.jobs)
    assert "running it returns the result there is (Completed, 3 training jobs)" in ok("plan", path)


def test_plan_of_what_cannot_run_here_fails_after_it_is_shown(tmp_path: Path, home: Path) -> None:
    path = write_spec(tmp_path, training_job={"command": ["no-such-program-anywhere"]})
    result = cli("plan", path, "--json")
    assert result.exit_code == 2
    assert "no-such-program-anywhere" in json.loads(result.stdout)["problems"][0]["message"]
    assert "no-such-program-anywhere" in result.stderr


# -- with Prefect ---------------------------------------------------------------------------------


class FlowRunState:
    """What Prefect answers with when it is asked for a flow run's state."""

    def __init__(self, result: TuningResult | None) -> None:
        self._result = result

    def is_cancelled(self) -> bool:
        return self._result is None

    def result(self) -> TuningResult:
        assert self._result is not None
        return self._result


@pytest.mark.parametrize("cancelled", [False, True])
def test_with_prefect_the_flow_runs_it(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    path = write_spec(tmp_path)
    result = TuningResult.model_validate_json(ok("run", path, "--json", "--quiet"))
    calls: list[tuple[Any, Any]] = []

    def flow(tuning_spec: Any, *, return_state: bool, **where: Any) -> FlowRunState:
        assert return_state
        calls.append((tuning_spec, where))
        return FlowRunState(None if cancelled else result)

    module = types.ModuleType("amt_flows.flows.tuning.tune")
    module.tune = flow  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "amt_flows.flows", types.ModuleType("amt_flows.flows"))
    monkeypatch.setitem(sys.modules, "amt_flows.flows.tuning.tune", module)
    server = types.ModuleType("amt_flows.flows.ephemeral")
    started: list[int] = []
    server.start_server_beyond_ctrl_c = lambda: started.append(len(calls))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "amt_flows.flows.ephemeral", server)
    # The best so far is shown of a cancelled run too.
    assert "demo completed" in ok("run", path, "--prefect", "--home", home)
    ((tuning_spec, where),) = calls
    assert tuning_spec.name == "demo"
    assert where == {"backend": "local", "region": None, "home": str(home)}
    assert started == [0], "the server is there, out of Ctrl-C's reach, before the flow begins"


# -- a second process -----------------------------------------------------------------------------


class Running:
    """``amt-flows run`` in another process."""

    def __init__(self, path: Path, *arguments: str, **options: Any) -> None:
        command = [sys.executable, "-m", "amt_flows", "run", str(path), *arguments]
        self.process = subprocess.Popen(command, text=True, **options)

    def wait_until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The description of ``demo`` once it fulfils a condition, as a second process reads it."""
        give_up_at = time.monotonic() + 120
        while time.monotonic() < give_up_at:
            result = cli("status", "demo", "--json")
            if result.exit_code == 0:
                described: dict[str, Any] = json.loads(result.stdout)
                if holds(described):
                    return described
            assert self.process.poll() is None, "it ended by itself"
            time.sleep(0.05)
        raise AssertionError("it never came to that")

    def end(self) -> tuple[int, str]:
        """The exit code, and what it wrote to standard output."""
        output, _ = self.process.communicate(timeout=120)
        return self.process.returncode, output


@pytest.fixture
def slow(tmp_path: Path, home: Path) -> Iterator[Running]:
    """A tuning job whose training jobs would take minutes, once both of them have told a value."""
    path = write_spec(tmp_path, SLOW)
    running = Running(path, "--json", "-q", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        running.wait_until(lambda described: described["TrainingJobStatusCounters"]["InProgress"] == 2)
        wait_for_values(home)
        yield running
    finally:
        running.process.kill()
        running.process.communicate()
        backend = LocalBackend(home)
        backend.stop("demo", [job.name for job in backend.find("demo")], kill=True)


def wait_for_values(home: Path) -> None:
    give_up_at = time.monotonic() + 120
    while time.monotonic() < give_up_at:
        ledger = read_record("demo", home).ledger
        if all(len(job.curve) for job in ledger.live):
            return
        time.sleep(0.05)
    raise AssertionError("no value came")


def living(home: Path) -> list[str]:
    return [job.name for job in LocalBackend(home).find("demo") if not job.state.terminal]


def test_a_running_tuning_job_is_seen_and_stopped_from_outside(slow: Running, home: Path) -> None:
    assert re.search(r"demo-001-\w+\s+running\s+0.5\s+1\s", ok("status", "demo"))
    assert "amt-flows stop demo" in ok("status", "demo")
    text = ok("stop", "demo")
    assert "demo is stopped. Stopped: " in text
    code, output = slow.end()
    assert code == 8, "nothing could be the best: `run && deploy` must not go on"
    result = TuningResult.model_validate_json(output)
    assert (result.status.value, result.best) == ("Stopped", None)
    assert [reason.message for reason in result.reasons] == ["stopped with amt-flows stop"]
    assert living(home) == []
    assert "has ended already" in ok("stop", "demo")


def test_ctrl_c_ends_it_gracefully(slow: Running, home: Path) -> None:
    slow.process.send_signal(signal.SIGINT)
    code, output = slow.end()
    assert code == 8, "no training job has completed"
    result = TuningResult.model_validate_json(output)
    assert result.reasons[0].message == "stopped by SIGINT"
    assert {job.outcome for job in result.jobs} == {"stopped with the tuning job"}
    assert living(home) == []


def test_stop_kills_when_told_to(slow: Running, home: Path) -> None:
    assert "2 training jobs killed from here." in ok("stop", "demo", "--kill")
    assert slow.end()[0] == 8
    assert living(home) == []


def test_stop_ends_the_training_jobs_itself_when_no_controller_lives(slow: Running, home: Path) -> None:
    slow.process.kill()
    slow.process.communicate()
    assert len(living(home)) == 2
    looked = cli("status", "demo")
    assert "Nobody drives it any more" in looked.stderr
    started = time.monotonic()
    text = ok("stop", "demo", "--wait", "150")
    assert time.monotonic() - started < 100, "a controller that is certainly dead is not waited for"
    assert "No controller answers for demo" in text
    assert "2 training jobs stopped from here." in text
    assert "demo is stopped." in text
    assert living(home) == []
    ended = read_record("demo", home).ledger
    assert (ended.status, ended.reasons[0].message) == (TuningStatus.STOPPED, "stopped with amt-flows stop")
    # It is over: running the spec again gives its result.
    result = cli("run", home.parent / "tuning.json", "-q")
    assert "demo stopped after" in result.stdout


def test_without_waiting_only_the_request_is_left(
    slow: Running, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amt_flows.cli.stop.PATIENCE_SECONDS", 0.3)
    os.kill(slow.process.pid, signal.SIGSTOP)
    try:
        assert ok("stop", "demo", "--wait", "0") == "demo is asked to stop.\n"
        assert DirectoryJournal(home / "demo" / "journal").asked_to_stop() == "stopped with amt-flows stop"
        assert len(living(home)) == 2
        # A controller that hangs is waited for, and then done without.
        text = ok("stop", "demo", "--wait", "0.3")
        assert "2 training jobs stopped from here." in text
        assert "its record is closed from here" in text
    finally:
        os.kill(slow.process.pid, signal.SIGCONT)
    assert slow.end()[0] == errors.Fenced.exit_code, "it wakes up, and leaves all to its successor"
    assert read_record("demo", home).ledger.status is TuningStatus.STOPPED


def test_in_a_terminal_progress_is_live_and_the_result_stays(tmp_path: Path, home: Path) -> None:
    path = write_spec(tmp_path, 'sleep 0.3; echo "amt-report accuracy=0.5;"')
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    running = Running(path, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env=environment)
    os.close(theirs)
    chunks: list[bytes] = []
    try:
        while chunk := os.read(ours, 65536):
            chunks.append(chunk)
    except OSError:
        pass  # Linux says so when the other side has closed
    finally:
        os.close(ours)
    assert running.process.wait(120) == 0
    live, cursor_is_back, after = b"".join(chunks).decode().rpartition("\x1b[?25h")
    assert cursor_is_back
    assert "2 running" in live
    assert "3 of 3 jobs ended" in live
    assert "demo completed after" in re.sub(r"\x1b\[[0-9;]*m", "", after)


# -- parts ----------------------------------------------------------------------------------------


def test_stop_does_without_a_controller_that_died_while_it_ended_the_tuning_job(home: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    tuning_spec = spec()
    controller = process_here(ended.pid)
    DirectoryJournal(home / "demo" / "journal").append(
        0,
        [
            Opened(time.time(), "demo", tuning_spec.fingerprint(), tuning_spec.to_json(), controller),
            Concluding(time.time(), TuningStatus.COMPLETED, ()),
        ],
    )
    text = ok("stop", "demo", "--wait", "30")
    assert "No controller answers for demo" in text
    assert read_record("demo", home).ledger.finished


def test_stop_of_an_unknown_tuning_job_leaves_no_note(home: Path) -> None:
    with pytest.raises(TuningJobNotFound):
        stop_tuning_job("demo", home, kill=False, wait=0.1, say=lambda line: None)
    assert not home.exists()


def test_the_commands_are_a_click_group_as_the_entry_point_needs() -> None:
    assert isinstance(main, click.Group)


# -- going on, comparing --------------------------------------------------------------------------


def test_resume_goes_on_with_what_a_dead_controller_left(tmp_path: Path, home: Path) -> None:
    asked = load_spec(str(write_spec(tmp_path)))
    journal = DirectoryJournal(home / "demo" / "journal")
    tuning = Tuning.open(asked, LocalBackend(home), journal)
    tuning.propose(1)
    tuning.launch(1)
    result = TuningResult.model_validate_json(ok("resume", "demo", "--json", "--quiet"))
    assert len(result.jobs) == 3
    assert len(list((home / "demo" / "jobs").iterdir())) == 3
    again = TuningResult.model_validate_json(ok("resume", "demo", "--json", "--quiet"))
    assert again == result
    assert cli("resume", "nobody").exit_code == TuningJobNotFound.exit_code


def test_compare_sets_tuning_jobs_against_the_first(tmp_path: Path, home: Path) -> None:
    ok("run", write_spec(tmp_path), "--quiet")
    fewer = ("--set", "limits.max_number_of_training_jobs=2", "--set", "objective.type=Minimize")
    ok("run", write_spec(tmp_path), "--name", "fewer", "--quiet", *fewer)
    failed = cli("run", write_spec(tmp_path, FAILING), "--name", "none", "--quiet")
    assert failed.exit_code == TuningJobFailed.exit_code, "also after fewer failures than the limit of them"
    demo, other, none = json.loads(ok("compare", "demo", "fewer", "none", "--json"))
    assert (demo["training_jobs"], other["training_jobs"]) == (3, 2)
    assert other["epochs_against_first"] == pytest.approx(2 / 3)
    assert demo["best_against_first"] == 0
    assert other["best_against_first"] is None, "one is maximised, the other minimised"
    assert (none["best"], none["failed"]) == (None, 3)
    shown = ok("compare", "demo", "fewer")
    assert "33% less" in shown
    assert "cost" not in shown
    assert cli("compare", "demo").exit_code == 2
    assert cli("compare", "demo", "nobody").exit_code == TuningJobNotFound.exit_code


# -- starting from what is known ------------------------------------------------------------------


def test_a_tuning_job_starts_from_others_of_the_home_and_from_files(tmp_path: Path, home: Path) -> None:
    ok("run", write_spec(tmp_path), "--quiet")
    (tmp_path / "old.csv").write_text(ok("jobs", "demo", "--csv"))
    warm = {"type": "IdenticalDataAndAlgorithm", "parents": ["demo", str(tmp_path / "old.csv")]}
    again = write_spec(tmp_path, name="again", seed=7, warm_start=warm)
    assert "3 training jobs of demo (amt-flows), counted as its own" in ok("plan", again)
    ok("run", again, "--quiet")
    ledger = read_record("again", home).ledger
    assert sum(len(one.jobs) for one in ledger.inherited) == 6
    unknown = write_spec(tmp_path, name="third", warm_start={**warm, "parents": ["nobody"]})
    refused = cli("run", unknown, "--quiet")
    assert refused.exit_code == 2
    assert "nobody" in refused.stderr


# -- short names ----------------------------------------------------------------------------------


def test_names_as_tables_print_them_are_taken(tmp_path: Path, home: Path) -> None:
    ok("run", write_spec(tmp_path), "-q")
    full = sorted(job.name for job in read_record("demo", home).result().jobs)[1]
    short = full.removeprefix("demo-")
    whole = ok("logs", full)
    for given in (["demo", "2"], ["demo", "002"], ["demo", short], ["demo", full.upper()], [short], ["2"]):
        assert ok("logs", *given) == whole, given
    assert json.loads(ok("logs", "2", "--json"))["TrainingJobName"] == full
    for name in ("2", "002", short, short[4:], full):
        assert ok("explain", "demo", name).startswith(f"{full} (trial 2)"), name
    other = write_spec(tmp_path, name="other")
    ok("run", other, "-q")
    several = cli("logs", "2")
    assert several.exit_code == 3
    assert f"may be meant by 2: other-{short}, {full}" in several.stderr
    assert cli("logs", "demo", "9").exit_code == 3
    assert ok("explain", full).startswith(f"{full} (trial 2)"), "alone, as logs takes it"
    assert "no tuning job nowhere" in cli("explain", "nowhere").stderr
    assert cli("explain", "nowhere", full).exit_code == 3
    assert cli("explain", "demo", "00").exit_code == 3


# -- resume and recover take the same -------------------------------------------------------------


def test_resume_takes_a_spec_and_a_backend_that_are_the_record_s(tmp_path: Path, home: Path) -> None:
    asked = write_spec(tmp_path)
    assert cli("resume", asked).exit_code == 3, "there is nothing to go on with"
    ok("run", asked, "-q")
    for given in (
        ["demo"],
        [asked],
        ["demo", "--backend", "local"],
        [asked, "--backend", "local", "--name", "demo"],
    ):
        assert "demo completed" in ok("resume", *given, "-q"), given
    changed = cli("resume", asked, "-q", "--set", "seed=7")
    assert (changed.exit_code, "another spec" in changed.stderr) == (4, True)
    elsewhere = cli("resume", "demo", "-q", "--backend", "sagemaker", "--region", "eu-west-1")
    assert (elsewhere.exit_code, "run on local, not on sagemaker:eu-west-1" in elsewhere.stderr) == (6, True)
    assert cli("resume", "demo", "--set", "seed=7").exit_code == 2


def test_recover_says_of_a_name_what_there_is_to_recover(tmp_path: Path, home: Path) -> None:
    asked = write_spec(tmp_path)
    ok("run", asked, "-q")
    there = cli("recover", "demo")
    assert (there.exit_code, "`amt-flows resume demo` goes on with it" in there.stderr) == (7, True)
    shutil.rmtree(home / "demo" / "journal")
    lost = cli("recover", "demo")
    assert (lost.exit_code, "give the spec's file, and --name demo" in lost.stderr) == (2, True)
    quiet = cli("recover", asked, "-q")
    assert (quiet.exit_code, quiet.stderr) == (0, "")


def test_a_file_that_is_called_as_a_tuning_job_is_keeps_nobody_from_going_on(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its output may have been kept so: ``amt-flows run tuning.toml > demo``."""
    ok("run", write_spec(tmp_path), "-q")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").write_text("demo completed after ...")
    assert "demo completed" in ok("resume", "demo", "-q")
    (tmp_path / "other").write_text('name = "toml"')
    assert "it is read as JSON" in cli("resume", "other").stderr
