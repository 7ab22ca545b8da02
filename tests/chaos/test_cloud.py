"""The schedules on the simulated SageMaker, with the record in S3."""

from __future__ import annotations

from collections import Counter

import pytest

from amt_flows.errors import Fenced
from amt_flows.ledger.journals.s3 import S3Journal
from amt_flows.testing.chaos.cloud import run_cloud_schedule
from amt_flows.testing.chaos.faults import Fault

EXPECTED = (
    Fault.KILLED,
    Fault.RIVAL,
    Fault.THROTTLED,
    Fault.NO_CAPACITY,
    Fault.EXPIRED,
    Fault.CONFLICT,
    Fault.ANSWER_LOST,
    Fault.SPOT,
)

SEEDS = (3, 5, 9, 10, 12, 22)
"""Short ones; each fault strikes in two of them at least."""


@pytest.mark.slow
def test_no_trouble_of_the_cloud_breaks_a_promise() -> None:
    faults: Counter[str] = Counter()
    for seed in SEEDS:
        told = run_cloud_schedule(seed)
        assert not told.violations, f"python -m amt_flows.testing.chaos --only sagemaker --seed {seed}"
        faults += told.faults
    assert {fault.value for fault in EXPECTED} <= set(faults)


def test_a_writer_that_takes_its_own_entry_for_a_rivals_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hasty(self: S3Journal, index: int, text: str, error: Exception, pauses: object) -> bool:
        raise Fenced(f"Entry {index} is another's.")

    monkeypatch.setattr(S3Journal, "_is_written", hasty)
    assert {violation.promise for violation in run_cloud_schedule(10).violations} == {"unended"}


@pytest.mark.parametrize("seed", [3, 10])  # with controllers that follow one another, and that overlap
def test_a_seed_tells_the_same_story_again(seed: int) -> None:
    def story() -> list[str]:
        lines: list[str] = []
        run_cloud_schedule(seed, lines.append)
        return lines

    assert story() == story()
