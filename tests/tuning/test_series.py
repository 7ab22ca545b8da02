"""A series of tuning jobs: each learns from the latest that fit, and only from those of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amt_flows.backends.places import open_journal
from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.errors import JournalError, SpecError, TuningJobNotFound
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.spec import TuningSpec, WarmStartType
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from amt_flows.tuning.parents import parents_in
from amt_flows.tuning.series import LONGEST_NAME, check_series, next_in_series, predecessors
from worlds import rising, spec

TRANSFER = WarmStartType.TRANSFER_LEARNING
IDS = [f"{number:012x}" for number in range(1, 9)]


def tuned(name: str, home: Path, at: float, *, to_the_end: bool = True, **changes: Any) -> None:
    """A tuning job of three training jobs that was opened at a time."""
    limits = {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 3}
    clock = VirtualClock(at)
    backend = SimulatedBackend(clock, rising)
    asked = spec(**{"name": name, "limits": limits, **changes})
    tuning = Tuning.open(asked, backend, open_journal(name, home), clock=clock)
    if to_the_end:
        drive(tuning)


def following(asked: TuningSpec, home: Path, name: str = f"digits-{IDS[7]}", most: int = 3) -> list[str]:
    made, _ = next_in_series(asked, name, learn_from=most, kind=TRANSFER, home=home)
    assert made.name == name
    return [] if made.warm_start is None else list(made.warm_start.parents)


def test_the_latest_that_have_ended_are_learnt_from(tmp_path: Path) -> None:
    for at, digits in ((400.0, IDS[0]), (100.0, IDS[1]), (300.0, IDS[2]), (200.0, IDS[3])):
        tuned(f"digits-{digits}", tmp_path, at)
    tuned(f"digits-{IDS[4]}", tmp_path, 500.0, to_the_end=False)
    # Names that are alike and are none of the series.
    tuned(f"digits-big-{IDS[5]}", tmp_path, 600.0)
    tuned("digits-by-hand", tmp_path, 600.0)
    asked = spec(name=None)
    assert following(asked, tmp_path) == [f"digits-{one}" for one in (IDS[0], IDS[2], IDS[3])]
    assert following(asked, tmp_path, most=9) == [f"digits-{one}" for one in (IDS[0], IDS[2], IDS[3], IDS[1])]
    assert following(asked, tmp_path, most=0) == []
    assert following(asked, tmp_path, name=f"Digits-{IDS[7]}") == following(asked, tmp_path)


def test_of_those_that_nobody_learns_from_only_the_opening_is_read(tmp_path: Path) -> None:
    """A series grows by a tuning job a night; the next one is not to read them all again."""
    for at, digits in enumerate(IDS[:3]):
        tuned(f"digits-{digits}", tmp_path, float(at))
    for name in (IDS[0], IDS[1]):
        journal = open_journal(f"digits-{name}", tmp_path)
        assert isinstance(journal, DirectoryJournal)
        entries = sorted(path for path in journal.directory.iterdir() if path.suffix == ".json")
        entries[1].write_text("{damaged")
    assert following(spec(name=None), tmp_path, most=1) == [f"digits-{IDS[2]}"]
    with pytest.raises(JournalError):
        following(spec(name=None), tmp_path, most=2)


def test_the_first_of_a_series_learns_from_nobody(tmp_path: Path) -> None:
    assert following(spec(name=None), tmp_path) == []


def test_parents_of_the_specs_own_come_first_and_five_are_the_most(tmp_path: Path) -> None:
    for at, digits in enumerate(IDS[:6]):
        tuned(f"digits-{digits}", tmp_path, float(at))
    start = {"type": "IdenticalDataAndAlgorithm", "parents": [f"digits-{IDS[0]}", "by-hand"]}
    made, _ = next_in_series(
        spec(name=None, warm_start=start), f"digits-{IDS[7]}", learn_from=5, kind=TRANSFER, home=tmp_path
    )
    assert made.warm_start is not None
    assert made.warm_start.parents == (
        f"digits-{IDS[0]}",
        "by-hand",
        *(f"digits-{IDS[i]}" for i in (5, 4, 3)),
    )
    assert made.warm_start.type is WarmStartType.IDENTICAL_DATA_AND_ALGORITHM, "as the spec says"


def test_one_that_does_not_fit_any_more_is_passed_over(tmp_path: Path) -> None:
    tuned(f"digits-{IDS[0]}", tmp_path, 1.0)
    tuned(f"digits-{IDS[1]}", tmp_path, 2.0, static_hyperparameters={"momentum": "0.9"})
    made, passed_over = next_in_series(
        spec(name=None), f"digits-{IDS[7]}", learn_from=1, kind=TRANSFER, home=tmp_path
    )
    assert made.warm_start is not None
    assert made.warm_start.parents == (f"digits-{IDS[0]}",)
    ((name, why),) = [(one.name, one.why) for one in passed_over]
    assert name == f"digits-{IDS[1]}"
    assert "momentum" in why


def test_sagemakers_own_tuner_learns_from_no_tuning_job_of_ours(tmp_path: Path) -> None:
    """It would refuse a parent that it does not know."""
    tuned(f"digits-{IDS[0]}", tmp_path, 1.0)
    made, passed_over = next_in_series(
        spec(name=None), f"digits-{IDS[7]}", learn_from=3, kind=TRANSFER, home=tmp_path, by_amt=True
    )
    assert made.warm_start is None
    assert [(one.name, "AMT" in one.why) for one in passed_over] == [(f"digits-{IDS[0]}", True)]


def test_a_retry_opens_what_the_first_attempt_opened(tmp_path: Path) -> None:
    """Though another tuning job of the series has ended meanwhile."""
    name = f"digits-{IDS[7]}"
    tuned(f"digits-{IDS[0]}", tmp_path, 1.0)
    made, _ = next_in_series(spec(name=None), name, learn_from=3, kind=TRANSFER, home=tmp_path)
    backend = SimulatedBackend(VirtualClock(5.0), rising)
    opened = Tuning.open(
        made, backend, open_journal(name, tmp_path), clock=backend.clock, parents=parents_in(tmp_path)
    )
    assert [one.parent for one in opened.ledger.inherited] == [f"digits-{IDS[0]}"]
    tuned(f"digits-{IDS[1]}", tmp_path, 9.0)
    again, _ = next_in_series(spec(name=None), name, learn_from=3, kind=TRANSFER, home=tmp_path)
    assert again.fingerprint() == made.fingerprint()


def test_parents_are_found_by_name(tmp_path: Path) -> None:
    tuned("known", tmp_path, 1.0)
    assert len(parents_in(tmp_path)("Known").jobs) == 3
    with pytest.raises(TuningJobNotFound, match="no tuning job nobody to start from"):
        parents_in(tmp_path)("nobody")
    with pytest.raises(TuningJobNotFound):
        parents_in(tmp_path)("../known")


@pytest.mark.parametrize("name", ["", None, "a" * (LONGEST_NAME + 1), "with_underscore", "-x", "a/b"])
def test_a_series_needs_a_name(name: str | None) -> None:
    with pytest.raises(SpecError, match="give the series a name"):
        check_series(name)
    assert check_series("a" * LONGEST_NAME)


def test_predecessors_of_a_home_that_is_not_there(tmp_path: Path) -> None:
    assert list(predecessors(f"digits-{IDS[0]}", tmp_path / "none")) == []
