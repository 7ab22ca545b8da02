"""What the worker found in a training job's output (``metrics.jsonl``), and what else is in the log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from amt_flows.backends.function_job.loading import called
from amt_flows.backends.function_job.outcome import NO_NUMBER
from amt_flows.backends.local.paths import JobPaths
from amt_flows.backends.local.process import read_json
from amt_flows.backends.local.request import FUNCTION_RUNNER
from amt_flows.events import number_from_json
from amt_flows.ledger.journals.plain_files import read_plain
from amt_flows.metrics.lines import printed_lines
from amt_flows.metrics.names import names_in
from amt_flows.ports import MetricPoint, Unread

TAIL_BYTES: Final = 256 * 1024


def read_values_file(lines: bytes) -> tuple[tuple[MetricPoint, ...], tuple[Unread, ...]]:
    """The values, and what was found that is none. What a power cut left is passed over."""
    points: list[MetricPoint] = []
    unread: list[Unread] = []
    for line in lines.splitlines():
        try:
            entry = json.loads(line)
            if "value" in entry:
                value = number_from_json(entry["value"])
                told = None if entry.get("told") is None else int(entry["told"])
                points.append(MetricPoint(str(entry["metric"]), int(entry["epoch"]), value, told))
            else:
                unread.append(_unread(entry))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            continue
    return tuple(points), tuple(unread)


def _unread(entry: Mapping[str, Any]) -> Unread:
    if "reported_twice" in entry:
        return Unread(str(entry["metric"]), epoch=int(entry["reported_twice"]))
    return Unread(str(entry["metric"]), str(entry["text"]), str(entry["whole"]))


def told_instead(paths: JobPaths) -> tuple[tuple[str, ...], str | None]:
    """When a metric of the job has no value at all: the names in front of numbers at the end of the log, and
    what is said there of a function that returned no number."""
    try:
        wanted = {str(one["name"]) for one in (read_json(paths.request) or {}).get("metrics", ())}
        found = read_plain(paths.values) if paths.values.exists() else b""
        if wanted <= {point.metric for point in read_values_file(found)[0]}:
            return (), None
        lines = printed_lines(read_plain(paths.log)[-TAIL_BYTES:])
        command = read_plain(paths.directory / "command").decode("utf-8", "surrogateescape").split("\0")
    except OSError:
        return (), None
    said = [line.removeprefix("amt-flows: ") for line in lines if line.startswith(NO_NUMBER)]
    names = names_in(lines)
    if said or names:
        return names, said[-1] if said else None
    return (), _returned_nothing(command)


def _returned_nothing(command: Sequence[str]) -> str | None:
    """Of a function that ended well and told nothing; of a script there is nothing to say."""
    if str(FUNCTION_RUNNER) not in command:
        return None
    name = called(command[command.index(str(FUNCTION_RUNNER)) + 1])
    return f"the function {name} gave no number: it returned None, or ended its process; let it return one"
