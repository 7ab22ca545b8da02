"""Tuning jobs that somebody saved for others to start: a block, or a file of one configured directory."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from amt_flows.backends.home import Home, expanded
from amt_flows.backends.places import Place, open_place
from amt_flows.errors import JournalError, TuningJobNotFound
from amt_flows.spec import TuningSpec

DIRECTORY: Final = "AMT_FLOWS_SAVED"
"""The variable that names the directory. Nothing outside of it is read, whatever a run asks for."""
BLOCK: Final = "amt-tuning-job/"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_ENDINGS: Final = (".toml", ".json", ".yaml", ".yml")


@dataclass(frozen=True)
class SavedTuningJob:
    """What is tuned, where its training jobs run, and where its record is kept."""

    name: str
    spec: TuningSpec
    place: Place
    home: Home = None


def saved_tuning_job(name: str, home: Home = None) -> SavedTuningJob:
    """The tuning job of a block ``amt-tuning-job/<name>`` or of a file ``<name>.toml`` (or .json, .yaml) in
    ``$AMT_FLOWS_SAVED``; of a name alone the file, if there is one, else the block.

    Raises TuningJobNotFound for a name of neither, SpecError for a file that is no spec.
    """
    plain = name.removeprefix(BLOCK)
    if _NAME.fullmatch(plain) is None:
        raise TuningJobNotFound(
            f"{name!r} is not the name of a saved tuning job.",
            remedy=f"a name has letters, digits, hyphens and underscores; {_known()}",
        )
    file = None if name.startswith(BLOCK) else _file(plain)
    if file is not None:
        return SavedTuningJob(plain, TuningSpec.load(file), open_place(home=home), home)
    return _of_block(plain, home)


def _file(name: str) -> Path | None:
    directory = os.environ.get(DIRECTORY)
    files = [expanded(directory) / f"{name}{ending}" for ending in _ENDINGS] if directory else []
    return next((file for file in files if file.is_file()), None)


def _of_block(name: str, home: Home) -> SavedTuningJob:
    from amt_flows.flows.blocks import TuningJob

    try:
        block: Any = TuningJob.load(name)
    except ValueError:
        raise TuningJobNotFound(
            f"There is no saved tuning job {name!r}.",
            because=f"no file of ${DIRECTORY} and no block {BLOCK}{name} has this name",
            remedy=f"save it: `python blocks/register.py`, or a file in that directory; {_known()}",
        ) from None
    kept_in = home or (None if block.records is None else block.records.home)
    return SavedTuningJob(name, block.tuning, block.training.backend(), kept_in)


def _known() -> str:
    """The names that there are, for a message."""
    directory, names = os.environ.get(DIRECTORY), list[str]()
    if directory:
        folder = expanded(directory)
        try:
            names = sorted({one.stem for one in folder.iterdir() if one.suffix in _ENDINGS})
        except OSError as error:
            raise JournalError(
                f"${DIRECTORY} can't be read: {error}", remedy="set it to a directory of specs, or unset it"
            ) from None
    with contextlib.suppress(Exception):  # it is for a message only
        names += [f"{BLOCK}{one}" for one in _blocks()]
    return f"there are {', '.join(names)}" if names else "there is none yet"


def _blocks() -> list[str]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = client.read_block_documents_by_type("amt-tuning-job")
    return sorted(one.name for one in found if one.name is not None)
