"""All pictures of a tuning job, each with a title."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from amt_flows.ledger.ledger import Ledger
from amt_flows.show.pictures.curves import curves_picture
from amt_flows.show.pictures.front import front_picture
from amt_flows.show.pictures.importance import dependence_picture, importance_picture
from amt_flows.show.pictures.plot import still
from amt_flows.show.pictures.progress import progress_picture
from amt_flows.show.pictures.slices import slices_picture
from amt_flows.show.pictures.space import parallel_picture
from amt_flows.show.pictures.timeline import timeline_picture

_ALL: Final[tuple[tuple[str, Callable[[Ledger], str | None]], ...]] = (
    ("Best so far", progress_picture),
    ("Pareto front", front_picture),
    ("Learning curves", curves_picture),
    ("Each hyperparameter", slices_picture),
    ("All hyperparameters at once", parallel_picture),
    ("Importance", importance_picture),
    ("Partial dependence", dependence_picture),
    ("Time", timeline_picture),
)
_OF_ONE_ALGORITHM: Final[tuple[Callable[[Ledger], str | None], ...]] = (
    slices_picture,
    parallel_picture,
    importance_picture,
    dependence_picture,
)
"""Where there are several: of the leading one."""
TITLE_HEIGHT: Final = 26.0


@dataclass(frozen=True)
class Picture:
    title: str
    svg: str
    """An ``<svg>`` element. Its words and axes have classes, by which a page may turn them for its dark
    mode."""


def pictures(ledger: Ledger) -> list[Picture]:
    """Those for which there is something to show."""
    name = ledger.leading_algorithm.name
    of_one = dict.fromkeys(_OF_ONE_ALGORITHM, f" of {name}" if name else "")
    drawn = ((title + of_one.get(draw, ""), draw(ledger)) for title, draw in _ALL)
    return [Picture(title, svg) for title, svg in drawn if svg is not None]


def overview(ledger: Ledger) -> str | None:
    """All of them below one another, as the ``data:`` address of one image; None when there is none."""
    return _one_image(pictures(ledger))


def live_overview(ledger: Ledger) -> str | None:
    """The best so far and the learning curves in the same way: what is drawn in milliseconds while a tuning
    job runs."""
    live = (
        ("Best so far", progress_picture(ledger, told=False)),
        ("Learning curves", curves_picture(ledger)),
    )
    return _one_image([Picture(title, svg) for title, svg in live if svg is not None])


def _one_image(shown: Sequence[Picture]) -> str | None:
    if not shown:
        return None
    parts, top, width = [], 0.0, 0.0
    for picture in shown:
        its_width, its_height = _size(picture.svg)
        parts.append(
            f'<text x="8" y="{top + 18:g}" font-family="sans-serif" font-size="15" fill="#222">'
            f'{html.escape(picture.title)}</text><g transform="translate(0 {top + TITLE_HEIGHT:g})">'
            f"{still(picture.svg)}</g>"
        )
        top += its_height + TITLE_HEIGHT + 10
        width = max(width, its_width)
    whole = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width:g} {top:g}" width="{width:g}" height="{top:g}">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>'
    )
    return "data:image/svg+xml;base64," + base64.b64encode(whole.encode()).decode()


def _size(svg: str) -> tuple[float, float]:
    found = re.search(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', svg)
    assert found is not None, "a picture has a viewBox"
    return float(found[1]), float(found[2])
