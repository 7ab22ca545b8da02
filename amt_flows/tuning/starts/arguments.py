"""The command-line arguments of a training script, argparse's and click's, and the parameters of a function,
by their source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

ADDS = ("add_argument", "option")
KINDS = {"float": float, "int": int, "str": str, "bool": bool}
CLICK_RANGES = {"IntRange": int, "FloatRange": float}
ON, OFF = "store_true", "store_false"


@dataclass(frozen=True)
class Argument:
    """``name`` is that of the longest option, without its dashes; ``kind`` the type that it is made into,
    None when the source doesn't say. ``default`` is None when there is none, or none that is written out.
    ``least`` and ``most`` are the bounds of click's ranges.
    ``flag`` is what :attr:`~amt_flows.spec.TrainingJobTemplate.flags` says of an option without a value."""

    name: str
    line: int
    kind: type | None = None
    default: object = None
    choices: tuple[object, ...] = ()
    required: bool = False
    takes_one: bool = True
    flag: str = ""
    help: str = ""
    least: float | None = None
    most: float | None = None


def arguments_of(tree: ast.Module) -> tuple[Argument, ...]:
    """The options of a script in the order of its source, each name once; positional ones are left out."""
    constants = dict(_constants(tree))
    found: dict[str, Argument] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) in ADDS:
            one = _argument(node, constants)
            if one is not None:
                found.setdefault(one.name, one)
    return tuple(sorted(found.values(), key=lambda one: one.line))


def parameters_of(tree: ast.Module, path: str) -> tuple[Argument, ...]:
    """The parameters of the function at ``path`` (``train``, ``Trainer.fit``) that have a default."""
    body, found = tree.body, None
    for name in path.split("."):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        found = next((one for one in body if isinstance(one, kinds) and one.name == name), None)
        body = [] if found is None else found.body
    if not isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
        return ()
    constants, given = dict(_constants(tree)), found.args
    positional = [*given.posonlyargs, *given.args]
    with_default = positional[len(positional) - len(given.defaults) :]
    both = [
        *zip(with_default, given.defaults, strict=True),
        *zip(given.kwonlyargs, given.kw_defaults, strict=True),
    ]
    return tuple(Argument(one.arg, one.lineno, default=_literal(node, constants)) for one, node in both)


def positional_in(tree: ast.Module) -> tuple[str, ...]:
    """The arguments of argparse that stand for themselves, without an option."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) == "add_argument" and node.args:
            words = _words(node)
            if words and not words[0].startswith("-"):
                names.append(words[0])
    return tuple(names)


def called(call: ast.Call) -> str:
    """The name of what is called, without what it is a part of."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _words(call: ast.Call) -> list[str]:
    return [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def _constants(tree: ast.Module) -> Iterator[tuple[str, object]]:
    """What the module gives a name to once and for all, as ``RATE = 0.1``."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = _literal(node.value, {})
            if value is not None:
                yield node.targets[0].id, value


def _literal(node: ast.expr | None, constants: dict[str, object]) -> object:
    """A value that is written out, or the constant that is named; else None."""
    if node is None:
        return None
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _argument(call: ast.Call, constants: dict[str, object]) -> Argument | None:
    options = [word for word in _words(call) if word.startswith("-")]
    long = [option for option in options if option.startswith("--") and len(option) > 2]
    if not options:
        return None
    given = {one.arg: one.value for one in call.keywords if one.arg is not None}
    option = max(long or options, key=len)
    on, _, off = option.partition("/")
    name = on.lstrip("-")
    default, help_ = _literal(given.get("default"), constants), _literal(given.get("help"), constants)
    choices = _literal(given.get("choices"), constants) or _click_choices(given.get("type"), constants)
    type_ = given.get("type")
    kind = KINDS.get(type_.id) if isinstance(type_, ast.Name) else None
    least = most = None
    if isinstance(type_, ast.Call) and (of_range := CLICK_RANGES.get(called(type_))) is not None:
        kind, (least, most) = of_range, _bounds(type_, constants)
    action, flag = _action(given.get("action")), ""
    if action == ON or _literal(given.get("is_flag"), constants) is True or off:
        flag, default = f"{name}/{off.lstrip('-')}" if off else name, bool(default)
    elif action == "BooleanOptionalAction":
        flag = f"{name}/no-{name}"
    if kind is None and isinstance(default, (bool, int, float, str)) and "type" not in given:
        # argparse leaves a text as it is; click takes the type of the default.
        kind = type(default) if called(call) == "option" else str
    return Argument(
        name,
        call.lineno,
        bool if flag else kind,
        default,
        tuple(choices) if isinstance(choices, (list, tuple, range)) else (),
        _literal(given.get("required"), constants) is True,
        not set(given) & {"nargs", "multiple"}
        and action in ("", "store", ON, "BooleanOptionalAction")
        and bool(long),
        flag,
        help_ if isinstance(help_, str) else "",
        least,
        most,
    )


def _bounds(call: ast.Call, constants: dict[str, object]) -> tuple[float | None, float | None]:
    """Of click's ``IntRange(1, 8)`` or ``FloatRange(min=0)``."""
    given = dict(zip(("min", "max"), call.args, strict=False))
    given |= {one.arg: one.value for one in call.keywords if one.arg is not None}
    least, most = (_literal(given.get(name), constants) for name in ("min", "max"))
    return (
        least if isinstance(least, (int, float)) else None,
        most if isinstance(most, (int, float)) else None,
    )


def _action(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return "" if node is None else ast.dump(node)


def _click_choices(node: ast.expr | None, constants: dict[str, object]) -> object:
    if isinstance(node, ast.Call) and called(node) == "Choice" and node.args:
        return _literal(node.args[0], constants)
    return None
