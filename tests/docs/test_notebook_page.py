"""The page about notebooks: its cells run, one after another, in a real kernel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from notebooks import executed, of_cells, outputs
from readme import write_project

pytestmark = pytest.mark.long

PAGE = (Path(__file__).parents[2] / "docs" / "notebook.md").read_text(encoding="utf-8")


def test_its_cells_run_and_show_what_it_says(tmp_path: Path) -> None:
    write_project(tmp_path)
    sources = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    notebook = executed(of_cells(*sources), tmp_path, tmp_path / "home")
    tuned, shown, best, again = map(outputs, notebook.cells)
    assert [one["output_type"] for one in tuned] == ["display_data"]
    (page,) = [one["data"]["text/html"] for one in shown]
    for words in (
        "my-first-tuning",
        "Best training job",
        "What it took",
        "Leaderboard",
        ">model</a>",
        ">log</a>",
    ):
        assert words in page
    assert page.count("<img ") == 2
    assert "learning_rate" in best[0]["text"]
    assert again[0]["data"]["text/html"] == page
