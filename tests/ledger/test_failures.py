"""One line of a failure says why, whoever wrote it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from amt_flows.backends.local_worker.job import in_words, last_lines
from amt_flows.ledger.failures import failure_line

ARGUMENTS = [f"--setting_{i}" for i in range(60)]


def after_exit(output: str, code: int = 2) -> str:
    return f"{in_words(code)}{last_lines(output.encode())}"


def refusal_of_argparse(*given: str) -> str:
    script = "import argparse as a; p = a.ArgumentParser('train.py'); p.add_argument('--lr', required=True); "
    done = subprocess.run(
        [sys.executable, "-c", f"{script}p.parse_args()", *given], capture_output=True, text=True, check=False
    )
    return after_exit(done.stderr, done.returncode)


def test_what_argparse_refuses_is_told_whole() -> None:
    missing = failure_line(refusal_of_argparse())
    assert missing == "train.py: error: the following arguments are required: --lr"
    unknown = failure_line(refusal_of_argparse("--lr", "1", *ARGUMENTS))
    assert unknown == f"train.py: error: unrecognized arguments: {' '.join(ARGUMENTS)}"


HELP = "Usage: train.py [OPTIONS]\nTry 'train.py --help' for help.\n"
BOX = "╭─ Error ─────────────────╮\n│ No such option: --lr    │\n╰─────────────────────────╯"
IN_A_CONTAINER = (
    'AlgorithmError: ExecuteUserScriptError:\nExitCode 2\nErrorMessage "usage: train.py [-h]\n'
    'train.py: error: unrecognized arguments: --lr 0.1"\nCommand "python train.py", exit code: 2'
)
QUOTED = 'AlgorithmError: ExecuteUserScriptError:\nErrorMessage "KeyError: \'x\'"\nCommand "python"'


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (None, ""),
        (after_exit(""), "exit status 2, without any output"),
        (after_exit("loading\nout of disk\n", 3), "exit status 3; the last of its output: out of disk"),
        (after_exit("Traceback\n  x = y\nValueError: no"), "ValueError: no"),
        (after_exit(f"{HELP}\nError: No such option: --lr"), "Error: No such option: --lr"),
        (after_exit(f"{HELP}{BOX}"), "exit status 2; the last of its output: No such option: --lr"),
        (
            after_exit("ERROR: Could not consume arg: --a\nUsage: train.py -\n"),
            "ERROR: Could not consume arg: --a",
        ),
        (IN_A_CONTAINER, "train.py: error: unrecognized arguments: --lr 0.1"),
        (QUOTED, "KeyError: 'x'"),
    ],
)
def test_the_line_that_says_most_is_taken(failure: str | None, line: str) -> None:
    assert failure_line(failure) == line


def test_a_long_line_is_cut_where_it_is_no_refusal() -> None:
    assert failure_line("ValueError: " + "x" * 500) == "ValueError: " + "x" * 147 + "…"
