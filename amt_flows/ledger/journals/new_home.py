"""The directory of tuning jobs, made when it is needed."""

from __future__ import annotations

from pathlib import Path

OWNER_ONLY = 0o700


def make_home(home: Path) -> None:
    """Make the directory that tuning jobs are kept in, for its owner only: it holds hyperparameters, logs and
    models, and whoever may write there has commands run. One that exists is left as it is, so a team makes
    its own with the mode that it wants. Raises OSError."""
    if not home.is_dir():
        home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(mode=OWNER_ONLY, exist_ok=True)
