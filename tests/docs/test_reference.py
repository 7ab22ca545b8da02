"""The reference of every field is that of the spec as it is."""

from __future__ import annotations

import re
from pathlib import Path

from loading import script_at

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_is_up_to_date_and_leaves_nothing_undescribed() -> None:
    made = script_at(DOCS / "make_reference.py").reference()
    assert (DOCS / "reference.md").read_text(encoding="utf-8") == made, "run python docs/make_reference.py"
    rows = [line.split(" | ") for line in made.splitlines() if re.match(r"\| `\w+` \|", line)]
    assert len(rows) > 50
    assert all(row[3].strip() for row in rows), "every field has a description"
