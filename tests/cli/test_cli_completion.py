"""Completion: what a real bash offers, and that asking for it is quick and quiet."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from amt_flows.cli import main
from amt_flows.cli.completion import TRAINING_JOB, TUNING_JOB
from commands import cli, ok

JOBS = {"nightly-7": ["nightly-7-001-aaaaaaaa", "nightly-7-002-bbbbbbbb"], "other": ["other-001-cccccccc"]}

ASK = """
eval "$(amt-flows completion bash)"
complete -p amt-flows >/dev/null || exit 1
ask() {
  COMP_WORDS=(amt-flows "$@"); COMP_CWORD=$#; COMPREPLY=()
  _amt_flows_completion amt-flows
  echo "${COMPREPLY[*]}"
}
ask stat
ask status ""
ask logs nightly-7-00
ask run x.toml --backend s
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    for name, jobs in JOBS.items():
        (home / name / "journal").mkdir(parents=True)
        for job in jobs:
            (home / name / "jobs" / job).mkdir(parents=True)
    (home / "jobs-without-a-record" / "jobs").mkdir(parents=True)
    return home


@pytest.fixture
def shell(tmp_path: Path, home: Path) -> dict[str, str]:
    """The environment of a shell that finds the command."""
    program = tmp_path / "bin" / "amt-flows"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom amt_flows.cli import main\nmain()\n")
    program.chmod(0o755)
    return {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "AMT_FLOWS_HOME": str(home),
        "HOME": str(tmp_path),
    }


def test_a_real_bash_offers_commands_names_and_values(shell: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "--norc", "-c", ASK], env=shell, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.splitlines() == ["status", "nightly-7 other", " ".join(JOBS["nightly-7"]), "sagemaker"]
    assert done.stderr == ""


def offered(*words: str) -> list[str]:
    *before, incomplete = words
    asked = ShellComplete(main, {}, "amt-flows", "_AMT_FLOWS_COMPLETE")
    return [item.value for item in asked.get_completions(before, incomplete)]


@pytest.mark.parametrize(
    ("words", "offers"),
    [
        (("stat",), ["status"]),
        (("re",), ["recover", "register-work-pool", "report", "resume"]),
        (("status", ""), ["nightly-7", "other"]),
        (("compare", "other", ""), ["nightly-7"]),
        (("logs", "nightly-7-00"), JOBS["nightly-7"]),
        (("explain", "other", ""), JOBS["other"]),
        (("plan", "x.toml", "--like", "ni"), ["nightly-7"]),
        (("run", "x.toml", "--backend", "s"), ["sagemaker"]),
        (("run", "x.toml", "--backend", "w"), ["work-pool:"]),
        (("jobs", "other", "--c"), ["--csv"]),
        (("status", "--home", "s3://bucket/folder", ""), []),
        (("status", "--home", "/no/such/place", ""), []),
        (("completion", ""), ["bash", "zsh", "fish"]),
    ],
)
def test_what_is_offered(
    home: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], offers: list[str]
) -> None:
    monkeypatch.setenv("AMT_FLOWS_HOME", str(home))
    assert offered(*words) == offers


def test_a_home_in_s3_is_not_asked(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMT_FLOWS_HOME", "s3://bucket/folder")
    assert offered("status", "") == []
    assert offered("status", "--home", str(home), "o") == ["other"]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_this_program(name: str) -> None:
    script = ok("completion", name)
    assert f"_AMT_FLOWS_COMPLETE={name}_complete" in script
    if shutil.which(name):
        subprocess.run([name, "-n"], input=script, text=True, check=True, timeout=60)
    # What the script asks: zsh counts words as bash does, fish gives the word that is typed.
    asked = {"COMP_WORDS": "amt-flows stat", "COMP_CWORD": "stat" if name == "fish" else "1"}
    done = CliRunner(env={"_AMT_FLOWS_COMPLETE": f"{name}_complete", **asked}).invoke(
        main, prog_name="amt-flows"
    )
    assert done.exit_code == 0
    assert "status" in done.stdout
    assert "stop" not in done.stdout


def test_another_shell_is_refused() -> None:
    done = cli("completion", "tcsh")
    assert done.exit_code == 2
    assert "bash" in done.output


def test_completing_loads_nothing_heavy(home: Path) -> None:
    code = """
import os, sys
from amt_flows.cli import main
os.environ.update(_AMT_FLOWS_COMPLETE="bash_complete", COMP_WORDS="amt-flows status ", COMP_CWORD="2")
try:
    main(prog_name="amt-flows")
except SystemExit as end:
    assert end.code == 0
heavy = {"numpy", "pydantic", "rich", "scipy", "prefect", "botocore"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    environment = {**os.environ, "AMT_FLOWS_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "nightly-7" in done.stdout


def test_every_name_of_what_is_kept_is_completed() -> None:
    """Also that of a command to come: a tuning job is called NAME, a training job JOB."""
    types = {"name": TUNING_JOB, "names": TUNING_JOB, "job": TRAINING_JOB}
    for command in main.commands.values():
        for parameter in command.params:
            if isinstance(parameter, click.Argument) and parameter.name in types:
                assert parameter.type is types[parameter.name], f"{command.name} {parameter.name}"
            if parameter.name in ("spec", "home", "output", "prices", "picture", "write_prices"):
                assert isinstance(parameter.type, click.Path), f"{command.name} {parameter.name}"
