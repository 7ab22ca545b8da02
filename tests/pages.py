"""The pages of the documentation, and the code that stands in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def page(path: str) -> str:
    """The text of a page, by its path from the project's root."""
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a page, as they stand. Languages are separated by ``|``."""
    return re.findall(rf"^```(?:{language})\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def block(text: str, language: str, containing: str = "") -> str:
    """The one code block of a page that holds a text."""
    (found,) = [code for code in blocks(text, language) if containing in code]
    return found
