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
