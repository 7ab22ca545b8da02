"""The colours and marks of training jobs, the same in every picture."""

from __future__ import annotations

from typing import Final

COLOURS: Final = {
    "completed": "#2a6f97",
    "stopped early": "#e07a2f",
    "running": "#8a8a8a",
    "failed": "#b3261e",
    "stopped": "#9a7bb0",
    "best": "#1b7f4b",
}
"""By the standing of a training job. Told apart also by those who see no red and green, with the markers."""
MARKERS: Final = {
    "completed": "o",
    "stopped early": "x",
    "running": ".",
    "failed": "v",
    "stopped": "s",
    "best": "*",
}
INK: Final = "#333333"
FAINT: Final = "#d9d9d9"
_SHADES: Final = ((230, 159, 60), (196, 108, 120), (90, 107, 176), (24, 96, 140))
"""From the worst to the best: ever darker, so that they are told apart without colours too, and none as light
or as dark as a page."""


def shade(share: float) -> str:
    """The colour of a value from 0, the worst, to 1."""
    at = min(max(share, 0.0), 1.0) * (len(_SHADES) - 1)
    first = min(int(at), len(_SHADES) - 2)
    mixed = (
        round(a + (at - first) * (b - a)) for a, b in zip(_SHADES[first], _SHADES[first + 1], strict=True)
    )
    return "#" + "".join(f"{part:02x}" for part in mixed)
