"""Pieces of HTML for a notebook's cell.

Styles stand in the elements: a notebook that is not trusted loses style sheets, scripts and vector graphics,
but no image. Colours are those of the page around, or such as can be read on white and on black.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from amt_flows.show.text import visible

GREEN: Final = "#2e9e5b"
AMBER: Final = "#c77700"
RED: Final = "#d9534f"
FAINT: Final = "opacity:.7"
LINE: Final = "rgba(128,128,128,.35)"

LONGEST: Final = 160
_CELL: Final = "text-align:{};vertical-align:top;padding:.15em .7em .15em 0"


def text(value: object, longest: int = LONGEST) -> str:
    """Any value as text on one line, with nothing in it taken for markup; a long one loses its end."""
    line = visible(" ".join(str(value).split()))
    return html.escape(line if len(line) <= longest else line[: longest - 1] + "…")


def styled(inner: str, style: str, tag: str = "span") -> str:
    return f'<{tag} style="{style}">{inner}</{tag}>'


def code(value: object, longest: int = LONGEST) -> str:
    return f"<code>{text(value, longest)}</code>"


def link(word: str, address: str, title: str = "") -> str:
    """``address`` is one of :mod:`amt_flows.show.links`. The page that it leads to learns nothing of this
    one."""
    shown = f' title="{text(title, 300)}"' if title else ""
    return (
        f'<a href="{html.escape(address)}" target="_blank" rel="noopener noreferrer"{shown}>{text(word)}</a>'
    )


def image(svg: str, caption: str) -> str:
    """A vector graphic as an image on a white card: its ink is dark in a dark page as well."""
    data = base64.b64encode(svg.encode()).decode()
    style = "max-width:100%;background:#fff;border-radius:4px;display:block"
    return f'<img alt="{text(caption)}" style="{style}" src="data:image/svg+xml;base64,{data}">'


def heading(words: str) -> str:
    return styled(text(words), "font-weight:600;margin:1em 0 .3em", "div")


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Two columns: what, and what it is, as HTML."""
    name = f"{_CELL.format('left')};{FAINT};white-space:nowrap"
    body = "".join(
        f"<tr>{styled(text(what), name, 'td')}{styled(value, _CELL.format('left'), 'td')}</tr>"
        for what, value in rows
    )
    return f'<table style="margin:0">{body}</table>'


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Collection[int] = (),
    prose: Collection[int] = (),
) -> str:
    """Rows of cells as HTML below the columns' names. The columns at the places ``numbers`` are aligned to
    the right, those at ``prose`` may have lines. What is wider than the page is scrolled."""
    styles = [
        _CELL.format("right" if place in numbers else "left")
        + (";min-width:22em" if place in prose else ";white-space:nowrap")
        for place in range(len(columns))
    ]
    head = "".join(
        styled(text(name), f"{style};border-bottom:1px solid {LINE}", "th")
        for name, style in zip(columns, styles, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(styled(cell, style, "td") for cell, style in zip(row, styles, strict=True)) + "</tr>"
        for row in rows
    )
    whole = f'<table style="margin:0"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return styled(whole, "overflow-x:auto", "div")


def bar(share: float, colour: str) -> str:
    """How far something is, from 0 to 1."""
    full = f"width:{100 * share:.1f}%;height:6px;border-radius:3px;background:{colour}"
    around = f"height:6px;border-radius:3px;background:{LINE};max-width:40em;margin:.4em 0"
    return styled(styled("", full, "div"), around, "div")


def block(parts: Iterable[str]) -> str:
    """The whole of what a cell shows."""
    return styled("".join(parts), "line-height:1.45;font-size:13px;max-width:75em", "div")
