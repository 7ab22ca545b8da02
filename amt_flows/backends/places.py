"""From the words that a user gives for places to the parts that work there: where a tuning job's record is
kept, and where its training jobs run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote

from amt_flows.backends.home import Home, expanded, home_directory, home_text, is_in_s3
from amt_flows.errors import BackendError, JournalError, TuningJobNotFound
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.names import is_tuning_job_name, nearest
from amt_flows.ports import Backend, Journal

if TYPE_CHECKING:
    from amt_flows.backends.attended.engine import Engine
    from amt_flows.backends.sagemaker.clients import Clients

LOCAL = "local"
SAGEMAKER = "sagemaker"
POLL_SECONDS = "AMT_FLOWS_SAGEMAKER_POLL_SECONDS"
LEASE_SECONDS = "AMT_FLOWS_LEASE_SECONDS"
SHARED = "AMT_FLOWS_SHARED"
RAY = "ray"
WORK_POOL = "work-pool"
AMT = "amt"
"""No backend of ours: SageMaker's own tuner drives the tuning job."""


def open_journal(name: str, home: Home = None) -> Journal:
    """The journal of the tuning job ``name``, which need not exist yet. Raises TuningJobNotFound for what
    can't be a tuning job's name (so that no name leads out of its folder)."""
    if not is_tuning_job_name(name):
        raise TuningJobNotFound(
            f"{name!r} is not the name of a tuning job.",
            remedy="a name has 1 to 32 letters, digits and inner hyphens; `amt-flows status` lists them",
        )
    # Names are compared without regard to case, as AMT does.
    return _journal(name.lower(), home)


def _journal(folder: str, home: Home, client: Any = None) -> Journal:
    """``client``: one for all journals of a home in S3, which takes long to make."""
    if is_in_s3(home):
        from amt_flows.ledger.journals.s3 import S3Journal

        return S3Journal(f"{home_text(home).rstrip('/')}/{folder}/journal", client)
    directory = home_directory(home)
    return DirectoryJournal(directory / folder / "journal", home=directory)


def home_at(location: str, name: str) -> str | None:
    """The home whose journal of the tuning job ``name`` is at the URI ``location``; None for a journal that
    is in no home. The inverse of ``open_journal(name, home).location``."""
    folder = f"/{name.lower()}/journal"
    scheme, rest = location.partition("://")[::2]
    if not rest.endswith(folder) or scheme not in ("file", "s3"):
        return None
    rest = rest.removesuffix(folder)
    return f"s3://{rest}" if scheme == "s3" else unquote(rest) or "/"


def journals(home: Home = None) -> Iterator[tuple[str, Journal]]:
    """The folder's name and the journal of every tuning job of a home. Raises JournalError."""
    client = None
    if is_in_s3(home):
        from amt_flows.ledger.journals.s3 import client_of_environment

        client = client_of_environment()
    for folder in _folders(home, client):
        if is_tuning_job_name(folder):
            journal = _journal(folder, home, client)
            # A directory may also be one of training jobs whose journal is kept elsewhere.
            if not isinstance(journal, DirectoryJournal) or journal.directory.is_dir():
                yield folder, journal


def _folders(home: Home, client: Any) -> list[str]:
    if is_in_s3(home):
        from amt_flows.ledger.journals.s3 import folders

        return folders(home_text(home), client)
    directory = home_directory(home)
    try:
        return sorted(path.name for path in directory.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JournalError(
            f"The directory of tuning jobs, {directory}, can't be read: {error.strerror or error}.",
            remedy="give another one with --home or $AMT_FLOWS_HOME",
        ) from None


def open_backend(kind: str = LOCAL, *, home: Home = None, region: str | None = None) -> Backend:
    """The backend of that name: ``local``, ``sagemaker`` or ``ray:http://head:8265``. ``region`` is AWS's;
    without it, boto3's own chain has one. Raises BackendError for another name."""
    if kind == LOCAL:
        from amt_flows.backends.local import LocalBackend

        return LocalBackend(home_directory(home), lease_seconds=_lease_seconds())
    if kind == SAGEMAKER:
        from amt_flows.backends.sagemaker import SageMakerBackend

        return SageMakerBackend(region=region, poll_seconds=_poll_seconds())
    engine, _, where = kind.partition(":")
    if engine == RAY and where.startswith(("http://", "https://")):
        from amt_flows.backends.ray.engine import RayEngine

        return _attended(RayEngine(where), home)
    if engine == WORK_POOL and where:
        from amt_flows.backends.work_pool.engine import WorkPoolEngine

        return _attended(WorkPoolEngine(where), home)
    close = nearest(engine, _AS_WRITTEN)
    raise BackendError(
        f"There is no backend {kind!r} that could be reached by its name.",
        because=f"the names are {', '.join(_AS_WRITTEN.values())}; others are objects",
        remedy=f"write {_AS_WRITTEN[close]!r}"
        if close
        else "open it in Python, and give it to the function that does the same as the command",
    )


_AS_WRITTEN: Final = {
    LOCAL: LOCAL,
    SAGEMAKER: SAGEMAKER,
    RAY: f"{RAY}:http://head:8265",
    WORK_POOL: f"{WORK_POOL}:NAME",
}


def _attended(engine: Engine, home: Home) -> Backend:
    from amt_flows.backends.attended.backend import LEASE_SECONDS as USUAL
    from amt_flows.backends.attended.backend import AttendedBackend

    return AttendedBackend(engine, shared_directory(home), lease_seconds=_lease_seconds(USUAL))


def _poll_seconds() -> float:
    """20, or what is set: less for a simulated service whose jobs take seconds, more for a busy account."""
    return _seconds_set(POLL_SECONDS, 20, 0.05, 3600)


def _lease_seconds(usual: float = 120) -> float:
    """How long a training job that can't be seen from here may give no sign of life."""
    return _seconds_set(LEASE_SECONDS, usual, 1, 86_400)


def shared_directory(home: Home = None) -> Path:
    """Where training jobs are kept that other machines run: they must have it at the same path."""
    given = os.environ.get(SHARED)
    return expanded(given) if given else home_directory(home)


def _seconds_set(variable: str, usual: float, least: float, most: float) -> float:
    text = os.environ.get(variable, str(usual))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not least <= seconds <= most:
        raise BackendError(
            f"${variable} is {text!r}.",
            remedy=f"set it to a number of seconds from {least:g} to {most:g}, or unset it",
        )
    return seconds


@dataclass(frozen=True)
class SageMakerTuner:
    """SageMaker's own tuner (AMT), which drives a tuning job in our place; we follow it. ``session`` and
    ``region`` are as in boto3."""

    region: str | None = None
    session: Any = None

    @property
    def address(self) -> str:
        return f"{AMT}:{self.clients().region or ''}"

    def clients(self) -> Clients:
        """Raises BackendError without boto3."""
        from amt_flows.backends.sagemaker.clients import Clients

        return Clients(self.session, self.region, None, None)

    @property
    def poll_seconds(self) -> float:
        return _poll_seconds()


Place: TypeAlias = "Backend | SageMakerTuner"
"""Where a tuning job runs: with us as its tuner on a backend, or wholly at SageMaker's."""


def open_place(kind: str = LOCAL, *, home: Home = None, region: str | None = None) -> Place:
    """As :func:`open_backend`, and ``amt`` is SageMaker's own tuner. Raises BackendError."""
    return SageMakerTuner(region) if kind == AMT else open_backend(kind, home=home, region=region)


def place_at(address: str, home: Home = None) -> Place:
    """The place that a record names, e.g. ``sagemaker:eu-west-1``. One without a name is of a time when there
    was this machine only. Raises BackendError."""
    kind, _, region = address.partition(":")
    if kind in (SAGEMAKER, AMT):
        return open_place(kind, home=home, region=region or None)
    return open_place(address or LOCAL, home=home)
