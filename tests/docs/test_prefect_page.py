"""What the page about Prefect says is so: its files, commands, deployments, events and artifacts."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from amt_flows.spec import TuningSpec
from pages import ROOT, blocks, page

PAGE = page("docs/prefect.md")
TUNING = """
name = "digits"
[objective]
metric_name = "accuracy"
[[continuous]]
name = "rate"
min_value = 0.1
max_value = 0.9
[limits]
max_number_of_training_jobs = 2
[training_job]
command = "train"
"""


def test_the_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tuning.toml").write_text(TUNING)
    monkeypatch.chdir(tmp_path)
    pipeline, nightly, promoting = blocks(PAGE, "python")
    piped: dict[str, Any] = {"__name__": "pipeline"}
    exec(pipeline, piped)  # the tests of the flows run it
    assert piped["pipeline"].name == "pipeline"
    names: dict[str, Any] = {"__name__": "page"}
    exec(nightly, names)
    deployment = names["nightly"]
    assert TuningSpec.parse(deployment.parameters["spec"]) == names["spec"]
    # As the server will, before a run.
    names["retune"].validate_parameters(deployment.parameters)
    exec(promoting, names)
    assert names["automation"].name == "amt-flows: promote digits"
    assert set(names["automation"].actions[0].parameters) == {"tuning_job", "target"}


def test_the_commands_are_there() -> None:
    """Each with options that it has; what they do is tried with the deployments, automations and blocks."""
    commands = [
        shlex.split(line, comments=True) for code in blocks(PAGE, "sh") for line in code.splitlines() if line
    ]
    scripts = [words[1] for words in commands if words[0] == "python"]
    assert scripts == ["deployments/serve.py", "deployments/automations.py", "blocks/register.py"]
    for name in scripts[1:]:
        done = subprocess.run(
            [sys.executable, str(ROOT / name), "--help"], capture_output=True, text=True, check=True
        )
        assert "--check" in done.stdout
    files = [word for words in commands for word in words if "/" in word]
    assert all((ROOT / name).is_file() for name in files)


def test_the_deployments_of_the_table_are_those_of_the_file() -> None:
    tables = yaml.safe_load((ROOT / "deployments/prefect.yaml").read_text())["deployments"]
    rows = re.findall(r"^\| `([a-z-]+)/([a-z-]+)` \|.*\| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert [name for _, name, _ in rows] == [table["name"] for table in tables]
    said = {"ENQUEUE": "1, the next waits", "CANCEL_NEW": "1, the next is cancelled", None: "any"}
    for (_, name, at_once), table in zip(rows, tables, strict=True):
        strategy = table.get("concurrency_limit", {}).get("collision_strategy")
        assert at_once == said[strategy], name


def test_the_events_are_those_that_are_told() -> None:
    source = (ROOT / "amt_flows/flows/tuning/announcements.py").read_text()
    told = set(re.findall(r'"(amt\.(?:tuning|training-job)\.[a-z-]+)"', source))
    rows = re.findall(r"^\| (`amt\.(?:tuning|training-job).*?) \| (.*) \|$", PAGE, re.MULTILINE)
    assert set(re.findall(r"`(amt\.[a-z.-]+)`", " ".join(names for names, _ in rows))) == told
    for _, fields in rows:
        for field in re.findall(r"`(\w+)`", fields):
            assert f'"{field}"' in source, field


def test_the_artifacts_are_those_that_are_published() -> None:
    source = "".join(
        (ROOT / "amt_flows/flows" / name).read_text()
        for name in ("tuning/artifacts.py", "promotion/promotion_page.py")
    )
    for kind in re.findall(r"^\| `amt-(\w+)-<name>`", PAGE, re.MULTILINE):
        assert f'Page("{kind}"' in source or f'artifact_key("{kind}"' in source, kind
