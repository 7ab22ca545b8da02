"""The house: imports point one way, heavy libraries stay behind doors, every name promised is there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import amt_flows
from programs import loaded_by

PACKAGE = Path(amt_flows.__file__).parent

# The floors from the ground up, a line each: a room may import what stands above its line, and itself.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "lazy", "names", "reporting"),
    ("space", "metrics"),
    ("spec",),
    ("events",),
    ("ports", "sagemaker_sdk"),
    ("ledger",),
    ("strategies",),
    ("rules", "backends"),
    ("amt", "results", "tracking"),
    ("tuning", "functions"),
    ("deploy", "show"),
    ("run", "plan"),
    ("flows", "testing", "foreground"),
    ("cli",),
)
ABOVE = {
    # A result in a notebook shows itself: the one arrow that runs up.
    ("amt_flows.results.result", "amt_flows.show.notebook_result"),
}


@cache
def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


KNOWN = {dotted(path) for path in modules()}


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def floor(module: str) -> int:
    for level, rooms in enumerate(FLOORS):
        if room(module) in rooms:
            return level
    raise AssertionError(f"{module} has no floor: put its room into FLOORS where it belongs")


@cache
def imports(path: Path) -> tuple[tuple[int, str], ...]:
    """(line, module) of each import, wherever it stands: in a function and for the type checker too."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} uses a relative import"
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield node.lineno, inner if inner in KNOWN else node.module or ""
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant):
                    yield node.lineno, str(argument.value)


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def test_imports_point_one_way() -> None:
    ground = ("amt_flows", "amt_flows.__main__")
    upward = [
        f"{importer}:{line} imports {module} from above"
        for path in modules()
        if (importer := dotted(path)) not in ground
        for line, module in imports(path)
        if module.startswith("amt_flows.")
        and room(module) != room(importer)
        and floor(module) >= floor(importer)
        and (importer, module) not in ABOVE
    ]
    assert not upward


def test_no_files_import_each_other_in_a_circle() -> None:
    """Nor through functions: what is imported late is needed all the same."""
    needed = {dotted(path): {module for _, module in imports(path) if module in KNOWN} for path in modules()}
    for importer, module in ABOVE:
        needed[importer].discard(module)
    while free := [module for module, its in needed.items() if not its & needed.keys()]:
        for module in free:
            del needed[module]
    assert not needed, f"in a circle, or needing one: {sorted(needed)}"


def test_the_exceptions_are_still_needed() -> None:
    found = {(dotted(path), module) for path in modules() for _, module in imports(path)}
    assert found >= ABOVE


def test_the_house_has_few_rooms_and_each_says_what_it_is() -> None:
    entries = [path for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 30
    for room_file in PACKAGE.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(room_file.read_text(encoding="utf-8"))), room_file


def test_only_the_room_of_flows_knows_prefect() -> None:
    knowing = [
        f"{dotted(path)}:{line} imports Prefect"
        for path in modules()
        if room(dotted(path)) != "flows"
        for line, module in imports(path)
        if module.split(".")[0] == "prefect"
    ]
    assert not knowing


HEAVY = ("prefect", "boto3", "botocore", "pandas", "sklearn", "moto", "scipy")


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("amt_flows", (*HEAVY, "numpy", "pydantic")),
        ("amt_flows.reporting", (*HEAVY, "numpy", "pydantic")),
        ("amt_flows.spec", HEAVY),
        ("amt_flows.sagemaker_sdk", (*HEAVY, "sagemaker")),
        ("amt_flows.tuning.engine", HEAVY),
        ("amt_flows.run", (*HEAVY, "mlflow")),
        ("amt_flows.amt", HEAVY),
        ("amt_flows.cli", (*HEAVY, "numpy", "pydantic")),
    ],
)
def test_importing_stays_light(module: str, unwanted: tuple[str, ...]) -> None:
    assert loaded_by(f"import {module}", unwanted) == []


def test_scipy_is_loaded_only_by_a_strategy_that_needs_it() -> None:
    chosen = "from amt_flows.strategies.choose import strategy_for; "
    assert loaded_by(chosen + "strategy_for('Grid'), strategy_for('Random')", ("scipy",)) == []
    assert loaded_by(chosen + "strategy_for('Bayesian')", ("scipy",)) == ["scipy"]
