"""The page on the command line: its examples print what it says, and it leaves out no command, option, exit
code or member."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from amt_flows import errors
from amt_flows.cli import main
from amt_flows.plan.prices import PricesError
from commands import cli
from error_tree import tree
from pages import blocks, page

PAGE = page("docs/cli.md")
SECTIONS = {
    title.split()[0].lower(): text
    for title, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
}


def files() -> Iterator[tuple[str, str]]:
    for text in blocks(PAGE, "python|toml"):
        yield text.splitlines()[0].removeprefix("# "), text


def steps() -> Iterator[tuple[str, list[str]]]:
    """Each command of the examples, with the lines that it prints."""
    for block in blocks(PAGE, "console"):
        for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *lines = text.splitlines()
            yield command, [line for line in lines if line.strip() and line.strip() != "..."]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in files():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMT_FLOWS_HOME", str(tmp_path / "home"))
    # What whoever runs the tests has set up would be asked.
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / "none"))
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        yield tmp_path


def squeezed(text: str) -> str:
    return " ".join(text.split())


def found_in_order(lines: list[str], output: str) -> None:
    """Each line in the output, after the one before; ``...`` in it stands for anything."""
    rest = squeezed(output)
    for line in lines:
        pattern = ".*?".join(re.escape(part.strip()) for part in squeezed(line).split("..."))
        match = re.search(pattern, rest)
        assert match is not None, f"{line!r} is not in\n{output}"
        rest = rest[match.end() :]


def test_the_examples_print_what_the_page_says(project: Path) -> None:
    used = set()
    for command, expected in steps():
        program, *arguments = shlex.split(command)
        assert program == "amt-flows"
        used.add(arguments[0])
        done = cli(*arguments)
        code = next((int(line.split()[-1]) for line in expected if line.startswith("exit code: ")), 0)
        assert done.exit_code == code, (command, done.output)
        failures = [line.removeprefix("error: ") for line in expected if line.startswith("error: ")]
        found_in_order(failures, done.stderr)
        shown = [line for line in expected if not line.startswith(("error: ", "exit code: "))]
        found_in_order(shown, done.stdout)
        assert failures or shown, command
    assert used == {*main.commands} - {"completion", "register-work-pool"}
    json_is_as_documented(project)


def json_is_as_documented(project: Path) -> None:
    """In the project as the examples leave it: they take a while."""
    job = next((project / "home/tuned/jobs").iterdir()).name
    given = {
        "plan": ["grid.toml"],
        "try": ["grid.toml"],
        "run": ["grid.toml", "-q"],
        "logs": [job],
        "compare": ["tuned", "second"],
        "recover": [],
        "clean": ["--dry-run"],
        "doctor": [],
        "status": [],
    }
    rows = re.findall(r"^\| (`.+?) \| (.+) \|$", SECTIONS["json"], re.MULTILINE)
    documented: set[str] = set()
    for commands, text in rows:
        members = set(re.findall(r"`(\w+)`", text)) - {
            "DescribeHyperParameterTuningJob",
            "TuningResult",
            "JOB",
        }
        for command in re.findall(r"`([^`]+)`", commands):
            name, *arguments = command.split()
            documented.add(name)
            if name in ("recover", "extend", "track"):
                # Its record is there, so there is nothing to recover; a grid that was tried has no more; and
                # there is no MLflow here.
                continue
            values = ["tuned"] if arguments else given.get(name, ["tuned"])
            data: Any = json.loads(cli(name, *values, "--json").stdout)
            assert isinstance(data, list if name in ("compare", "doctor") else dict)
            assert name != "compare" or len(data) == 2
            assert members <= set(data if isinstance(data, dict) else data[0]), (command, data)
            if name == "plan":
                assert members == set(data)
    with_json = {name for name, command in main.commands.items() if "--json" in options(command)}
    assert documented == with_json == {*main.commands} - {"completion", "init", "register-work-pool"}


def options(command: click.Command) -> list[str]:
    return [
        text
        for one in command.params
        if isinstance(one, click.Option)
        for text in (*one.opts, *one.secondary_opts)
    ]


@pytest.mark.parametrize("name", list(main.commands))
def test_the_page_and_the_help_name_every_option(name: str) -> None:
    done = cli(name, "--help")
    assert done.exit_code == 0
    for option in options(main.commands[name]):
        assert option in done.output
        if option != "--home":
            assert re.search(rf"`{option}[ `]", SECTIONS[name]), f"{option} is not in the section of {name}"


def test_the_page_names_every_command() -> None:
    listed = re.findall(r"^\| \[`([\w-]+)", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(main.commands)
    assert set(main.commands) <= set(SECTIONS)


def test_the_other_examples_are_commands_that_exist() -> None:
    lines = "\n".join(blocks(PAGE, "sh"))
    found = re.findall(r"amt-flows (\w+)([^#|>)\n]*)", lines)
    assert found
    for name, rest in found:
        given = {word for word in rest.split() if word.startswith("-")}
        assert given <= set(options(main.commands[name])), name


def test_the_exit_codes_are_those_of_the_errors() -> None:
    rows = re.findall(r"^\| (\d+) \| .+ \| ?(.*?) ?\|$", SECTIONS["exit"], re.MULTILINE)
    told = {name: int(code) for code, names in rows for name in re.findall(r"`(\w+)`", names)}
    # An error of one room has the code of the family that it belongs to.
    known = {one.__name__: one.exit_code for one in tree() if one.__module__ == errors.__name__}
    assert told == {**known, "PricesError": PricesError.exit_code}
    assert {one.exit_code for one in tree()} | {0} == {int(code) for code, _ in rows}
