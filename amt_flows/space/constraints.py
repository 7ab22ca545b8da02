"""Constraints between hyperparameters, as expressions such as ``layers * units <= 1024``.

An expression is read as a tree of numbers, texts, names, comparisons, arithmetic and a few functions, and
everything else in Python's grammar is refused: it can compute, and nothing more. It is never handed to the
interpreter.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from amt_flows.space.parameters import Value

Values: TypeAlias = Mapping[str, Value]
Evaluate: TypeAlias = Callable[[Values], Any]

MOST_CHARACTERS: Final = 500
MOST_PARTS: Final = 200

QUOTED: Final = re.compile(r"`([^`]+)`")

EXAMPLE: Final = "`layers * units <= 1024`"


@dataclass(frozen=True)
class Constraint:
    """One expression that must hold for every configuration.

    Names are those of hyperparameters, in backticks when they have other characters than letters, digits and
    underscores. A text that reads as a number counts as one. A constraint on a hyperparameter that a
    configuration doesn't have holds.

    Raises ValueError with what is wrong, when it is made.
    """

    text: str

    def __post_init__(self) -> None:
        _read(self.text)

    @property
    def names(self) -> frozenset[str]:
        """The hyperparameters that it speaks of."""
        return _read(self.text)[0]

    @property
    def compared(self) -> tuple[tuple[str, str], ...]:
        """Each hyperparameter with each text that it is compared with, by ``==``, ``!=`` or ``in``."""
        return _compared(self.text)

    def holds(self, configuration: Values) -> bool:
        """Whether ``configuration`` meets it. Where it can't be worked out, as after a division by zero, it
        doesn't. Raises ValueError where a text stands for a number."""
        names, evaluate = _read(self.text)
        if not names <= configuration.keys():
            return True
        try:
            return bool(evaluate(configuration))
        except (ArithmeticError, _Undefined):
            return False
        except TypeError:
            raise ValueError(
                "a text is compared or computed with a number; compare it by == or `in`"
            ) from None


class _Undefined(Exception):
    """A value of a function where it has none, such as the logarithm of 0."""


@lru_cache(maxsize=1024)
def _read(text: str) -> tuple[frozenset[str], Evaluate]:
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"has {len(text)} characters and at most {MOST_CHARACTERS} are read; split it into several"
        )
    tree, names = _parsed(text)
    if sum(1 for _ in ast.walk(tree)) > MOST_PARTS:
        raise ValueError(f"has more than {MOST_PARTS} parts; split it into several")
    if not _is_truth(tree):
        raise ValueError(f"is neither true nor false; write a comparison such as {EXAMPLE}")
    found: set[str] = set()
    evaluate = _compiled(tree, names, found)
    if not found:
        raise ValueError(f"speaks of no hyperparameter; write one such as {EXAMPLE}")
    return frozenset(found), evaluate


def _parsed(text: str) -> tuple[ast.expr, Mapping[str, str]]:
    """The tree, and the names that stand in it for those in backticks."""
    quoted: dict[str, str] = {}

    def placeholder(found: re.Match[str]) -> str:
        return quoted.setdefault(found.group(1), f"_quoted_{len(quoted)}")

    source = QUOTED.sub(placeholder, text.strip())
    try:
        tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"is not an expression; write one such as {EXAMPLE}") from None
    return tree, {written: name for name, written in quoted.items()}


def _compared(text: str) -> tuple[tuple[str, str], ...]:
    tree, names = _parsed(text)
    pairs: list[tuple[str, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for x, y in zip((node.left, *node.comparators), node.comparators, strict=False):
                pairs += [(name, value) for name in _names(x, names) for value in _texts(y)]
                pairs += [(name, value) for name in _names(y, names) for value in _texts(x)]
    return tuple(pairs)


def _names(node: ast.expr, names: Mapping[str, str]) -> list[str]:
    return [names.get(node.id, node.id)] if isinstance(node, ast.Name) else []


def _texts(node: ast.expr) -> list[str]:
    """The texts that don't read as numbers, in a constant or a list of them."""
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    values = [part.value for part in parts if isinstance(part, ast.Constant)]
    return [value for value in values if isinstance(value, str) and isinstance(_plain(value), str)]


def _is_truth(node: ast.expr) -> bool:
    negation = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    return negation or isinstance(node, ast.Compare | ast.BoolOp)


def _power(base: float, exponent: float) -> float:
    # Of floats, which overflow where whole numbers would fill the memory.
    result = float(base) ** float(exponent)
    if isinstance(result, complex):
        raise _Undefined
    return float(result)


def _defined(function: Callable[[float], float]) -> Callable[[float], float]:
    def call(x: float) -> float:
        try:
            return function(x)
        except ValueError:
            raise _Undefined from None

    return call


_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    # Texts have an order too, that of the alphabet, which nobody means.
    ast.Lt: lambda x, y: bool(_number(x) < _number(y)),
    ast.LtE: lambda x, y: bool(_number(x) <= _number(y)),
    ast.Gt: lambda x, y: bool(_number(x) > _number(y)),
    ast.GtE: lambda x, y: bool(_number(x) >= _number(y)),
    ast.In: lambda x, among: x in among,
    ast.NotIn: lambda x, among: x not in among,
}
_ARITHMETIC: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: lambda x, y: _number(x) + _number(y),
    ast.Sub: lambda x, y: _number(x) - _number(y),
    ast.Mult: lambda x, y: _number(x) * _number(y),
    ast.Div: lambda x, y: _number(x) / _number(y),
    ast.FloorDiv: lambda x, y: _number(x) // _number(y),
    ast.Mod: lambda x, y: _number(x) % _number(y),
    ast.Pow: lambda x, y: _power(_number(x), _number(y)),
}
_SIGNS: Final[Mapping[type[ast.unaryop], Callable[[Any], Any]]] = {
    ast.UAdd: lambda x: _number(x),
    ast.USub: lambda x: -_number(x),
    ast.Not: operator.not_,
}
_SEVERAL: Final[Mapping[str, Callable[..., Any]]] = {"min": min, "max": max}
_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    **_SEVERAL,
    "abs": abs,
    "sqrt": _defined(math.sqrt),
    "log": _defined(math.log),
    "log2": _defined(math.log2),
    "log10": _defined(math.log10),
}


def _number(x: Any) -> Any:
    # A text has a sum and a product too, and a remainder that formats.
    if isinstance(x, str):
        raise TypeError
    return x


def _plain(value: Value) -> Value:
    """A text that reads as a number, as that number: categories are texts whatever they stand for."""
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        return number if math.isfinite(number) else value
    return value


def _compiled(node: ast.expr, names: Mapping[str, str], found: set[str]) -> Evaluate:
    """``node`` as a function of a configuration; the hyperparameters in it are added to ``found``."""

    def inner(child: ast.expr) -> Evaluate:
        return _compiled(child, names, found)

    match node:
        case ast.Constant(value=bool() | None):
            pass
        case ast.Constant(value=int() | float() | str() as value):
            constant = _plain(value)
            return lambda _: constant
        case ast.Name(id=written):
            name = names.get(written, written)
            found.add(name)
            return lambda values: _plain(values[name])
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _SIGNS:
            sign, of = _SIGNS[type(op)], inner(operand)
            return lambda values: sign(of(values))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            compute, x, y = _ARITHMETIC[type(op)], inner(left), inner(right)
            return lambda values: compute(x(values), y(values))
        case ast.BoolOp(op=op, values=parts):
            every, pieces = all if isinstance(op, ast.And) else any, [inner(part) for part in parts]
            return lambda values: every(piece(values) for piece in pieces)
        case ast.Compare(left=left, ops=ops, comparators=others) if _are_comparisons(node):
            compare = [_COMPARISONS[type(op)] for op in ops]
            terms = [inner(term) for term in (left, *others)]
            return lambda values: _chain(compare, [term(values) for term in terms])
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            members = [inner(element) for element in elements]
            return lambda values: tuple(member(values) for member in members)
        case ast.Call(func=ast.Name(id=called), args=arguments, keywords=[]) if _is_call(
            called, len(arguments)
        ):
            function, given = _FUNCTIONS[called], [inner(argument) for argument in arguments]
            return lambda values: function(*(_number(one(values)) for one in given))
    what = ast.unparse(node)
    functions = ", ".join(_FUNCTIONS)
    raise ValueError(
        f"`{what}` can't stand in a constraint; write comparisons, `and`, `or`, `not`, arithmetic, lists "
        f"behind `in`, and the functions {functions}"
    )


def _is_call(name: str, arguments: int) -> bool:
    return name in _FUNCTIONS and (arguments > 1 if name in _SEVERAL else arguments == 1)


def _are_comparisons(node: ast.Compare) -> bool:
    """Whether each is one of ours, and a list, and nothing else, stands behind ``in``: a text would be looked
    through for a part of it."""
    for op, right in zip(node.ops, node.comparators, strict=True):
        is_list = isinstance(right, ast.Tuple | ast.List | ast.Set)
        if type(op) not in _COMPARISONS or is_list != isinstance(op, ast.In | ast.NotIn):
            return False
    return True


def _chain(compare: list[Callable[[Any, Any], bool]], terms: list[Any]) -> bool:
    return all(one(x, y) for one, x, y in zip(compare, terms, terms[1:], strict=False))
