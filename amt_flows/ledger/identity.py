"""Whether a record is that of the tuning job that is asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from amt_flows.errors import NameTaken
from amt_flows.ledger.ledger import Ledger
from amt_flows.spec import TuningSpec, differences
from amt_flows.spec.extension import extension_between


def must_be_of(ledger: Ledger, spec: TuningSpec) -> None:
    """Raises NameTaken, which lists the fields that differ, when the record is that of another spec. The one
    that was given is ours, and so is what came of it once all that it left to us was chosen."""
    if spec.seed is not None and ledger.spec.seed is None and spec.seed == ledger.seed:
        # The one it has anyway.
        spec = spec.model_copy(update={"seed": None})
    if spec.fingerprint() in ledger.fingerprints:
        return
    error = another_spec(ledger.name, differences(_without_name(ledger.asked), _without_name(spec)))
    changes = extension_between(ledger.asked, spec)
    if changes and not ledger.backend.startswith("amt"):
        given = " ".join(_option(path, value) for path, value in changes.items())
        raise NameTaken(
            error.happened,
            remedy=f"`amt-flows extend {ledger.name} {given}` gives it these limits and goes on with it; or "
            "choose another name (by `warm_start` a new tuning job learns from this one)",
        )
    raise error


_OPTIONS: Final = {
    "limits.max_number_of_training_jobs": "--max-jobs",
    "limits.max_parallel_training_jobs": "--max-parallel-jobs",
    "limits.max_runtime_seconds": "--max-runtime-seconds",
    "limits.max_cost": "--max-cost",
}


def _option(path: str, value: object) -> str:
    """Of `amt-flows extend`."""
    if value is not None and path in _OPTIONS:
        return f"{_OPTIONS[path]} {value}"
    return f"--set {path}={json.dumps(value)}"


def another_spec(name: str, changed: Sequence[str]) -> NameTaken:
    """``changed`` has a line for each field that differs, as far as they are known."""
    lines = "".join(f"\n    {line}" for line in changed)
    return NameTaken(
        f"A tuning job named {name} exists already, with another spec" + (f":{lines}" if lines else "."),
        remedy="choose another name (by `warm_start` a new tuning job learns from this one), or give it the "
        "same spec to go on with it",
    )


def must_run_on(ledger: Ledger, address: str) -> None:
    """Raises NameTaken when the training jobs of one that goes on run on another backend: its running jobs
    would count as lost there, and be launched a second time."""
    if not ledger.finished and "" != ledger.backend != address:
        raise NameTaken(
            f"Tuning job {ledger.name} runs its training jobs on {ledger.backend}, not on "
            f"{address or 'this backend'}.",
            remedy=f"go on with it on {ledger.backend}, or choose another name",
        )


def _without_name(spec: TuningSpec) -> dict[str, object]:
    return {name: value for name, value in spec.to_json().items() if name != "name"}
