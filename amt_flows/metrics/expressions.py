"""What can be said of a metric's regular expression before anything runs."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from amt_flows.metrics.numbers import NUMBER, whole_around

LONGEST_REGEX: Final = 500

_KINDS: Final = {
    "a sign (-0.25)": "-0.25",
    "an exponent (1.5e-05)": "1.5e-05",
    "nan": "nan",
}
_WITH_DECIMALS: Final = ("0.95", "0.951234", "12.5")
_NUMBERS: Final = (*_KINDS.values(), *_WITH_DECIMALS, "5", "10", "100", "1000")
_NAME: Final = re.compile(r"[\w.@/-]*\w")


def recommended(name: str) -> str:
    """A regex that finds the number behind a name in the lines that people print: ``loss=0.3``,
    ``loss: 0.3``, ``loss 0.3``, ``{'loss': 0.3}``, ``"loss": 0.3``, ``'loss': tensor(0.3)``."""
    return rf"""{re.escape(name)}["']?\s*[:=]?\s*(?:\w+(?:\.\w+)*\()?["']?({NUMBER})"""


def _better(before: str, after: str) -> str:
    """What to write in place of a regex with these around its group."""
    name = _NAME.search(before)
    if name and not before.replace(name[0], "", 1).strip(""" :='"\\s*+.^{"""):
        return recommended(name[0])
    return f"{before}({NUMBER}){after}"


def lint(regex: str) -> list[str]:
    """Why a metric's regex can't work; empty when nothing is wrong with it."""
    if len(regex) > LONGEST_REGEX:
        return [f"is {len(regex)} characters long; SageMaker takes at most {LONGEST_REGEX}"]
    try:
        pattern = re.compile(regex)
    except (re.error, OverflowError, RecursionError) as error:
        return [f"is not a regular expression: {error}"]
    if pattern.groups == 0:
        name = _NAME.search(regex)
        example = recommended(name[0] if name else "accuracy")
        return [f"has no group: put the part that is the value in parentheses, e.g. {example}"]
    before, inside, after = _around_group_1(regex)
    if _is_lazy(inside) and _may_stop_here(after):
        better = _better(before, after if after.startswith(")") else "")
        return [f"its ({inside}) takes as little as it can, never a whole number: write {better}"]
    return []


def warnings(regex: str) -> list[str]:
    """What a working regex would miss; empty for one that has problems (see :func:`lint`) or no gap."""
    if lint(regex):
        return []
    before, group, after = _around_group_1(regex)
    try:
        inside, alone = re.compile(group), re.compile(f"({group}){after.lstrip(')')}")
    except re.error:  # it refers to other groups: it can't be tried by itself
        return []
    if group and re.compile(regex).groups > 1 and not any(inside.fullmatch(text) for text in _NUMBERS):
        return [
            f"its group 1, ({group}), takes no number, and no other is read; write {before}(?:{group}){after}"
        ]
    missed = [kind for kind, text in _KINDS.items() if not inside.fullmatch(text)]
    parts = [(part, text) for text in _WITH_DECIMALS if (part := _part_taken(alone, text))]
    found = [f"does not accept {' or '.join(missed)}"] if missed else []
    if parts:
        part, text = parts[0]
        found.append(f"takes only {part} of {text}, which is not counted")
    if found:
        found = [f"its group 1 {' and '.join(found)}; write {_better(before, after)}"]
    if re.search(r"(?<!\\)\.[*+]$", before):
        found.append(f"the {before[-2:]} in front of group 1 takes all of the number but its last digit")
    if re.match(r"\^[\w\"'{]", regex):
        found.append("its ^ finds nothing behind what a logger puts in front (INFO: ...); leave it out")
    return found


def _part_taken(alone: re.Pattern[str], text: str) -> str:
    """What group 1 takes of a number that it doesn't take whole; empty when it takes all, or nothing."""
    match = alone.match(text)
    return match[1] if match and whole_around(text, match.start(1), match.end(1)) else ""


def _around_group_1(regex: str) -> tuple[str, str, str]:
    """The text before, inside and after the first capturing group of a regex that has one."""
    start, depth, i = -1, 0, 0
    while i < len(regex):
        c = regex[i]
        if c == "\\":
            i += 1
        elif c == "[":
            i = _end_of_set(regex, i)
        elif c == "(":
            named = re.match(r"\(\?P<\w+>", regex[i:])
            if start < 0 and (named or regex[i + 1] != "?"):
                start = i + (named.end() if named else 1)
                depth = 0
            elif start >= 0:
                depth += 1
        elif c == ")" and start >= 0:
            if depth == 0:
                return regex[: regex.rindex("(", 0, start)], regex[start:i], regex[i + 1 :]
            depth -= 1
        i += 1
    return regex, "", ""


def _end_of_set(regex: str, i: int) -> int:
    """The index of the ``]`` that closes the character set which opens at ``i``."""
    i += 2 if regex[i + 1 : i + 2] == "^" else 1
    i += 1  # a ] that comes first is an ordinary character
    while i < len(regex) and regex[i] != "]":
        i += 2 if regex[i] == "\\" else 1
    return i


def _is_lazy(inside: str) -> bool:
    return re.search(r"(?:[*+?]|\{[0-9,]+\})\?$", inside) is not None


def _may_stop_here(after: str) -> bool:
    """Whether what follows the group is content with nothing, in the middle of a number."""
    try:
        return re.compile(after.lstrip(")")).match("10", 1) is not None
    except re.error:
        return False


@lru_cache(maxsize=256)
def required_text(regex: str) -> str:
    """The longest text that certainly stands in every line which ``regex`` matches; empty if none is certain.

    A line without it needs no search, which is what keeps reading a chatty job's output cheap.
    """
    # Flags change what a letter means, and these escapes take the characters behind them.
    if re.search(r"\(\?[aiLmsux-]|\\[xuUN0-9]", regex):
        return ""
    runs, run, depth, i = [], "", 0, 0
    while i < len(regex):
        c, literal = regex[i], ""
        repeat = re.match(r"\{[0-9]*,?[0-9]*\}", regex[i:])
        if repeat:
            i += repeat.end() - 1
        elif c == "\\":
            i += 1
            literal = "" if regex[i].isalnum() else regex[i]
        elif c == "[":
            i = _end_of_set(regex, i)
        elif c in "()":
            depth += 1 if c == "(" else -1
        elif c == "|" and depth == 0:
            return ""
        elif c not in ".^$*+?{}|":
            literal = c
        follows = regex[i + 1 : i + 2]
        certain = literal != "" and depth == 0 and (not follows or follows not in "*?{")
        run = run + literal if certain else ""
        runs.append(run)
        if follows == "+":
            run = ""
        i += 1
    return max(runs, key=len, default="")
