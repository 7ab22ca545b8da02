"""Whether a record is that of the tuning job that is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from amt_flows.errors import NameTaken
from amt_flows.ledger.ledger import Ledger
from amt_flows.spec import TuningSpec, differences


def must_be_of(ledger: Ledger, spec: TuningSpec) -> None:
    """Raises NameTaken, which lists the fields that differ, when the record is that of another spec. The one
    that was given is ours, and so is what came of it once all that it left to us was chosen."""
    if spec.fingerprint() not in (ledger.fingerprint, ledger.spec.fingerprint()):
        raise another_spec(ledger.name, differences(_without_name(ledger.asked), _without_name(spec)))


def another_spec(name: str, changed: Sequence[str]) -> NameTaken:
    """``changed`` has a line for each field that differs, as far as they are known."""
    lines = "".join(f"\n    {line}" for line in changed)
    return NameTaken(
        f"A tuning job named {name} exists already, with another spec" + (f":{lines}" if lines else "."),
        remedy="choose another name, or give it the same spec to go on with it",
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
