"""``python -m amt_flows.testing.chaos``: the table, the way back to a failure, the exit code."""

from __future__ import annotations

from collections import Counter

import pytest
from click.testing import CliRunner

from amt_flows.testing.chaos import suite
from amt_flows.testing.chaos.__main__ import main
from amt_flows.testing.chaos.simulation import Told, run_schedule
from amt_flows.testing.chaos.world import Violation


def row(table: str, name: str) -> str:
    (line,) = (line for line in table.splitlines() if line.startswith(f"| {name} "))
    return line.split("|")[2].strip()


def test_the_table_counts_what_was_done_and_what_came_of_it() -> None:
    ran = CliRunner().invoke(main, ["--only", "simulated", "--seeds", "6", "--first", "32"])
    assert ran.exit_code == 0, ran.output
    told = [run_schedule(seed) for seed in range(32, 38)]
    assert row(ran.stdout, "tuning jobs") == "6"
    assert row(ran.stdout, "**training jobs launched**") == f"**{sum(one.launched for one in told)}**"
    kills = sum(one.faults["controller killed"] for one in told)
    assert row(ran.stdout, "controller killed") == str(kills)
    assert kills > 0
    assert row(ran.stdout, "**lost**") == row(ran.stdout, "**orphaned**") == "**0**"


def test_what_is_broken_is_counted_and_can_be_played_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(seed: int, tell: object) -> Told:
        violations = [Violation("orphaned", f"job {seed} lives")] if seed == 8 else []
        return Told(seed, Counter({"controller killed": 2}), 3, 1, tuple(violations))

    monkeypatch.setattr(suite, "run_schedule", broken)
    ran = CliRunner().invoke(main, ["--only", "simulated", "--seeds", "4", "--first", "6"])
    assert ran.exit_code == 1
    assert row(ran.stdout, "**orphaned**") == "**1**"
    assert row(ran.stdout, "**training jobs launched**") == "**12**"
    assert "python -m amt_flows.testing.chaos --only simulated --seed 8" in ran.stdout
    again = CliRunner().invoke(main, ["--only", "simulated", "--seed", "8"])
    assert again.exit_code == 1


def test_a_failure_that_is_played_again_is_told_line_by_line() -> None:
    ran = CliRunner().invoke(main, ["--only", "simulated", "--seed", "25"])
    assert ran.exit_code == 0
    assert "controller 1: wrote entry 0 (opened)" in ran.stdout
    assert "nothing was broken" in ran.stdout


def test_so_many_minutes_are_spent_on_new_seeds() -> None:
    ran = CliRunner().invoke(main, ["--only", "simulated", "--minutes", "0.01"])
    assert ran.exit_code == 0, ran.output
    assert int(row(ran.stdout, "tuning jobs")) > 0


def test_a_seed_without_its_kind_is_refused() -> None:
    ran = CliRunner().invoke(main, ["--seed", "3"])
    assert ran.exit_code == 2
    assert "--only" in ran.output
