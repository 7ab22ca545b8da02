"""Which of the files that training jobs on this machine are made from were changed since."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from amt_flows.backends.function_job.loading import digest_in
from amt_flows.backends.local.check import find_module
from amt_flows.backends.local.request import local_input, working_directory
from amt_flows.ledger.algorithms import algorithms_of
from amt_flows.ledger.ledger import Ledger
from amt_flows.spec import TrainingJobTemplate, TuningSpec


def changed_since(spec: TuningSpec, at: float) -> list[Path]:
    """The scripts, modules and input files of a spec that were written to after ``at`` (seconds since the
    epoch). What they import or read beside that is not looked at."""
    files = [file for one in algorithms_of(spec) for file in _files(one.spec.training_job)]
    return [file for file in dict.fromkeys(files) if _changed_at(file) > at]


def changed_since_launch(ledger: Ledger) -> list[Path]:
    """Those of a tuning job that were written to since its last training job was launched; none of one whose
    training jobs ran elsewhere."""
    if ledger.backend.partition(":")[0] not in ("", "local"):
        return []
    launches = [job.launched_at for job in ledger.jobs.values()]
    return changed_since(ledger.spec, max(launches, default=ledger.opened_at))


def _files(template: TrainingJobTemplate) -> Iterator[Path]:
    directory = working_directory(template.working_directory)
    for word in template.command:
        # Of a program on the PATH it is the path that would be installed anew, not the script.
        if "/" in word or "." in word:
            yield directory / word
    # A function by value never changes: another one has another hash.
    if template.function is not None and digest_in(template.function) is None:
        module = find_module(template.function.partition(":")[0], directory)
        if module is not None and module.has_location and module.origin is not None:
            yield Path(module.origin)
    for place in template.inputs.values():
        path = local_input(place)
        if path is not None:
            yield path


def _changed_at(file: Path) -> float:
    try:
        return file.stat().st_mtime if file.is_file() else 0.0
    except (OSError, ValueError):
        return 0.0
