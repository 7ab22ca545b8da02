"""What is on the other side of the command line's output changes no outcome, and obeys nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SPEC = """
strategy = "Random"
objective = { metric_name = "acc" }
limits = { max_number_of_training_jobs = 2 }
continuous = [{ name = "rate", min_value = 0.1, max_value = 0.9 }]
categorical = [{ name = "größe→", values = ["é\\u001b[31m\\u202e", "日本\\u0007"] }]
training_job = { command = ["python", "train.py"] }
"""
TRAIN = r"""
import sys
sys.stdout.buffer.write("amt-report acc=0.5;\n\x1b]0;owned\x07\x1b[31mred\rover\u202e\n".encode())
"""
SEVERAL = """
import json, sys
from amt_flows.cli import main
for words in json.loads(sys.argv[1]):
    main(words, standalone_mode=False)
"""
BAD = "import sys; sys.exit('boom \\x1b[2J\\x1b]0;owned\\x07')"


def run(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return python(directory, "-m", "amt_flows", *arguments, **environment)


def run_several(
    directory: Path, *commands: list[str], **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """One after another on one console, by a process that loads all once; it ends with the first error."""
    return python(directory, "-c", SEVERAL, json.dumps(commands), **environment)


def python(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env={**os.environ, "AMT_FLOWS_HOME": str(directory / "home"), **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "t.toml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "train.py").write_text(TRAIN, encoding="utf-8")
    return tmp_path


CONSOLES = [
    {"PYTHONIOENCODING": "ascii"},
    {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "cp1252"},
]


@pytest.mark.parametrize("console", CONSOLES, ids=str)
def test_a_console_that_lacks_characters_shows_their_escapes(shop: Path, console: dict[str, str]) -> None:
    done = run(shop, "run", "t.toml", "--name", "a", **console)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    (job, *_) = json.loads(run(shop, "run", "t.toml", "--name", "a", "--json", **console).stdout)["jobs"]
    assert job["hyperparameters"]["größe→"] in ("é\x1b[31m\u202e", "日本\x07")
    looking = (["status", "a"], ["jobs", "a"], ["logs", job["name"]], ["report", "a", "--markdown"])
    done = run_several(shop, *looking, ["plan", "t.toml"], **console)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert done.stdout.count(job["name"].encode()) >= 2


def test_control_characters_are_shown_and_not_obeyed(shop: Path) -> None:
    (shop / "train.py").write_text(TRAIN + BAD, encoding="utf-8")
    outputs = [run(shop, "run", "t.toml", "--name", "a")]
    name = next((shop / "home/a/jobs").iterdir()).name
    logs = run(shop, "logs", name)
    looking = (
        ["jobs", "a"],
        ["report", "a", "--markdown"],
        ["plan", "t.toml"],
        ["report", "a", "-o", "a.html"],
    )
    looked = run_several(shop, *looking)
    assert looked.returncode == 0, looked.stderr
    outputs += [logs, looked]
    page = (shop / "a.html").read_text(encoding="utf-8")
    texts = [page, *(text.decode() for done in outputs for text in (done.stdout, done.stderr))]
    assert not [
        text for text in texts for unseen in ("\x1b]", "\x1b[", "\x07", "\u202e", "\r") if unseen in text
    ]
    assert "\\x1b[2J" in outputs[0].stdout.decode()
    assert "\\x1b]0;owned\\x07" in logs.stdout.decode()


@pytest.mark.parametrize(
    "shell",
    ["{} 2>&1 | true", "{} >&- 2>&-", "{} <&- | cat", "{} 2>/dev/full >/dev/null", "{} 2>&1 | head -n 1"],
)
def test_output_that_nobody_reads_ends_no_tuning_job(shop: Path, shell: str) -> None:
    command = shell.format(f"{sys.executable} -m amt_flows run t.toml --name a")
    environment = {**os.environ, "AMT_FLOWS_HOME": str(shop / "home")}
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=shop,
        env=environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    described = json.loads(run(shop, "status", "a", "--json").stdout)
    assert described["HyperParameterTuningJobStatus"] == "Completed"
