"""What a training job's failure says, for a line in a table or a reason."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 160
LONGEST_USAGE_ERROR: Final = 2000
"""Of a command line that was refused the message names every argument, and each of them may be the one."""

# A traceback's last line, or any message that starts with the name of an error; not a frame's title alone.
_ERROR: Final = re.compile(r"(?!Error$)[\w.]*(Error|Exception|Interrupt|Exit)\b.*")
# argparse's `train.py: error: ...`, click's `Error: No such option: ...`, fire's `ERROR: Could not ...`
_USAGE_ERROR: Final = re.compile(r"(\S+: error|Error|ERROR): .+")
# What puts an exit status or a container's words before the training script's own.
_OUTPUT_FOLLOWS: Final = re.compile(r"; the last of its output:$")
_QUOTED: Final = re.compile(r'^ErrorMessage "')
# What a parser of arguments says beside its error.
_HINT: Final = re.compile(r"usage:|try '.*' for help|for detailed information|pass --help", re.IGNORECASE)
_FRAME: Final = "│╭╮╰╯─ "


def failure_line(failure: str | None, limit: int = LONGEST) -> str:
    """The one line of a failure's text that says most: the last error that is named, else the first line, and
    with it the last of the output where that is all there is.

    Cut to ``limit`` characters, but for a command line's refusal, which is told whole.
    """
    lines = [line for line in map(_bare, (failure or "").splitlines()) if line]
    if not lines:
        return ""
    named = [line for line in lines if _ERROR.match(line) or _USAGE_ERROR.match(line)]
    line = named[-1] if named else _with_last_output(lines)
    if _USAGE_ERROR.match(line):
        limit = max(limit, LONGEST_USAGE_ERROR)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _bare(line: str) -> str:
    """A line without what was put around it: a frame, or a quotation that SageMaker's containers begin or end
    on it."""
    line = _QUOTED.sub("", line.strip(_FRAME + "\t\r"))
    return line[:-1] if line.endswith('"') and line.count('"') % 2 else line


def _with_last_output(lines: list[str]) -> str:
    first, rest = lines[0], lines[1:]
    if _OUTPUT_FOLLOWS.search(first) is None or not rest:
        return first
    told = [line for line in rest if not _HINT.match(line)] or rest
    return f"{first} {told[-1]}"
