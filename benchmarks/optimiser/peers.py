"""Who is compared: ours, and every other tuner of the benchmark whose package is installed here."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib import metadata

OURS = "amt-flows"
IMPORT = "import:benchmarks.optimiser.engine:"


@dataclass(frozen=True)
class Peer:
    """``engine`` is the benchmark's name for it, ``needs`` the modules without which it can't run, and
    ``version`` the distribution that says which one it was."""

    name: str
    engine: str
    needs: tuple[str, ...] = ()
    version: str = ""


PEERS = (
    Peer(OURS, IMPORT + "bayesian", version="amt-flows"),
    Peer("Random", "random"),
    Peer("Sobol", "sobol"),
    Peer("Optuna TPE", "optuna-tpe", ("optuna",), "optuna"),
    Peer("Optuna GP", "optuna-gp", ("optuna", "torch"), "optuna"),
    Peer("SMAC", "smac-hpo", ("smac", "ConfigSpace"), "smac"),
    Peer("HEBO", "hebo", ("hebo", "torch"), "HEBO"),
    Peer("Syne Tune CQR", "syne-CQR", ("syne_tune",), "syne-tune"),
)


def installed(peer: Peer) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in peer.needs)


def version_of(peer: Peer) -> str:
    """Of its distribution; empty for what the benchmark has itself, or runs from its source."""
    try:
        return metadata.version(peer.version) if peer.version else ""
    except metadata.PackageNotFoundError:
        return ""


def chosen(names: str) -> list[Peer]:
    """The peers of those names (separated by commas), or all that are installed.

    Raises SystemExit for a name that is unknown or not installed.
    """
    if not names:
        return [peer for peer in PEERS if installed(peer)]
    wanted = [name.strip() for name in names.split(",")]
    known = {peer.name.lower(): peer for peer in PEERS}
    unknown = [name for name in wanted if name.lower() not in known]
    if unknown:
        raise SystemExit(f"no peer {', '.join(unknown)}: one of {', '.join(p.name for p in PEERS)}")
    peers = [known[name.lower()] for name in wanted]
    missing = {module for peer in peers for module in peer.needs if importlib.util.find_spec(module) is None}
    if missing:
        raise SystemExit(f"not installed: {', '.join(sorted(missing))}")
    return peers
