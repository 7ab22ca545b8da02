"""For pictures that matplotlib draws: from a figure to SVG text. A plan's do; a tuning job's need none.

Figures are made without pyplot, which keeps a global state and looks for a screen.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from amt_flows.errors import AmtFlowsError
from amt_flows.show.pictures.colours import COLOURS, FAINT, INK, MARKERS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "FAINT", "INK", "MARKERS", "PicturesNotInstalled", "svg"]

WIDTH_INCHES: Final = 9.0
MOST_MARKS: Final = 300
"""So many marks of one kind stay vectors. Those of a thousand training jobs would take a megabyte."""
RASTER_DPI: Final = 144


class PicturesNotInstalled(AmtFlowsError):
    def __init__(self) -> None:
        super().__init__(
            "The picture of a plan needs matplotlib, which is not installed.",
            because="amt-flows was installed without the extra `plots`, which brings it",
            remedy="pip install matplotlib, or amt-flows with it: 'amt-flows[plots]', in a checkout "
            "'.[plots]'; `amt-flows plan` without a picture needs none",
        )


def svg(figure: Figure) -> str:
    """The figure as an SVG element: text stays text, nothing in it depends on when or where it was drawn."""
    from matplotlib import rc_context

    drawn = io.StringIO()
    many = [
        marks
        for axes in figure.axes
        for marks in axes.collections
        if len(marks.get_offsets()) > MOST_MARKS  # type: ignore[arg-type]
    ]
    for marks in many:
        # The marks alone: lines, axes and words stay sharp at any size.
        marks.set_rasterized(True)
    dpi: Any = RASTER_DPI if many else "figure"
    # A fixed salt makes the ids inside the same each time; a font of the reader's saves its outlines.
    with rc_context({"svg.hashsalt": "amt-flows", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(drawn, format="svg", dpi=dpi, metadata={"Date": None, "Creator": None})
    text = drawn.getvalue()
    return text[text.index("<svg") :]
