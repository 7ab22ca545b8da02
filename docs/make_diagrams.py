"""Makes docs/images/*.svg anew, the pictures of the drawings (mermaid) in the pages, for readers of the site.

    npm pack mermaid && tar xf mermaid-*.tgz
    pip install playwright && python docs/make_diagrams.py package/dist/mermaid.min.js

Where a drawing and its picture differ the site is not built.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent
FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def picture_of(page: str) -> Path:
    return DOCS / "images" / f"{Path(page).stem}.svg"


def is_of(picture: Path, drawing: str) -> bool:
    """Whether a picture was made of this drawing."""
    return picture.read_text(encoding="utf-8").rstrip().endswith(_mark(drawing))


def _mark(drawing: str) -> str:
    return f"<!-- of {hashlib.sha256(drawing.encode()).hexdigest()} -->"


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mermaid", type=Path, help="mermaid.min.js")
    parser.add_argument("--chromium", help="a Chromium that is there already")
    arguments = parser.parse_args()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as directory:
        page = playwright.chromium.launch(executable_path=arguments.chromium).new_page()
        empty = Path(directory, "empty.html")
        empty.write_text("<!doctype html><meta charset=utf-8><body></body>", encoding="utf-8")
        page.goto(empty.as_uri())
        page.add_script_tag(path=str(arguments.mermaid))
        # Grey upon nothing, labels as text and not as HTML: readable on a light and on a dark page.
        page.evaluate(
            "mermaid.initialize({startOnLoad: false, theme: 'neutral', htmlLabels: false,"
            " flowchart: {htmlLabels: false}, fontFamily: 'sans-serif'})"
        )
        for path in sorted(DOCS.rglob("*.md")):
            for drawing in FENCE.findall(path.read_text(encoding="utf-8")):
                svg = page.evaluate(f"mermaid.render('drawing', {json.dumps(drawing)}).then(it => it.svg)")
                target = picture_of(path.name)
                target.write_text(f"{svg}\n{_mark(drawing)}\n", encoding="utf-8")
                print(target.relative_to(DOCS.parent))


if __name__ == "__main__":
    main()
