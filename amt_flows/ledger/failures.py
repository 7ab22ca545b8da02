"""What a training job's failure says, for a line in a table or a reason."""

from __future__ import annotations

import re

# A traceback's last line, or any message that starts with the name of an error.
_ERROR_LINE = re.compile(r"^\s*[\w.]*(Error|Exception|Interrupt|Exit)\b.*")


def failure_line(failure: str | None, limit: int = 160) -> str:
    """The one line of a failure's text that says most: the error if one is named, else the first line."""
    lines = [line.strip() for line in (failure or "").splitlines() if line.strip()]
    if not lines:
        return ""
    named = [line for line in lines if _ERROR_LINE.match(line)]
    line = named[-1] if named else lines[0]
    return line if len(line) <= limit else line[: limit - 1] + "…"
