"""What a training script prints of its metrics, by its source: each line as it would look with made-up
numbers, and whether it is printed over and over."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from amt_flows.metrics.names import names_in
from amt_flows.tuning.starts.arguments import called

A_NUMBER = "0.5"
PRINTS = ("print", "info", "debug", "warning", "log", "echo", "write", "secho")
REPORT = "report"
NOT_METRICS = ("epoch", "step")
_PERCENT = re.compile(r"%(?:\(\w+\))?[-+ #0]*\d*(?:\.\d+)?([diouxXeEfFgGcrsa%])")
_BRACES = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True)
class Printed:
    """``line`` is a sample; empty for a metric that ``report`` tells, which needs no expression."""

    metric: str
    line: str
    in_a_loop: bool
    at: int
    """The line of the source."""


def metrics_of(tree: ast.Module) -> tuple[Printed, ...]:
    """The metrics that the script seems to tell, in the order of its source, each name once."""
    found: dict[str, Printed] = {}
    for call, in_a_loop in _calls(tree, False):
        for metric, line in _told(call):
            found.setdefault(metric, Printed(metric, line, in_a_loop, call.lineno))
    return tuple(sorted(found.values(), key=lambda one: one.at))


def _calls(node: ast.AST, in_a_loop: bool) -> Iterator[tuple[ast.Call, bool]]:
    if isinstance(node, ast.Call):
        yield node, in_a_loop
    inside = in_a_loop or isinstance(node, (ast.For, ast.While, ast.AsyncFor))
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, inside)


def _told(call: ast.Call) -> Iterator[tuple[str, str]]:
    name = called(call)
    if name == REPORT:
        yield from ((one.arg, "") for one in call.keywords if one.arg and one.arg not in NOT_METRICS)
    elif name in PRINTS and call.args:
        line = _sample(call)
        # The first of a line is the first to be read.
        yield from ((metric, line) for metric in reversed(names_in([line])))


def _sample(call: ast.Call) -> str:
    """The line that a call prints, a number for whatever isn't written out."""
    first, *others = call.args
    text = _text(first)
    if others and isinstance(first, ast.Constant) and _PERCENT.search(text):
        return _PERCENT.sub(_number, text)  # as logging fills it in
    return " ".join([text, *map(_text, others)])


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(one) for one in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _PERCENT.sub(_number, _text(node.left))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return f"{{{', '.join(f'{_key(key)}: {_text(value)}' for key, value in pairs if key is not None)}}}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "format":
            return _BRACES.sub(A_NUMBER, _text(node.func.value))
        if node.func.attr == "dumps" and node.args:
            return _text(node.args[0]).replace("'", '"')
    return A_NUMBER


def _key(node: ast.expr) -> str:
    return repr(node.value) if isinstance(node, ast.Constant) else A_NUMBER


def _number(match: re.Match[str]) -> str:
    return "%" if match[1] == "%" else A_NUMBER
