"""Programs started as users start them, with nothing of the session of the tests around them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path


def environment(home: Path, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a program: one thread, a home of its own, and nothing of a training job or of the test
    session's Prefect."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SM_", "SAGEMAKER_", "PREFECT_"))}
    return {
        **kept,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "AMT_FLOWS_HOME": str(home),
        **(variables or {}),
    }


def python(
    directory: Path,
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    exit_code: int = 0,
    patience: float = 240,
) -> subprocess.CompletedProcess[str]:
    """What comes of Python when it is started with these arguments in a directory, where its home is as well.
    ``patience`` is in seconds."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=environment(directory / "home", variables),
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
    )
    assert done.returncode == exit_code, done.stdout + done.stderr
    return done


def loaded_by(code: str, watched: Iterable[str]) -> list[str]:
    """Which of these modules a fresh interpreter has loaded after it ran the code."""
    seen = f"import sys; print(' '.join(m for m in {tuple(watched)!r} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{seen}"], capture_output=True, text=True, check=True
    )
    return done.stdout.split()
