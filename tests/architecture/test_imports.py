"""The house: imports point one way, heavy libraries stay behind doors, every name promised is there."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import amt_flows

PACKAGE = Path(amt_flows.__file__).parent

# The rooms from the ground up: a module may import what stands above its own line, and its own room.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "failures", "hiding", "home", "nearest", "dotted", "reporting"),
    ("parameters",),
    ("conditions", "constraints"),
    ("space",),
    ("history", "names", "front"),
    ("metrics",),
    ("spec",),
    ("sagemaker_sdk",),
    ("events",),
    ("inheritance", "algorithms"),
    ("ledger",),
    ("rules", "strategies"),
    ("ports", "support", "auto", "warm_start", "followed"),
    ("controller", "watch"),
    ("observing", "launching", "proposing", "engine"),
    ("loop",),
    ("journals",),
    ("backends",),
    ("places", "interrupts", "results", "handoff"),
    ("deploy",),
    ("explain",),
    ("render", "progress"),
    ("pictures",),
    ("run", "stop", "plan", "recover"),
    ("parents", "series"),
    ("flows", "cli", "testing"),
)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    """The part of a module's name that the floors speak of; ``spec_words`` belongs with ``spec_...``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def floor(module: str) -> int:
    name = room(module)
    best: tuple[int, int] | None = None
    for level, rooms in enumerate(FLOORS):
        for known in rooms:
            if name == known or name.startswith(known + "_"):
                candidate = (len(known), level)
                best = candidate if best is None or candidate[0] > best[0] else best
    if best is None:
        raise AssertionError(f"{module} has no floor: put it into FLOORS where it belongs")
    return best[1]


def imports(path: Path) -> Iterator[tuple[int, str, bool]]:
    """(line, module, whether at the top of the file) of each import that runs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and "TYPE_CHECKING" in ast.dump(branch.test)
        for node in ast.walk(branch)
    }
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} uses a relative import"
            yield node.lineno, node.module or "", id(node) in top


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_imports_point_one_way(path: Path) -> None:
    importer = dotted(path)
    if importer in ("amt_flows", "amt_flows.__main__"):
        return
    for line, module, at_top in imports(path):
        if module.startswith("amt_flows.") and at_top and room(module) != room(importer):
            assert floor(module) <= floor(importer), f"{importer}:{line} imports {module} from above"


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_only_the_room_of_flows_knows_prefect(path: Path) -> None:
    if room(dotted(path)) == "flows":
        return
    for line, module, _ in imports(path):
        assert module.split(".")[0] != "prefect", f"{path.name}:{line} imports Prefect"


HEAVY = ("prefect", "boto3", "botocore", "pandas", "sklearn", "moto", "scipy")


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("amt_flows", (*HEAVY, "numpy", "pydantic")),
        ("amt_flows.reporting", (*HEAVY, "numpy", "pydantic")),
        ("amt_flows.spec", HEAVY),
        ("amt_flows.sagemaker_sdk", (*HEAVY, "sagemaker")),
        ("amt_flows.engine", HEAVY),
        ("amt_flows.run", HEAVY),
        ("amt_flows.handoff", HEAVY),
        ("amt_flows.cli", (*HEAVY, "numpy", "pydantic")),
    ],
)
def test_importing_stays_light(module: str, unwanted: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(' '.join(m for m in {unwanted!r} if m in sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_every_public_name_is_there() -> None:
    for name in amt_flows.__all__:
        assert getattr(amt_flows, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = amt_flows.nonsense
