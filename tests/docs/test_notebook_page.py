"""The page about notebooks: its cells run, one after another, in a real kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from notebooks import executed, of_cells, outputs
from pages import blocks, page
from readme import write_project

pytestmark = pytest.mark.long

PAGE = page("docs/notebook.md")


def test_its_cells_run_and_show_what_it_says(tmp_path: Path) -> None:
    write_project(tmp_path)
    sources = blocks(PAGE, "python")
    notebook = executed(of_cells(*sources), tmp_path, tmp_path / "home")
    tuned, shown, best, again = map(outputs, notebook.cells)
    assert [one["output_type"] for one in tuned] == ["display_data"]
    (html,) = [one["data"]["text/html"] for one in shown]
    for words in (
        "my-first-tuning",
        "Best training job",
        "What it took",
        "Leaderboard",
        ">model</a>",
        ">log</a>",
    ):
        assert words in html
    assert html.count("<img ") == 2
    assert "learning_rate" in best[0]["text"]
    assert again[0]["data"]["text/html"] == html
