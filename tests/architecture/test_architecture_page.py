"""The page for whoever changes amt-flows names the rooms and files that there are."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import amt_flows
from architecture.test_imports import FLOORS
from pages import ROOT, block, page

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGE = Path(amt_flows.__file__).parent
PAGE = page("docs/architecture.md")
NOT_ROOMS = {"__init__", "__main__", "py", "__pycache__"}


def rooms() -> set[str]:
    return {path.name.partition(".")[0] for path in PACKAGE.iterdir()} - NOT_ROOMS


def test_the_table_lists_every_room_in_the_order_of_the_floors() -> None:
    table = PAGE.partition("| room |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    listed = re.findall(r"`(\w+)`", " ".join(cells))
    assert sorted(listed) == sorted(rooms())
    floors = [next(level for level, names in enumerate(FLOORS) if name in names) for name in listed]
    assert floors == sorted(floors)


def test_the_picture_draws_rooms_only_and_nearly_all() -> None:
    picture = block(PAGE, "mermaid")
    arrow = re.compile(r"^ *(\w+) (?:-->|-- .+ -->|-\. .+ \.->) (\w+)$")
    drawn = {room for line in picture.splitlines() if (found := arrow.match(line)) for room in found.groups()}
    assert drawn <= rooms()
    assert rooms() - drawn == {"errors", "lazy", "names", "ports", "testing"}


def test_every_file_that_is_named_is_there() -> None:
    named = re.findall(r"`((?:\w+/)*\w+\.(?:py|md)|(?:\w+/)+)`", PAGE)
    assert len(named) > 40
    for name in named:
        assert (PACKAGE / name).exists() or (ROOT / name).exists(), name


def test_the_commands_of_contributing_are_there() -> None:
    text = page("CONTRIBUTING.md")
    options = tomllib.loads(page("pyproject.toml"))["tool"]["pytest"]["ini_options"]
    markers = {one.partition(":")[0] for one in options["markers"]}
    assert set(re.findall(r"pytest -m (\w+)", text)) <= markers
    for name in re.findall(r"`((?:tests|amt_flows|docs|benchmarks)/[\w/.]+?)/?`", text):
        assert (ROOT / name).exists(), name
