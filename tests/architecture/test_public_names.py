"""What users may import is little, listed in one page, and all that our own pages and examples import."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from pages import ROOT, blocks, page
from programs import loaded_by

PUBLIC = (
    "amt_flows",
    "amt_flows.deploy",
    "amt_flows.errors",
    "amt_flows.flows",
    "amt_flows.ports",
    "amt_flows.reporting",
    "amt_flows.sagemaker_sdk",
    "amt_flows.spec",
    "amt_flows.testing",
)
PAGE = page("docs/api.md")
SHOWN = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs", "examples", "deployments", "blocks")


@pytest.fixture(params=PUBLIC)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return import_module(request.param)


def names(module: ModuleType) -> list[str]:
    return list(module.__all__)


def test_every_public_name_is_there_and_in_order(module: ModuleType) -> None:
    """Also once the modules below have been imported, one of which could take a name's place."""
    for name in names(module):
        assert getattr(module, name) is not None
        is_module = inspect.ismodule(getattr(module, name))
        assert is_module == (name == "metric_definitions"), name
    assert names(module) == sorted(set(module.__all__))
    assert set(names(module)) <= set(dir(module))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = module.nonsense


def test_the_page_lists_every_public_name(module: ModuleType) -> None:
    """Under the module's heading, and no other name."""
    sections = dict(re.findall(r"^## `([\w.]+)`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
    assert sorted(sections) == sorted(PUBLIC)
    rows = re.findall(r"^\| (`.+?) \|", sections[module.__name__], re.MULTILINE)
    listed = re.findall(r"`(\w+)`", " ".join(rows))
    assert sorted(listed) == names(module)


def code() -> Iterator[tuple[str, str]]:
    """(where, code) of every piece of Python that a user is shown."""
    for shown in SHOWN:
        paths = [ROOT / shown] if (ROOT / shown).is_file() else sorted((ROOT / shown).rglob("*.*"))
        for path in paths:
            where = str(path.relative_to(ROOT))
            if path.suffix == ".py":
                yield where, path.read_text(encoding="utf-8")
            elif path.suffix == ".md":
                yield from ((where, one) for one in blocks(path.read_text(encoding="utf-8"), "python|py"))
            elif path.suffix == ".ipynb":
                cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
                yield from ((where, "".join(one["source"])) for one in cells if one["cell_type"] == "code")


def imported(code: str) -> Iterator[tuple[str, str]]:
    """(module, name) of each import from amt_flows; the name is empty when a module is imported."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from ((one.name, "") for one in node.names if one.name.split(".")[0] == "amt_flows")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "amt_flows":
            yield from ((str(node.module), one.name) for one in node.names)


def is_public(module: str, name: str) -> bool:
    return module in PUBLIC and (
        not name or name in import_module(module).__all__ or f"{module}.{name}" in PUBLIC
    )


def test_pages_and_examples_import_public_names_only() -> None:
    found = [(where, *one) for where, text in code() for one in imported(text)]
    assert len(found) > 40
    assert [one for one in found if not is_public(*one[1:])] == []


def test_pages_speak_of_public_names_and_of_modules_that_are_commands() -> None:
    commands = set(re.findall(r"^\| `python -m ([\w.]+)`", PAGE, re.MULTILINE))
    for command in commands:
        file = find_spec(command)
        assert file is not None
        assert file.origin is not None
        own = '__name__ == "__main__"' in Path(file.origin).read_text(encoding="utf-8")
        assert own or find_spec(f"{command}.__main__"), command
    # Given to Prefect and to SageMaker's images, where a name is not enough.
    modules = commands | {"amt_flows.flows.blocks"}
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        if path.name == "architecture.md":
            continue
        for dotted in re.findall(r"\bamt_flows(?:\.\w+)+", path.read_text(encoding="utf-8")):
            if dotted in modules or dotted in PUBLIC:
                continue
            module, _, name = dotted.removesuffix(".__file__").rpartition(".")
            outer, _, member = module.rpartition(".")
            assert (
                is_public(module, name)
                or is_public(outer, member)
                or (module, name)
                == (
                    "amt_flows.reporting",
                    "py",
                )
            ), f"{path.name} speaks of {dotted}"


HEAVY = ("prefect", "boto3", "botocore", "pandas", "sklearn", "moto", "scipy", "numpy", "pydantic", "pytest")


@pytest.mark.parametrize("room", ["", ".errors", ".reporting", ".testing"])
def test_a_public_module_is_imported_in_no_time(room: str) -> None:
    assert loaded_by(f"import amt_flows{room}", HEAVY) == []
