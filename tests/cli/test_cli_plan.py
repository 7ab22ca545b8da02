"""``plan`` and prices on the command line: what is shown, what is written, and that a record keeps the price
that its tuning job was opened with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import commands
from amt_flows.results.records import read_record
from commands import TRAIN, cli, ok


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AMT_FLOWS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def write_spec(**changes: Any) -> str:
    """A spec of two training jobs, in the working directory."""
    values = {
        "limits": {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 2},
        "training_job": {"command": ["sh", "-c", TRAIN, "train"], "max_runtime_seconds": 60},
    }
    return str(commands.write_spec(Path(), **{**values, **changes}))


def write_prices(text: str = "local = 2.0\ncurrency = 'EUR'\n") -> str:
    Path("prices.toml").write_text(text)
    return "prices.toml"


def price_of_record() -> float | None:
    return read_record("demo").ledger.spec.training_job.price_per_hour


COST = {"limits": {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 2, "max_cost": 1.0}}


# -- prices ---------------------------------------------------------------------------------------


def test_a_plan_takes_the_price_from_the_table_and_says_so(home: Path) -> None:
    spec, prices = write_spec(), write_prices()
    assert "2.00 EUR (prices.toml: local)" in ok("plan", spec, "--prices", prices)
    data = json.loads(ok("plan", spec, "--prices", prices, "--json"))
    assert data["price"] == {
        "per_hour": 2.0,
        "source": "prices.toml: local",
        "currency": "EUR",
        "spot_discount": 0.0,
    }
    assert data["worst_case_cost"] == pytest.approx(2 * 180 * 2.0 / 3600)
    given = ok("plan", spec, "--prices", prices, "--set", "training_job.price_per_hour=7")
    assert "7.00 (training_job.price_per_hour)" in given


def test_the_table_is_found_without_being_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, prices = write_spec(), write_prices()
    assert "cost unknown" in ok("plan", spec)
    monkeypatch.setenv("AMT_FLOWS_PRICES", prices)
    assert "2.00 EUR" in ok("plan", spec)


def test_a_price_that_the_table_lacks_is_an_error_only_where_it_is_needed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, prices = write_spec(), write_prices("[instances]\n")
    named = cli("plan", spec, "--prices", prices)
    assert (named.exit_code, named.stdout) == (2, "")
    assert "add `local = 0.0`" in named.stderr
    monkeypatch.setenv("AMT_FLOWS_PRICES", prices)
    shown = " ".join(ok("plan", spec).split())
    assert "cost unknown: The price table prices.toml has no price of a training job on this machine" in shown
    assert cli("run", write_spec(**COST), "-q").exit_code == 2
    assert not home.exists()
    done = cli("run", write_spec())
    assert done.exit_code == 0
    assert "Its cost is not known: The price table prices.toml has no price" in done.stderr
    assert price_of_record() is None


def test_a_limit_of_the_cost_needs_no_price_in_the_spec(home: Path) -> None:
    spec = write_spec(**COST)
    assert "needs a price above 0" in cli("run", spec, "-q").stderr
    assert "needs a price above 0" in cli("run", spec, "-q", "--prices", write_prices("local = 0")).stderr
    assert not home.exists()
    ok("run", spec, "-q", "--prices", write_prices())
    assert price_of_record() == 2.0
    # Other faults of the spec are told as they are.
    spec = write_spec(**COST, strategy="Grid")
    wrong = cli("plan", spec, "--prices", write_prices())
    assert wrong.exit_code == 2
    assert "continuous[0].step" in wrong.stderr


@pytest.mark.parametrize("limits", [{}, COST])
def test_a_tuning_job_keeps_the_price_that_it_was_opened_with(home: Path, limits: dict[str, Any]) -> None:
    spec = write_spec(**limits)
    ok("run", spec, "-q", "--prices", write_prices())
    journal = sorted((home / "demo/journal").iterdir())
    for prices in ([], ["--prices", write_prices("local = 9.0")], ["--prices", write_prices("[instances]")]):
        assert "demo completed" in ok("run", spec, "-q", *prices)
        assert "running it returns the result there is" in ok("plan", spec, *prices)
    assert "demo completed" in ok("resume", "demo", "-q")
    assert sorted((home / "demo/journal").iterdir()) == journal
    assert price_of_record() == 2.0
    other = cli("run", spec, "-q", "--set", "seed=4", "--prices", write_prices("local = 9.0"))
    assert other.exit_code == 4
    assert "seed" in other.stderr


def test_a_tuning_job_that_was_run_without_a_price_goes_on_without_one(home: Path) -> None:
    spec = write_spec()
    ok("run", spec, "-q")
    assert "demo completed" in ok("run", spec, "-q", "--prices", write_prices())
    assert "cost unknown: demo was run without a price" in ok("plan", spec, "--prices", write_prices())


def test_a_record_is_recovered_with_the_price_of_the_table_or_without_one(home: Path) -> None:
    spec, prices = write_spec(), write_prices()
    for options in (["--prices", prices], []):
        shutil.rmtree(home, ignore_errors=True)
        ok("run", spec, "-q", *options)
        shutil.rmtree(home / "demo/journal")
        data = json.loads(ok("recover", spec, "--prices", prices, "--json"))
        assert data["HyperParameterTuningJobName"] == "demo"
        assert price_of_record() == (2.0 if options else None)
    shutil.rmtree(home / "demo/journal")
    wrong = cli("recover", spec, "--set", "seed=4", "--prices", prices)
    assert wrong.exit_code == 2
    assert "this is not the spec of" in wrong.stderr


def test_a_price_table_is_written_once(home: Path) -> None:
    spec = write_spec(**COST)
    assert ok("plan", spec, "--write-prices", "mine.toml") == "mine.toml\n"
    written = Path("mine.toml").read_text()
    assert "[instances]" in written
    again = cli("plan", spec, "--write-prices", "mine.toml")
    assert again.exit_code == 1
    assert "is there already" in again.stderr
    assert Path("mine.toml").read_text() == written
    nowhere = cli("plan", spec, "--write-prices", "no/where.toml")
    assert (nowhere.exit_code, "can't be written" in nowhere.stderr) == (1, True)


# -- times and pictures ---------------------------------------------------------------------------


def test_an_earlier_tuning_job_gives_the_times(home: Path) -> None:
    spec = write_spec()
    ok("run", spec, "-q")
    shown = " ".join(ok("plan", spec, "--name", "next", "--like", "demo").split())
    assert "(the median of 2 completed jobs of demo)" in shown
    missing = cli("plan", spec, "--name", "next", "--like", "nothing")
    assert missing.exit_code == 3
    failing = {"command": ["sh", "-c", "exit 3", "train"]}
    cli("run", write_spec(name="failed", training_job=failing), "-q")
    without = cli("plan", spec, "--name", "next", "--like", "failed")
    assert without.exit_code == 1
    assert "no completed training job whose time could be taken" in without.stderr


def test_a_picture_is_drawn_beside_the_plan(home: Path) -> None:
    spec = write_spec()
    done = cli("plan", spec, "--picture", "plan.svg", "--json")
    assert done.exit_code == 0
    assert Path("plan.svg").read_text().startswith("<svg")
    assert done.stderr == "plan.svg\n"
    data = json.loads(done.stdout)
    # As many as there will be, though more would be drawn.
    assert (len(data["first_jobs"]), len(data["proposals"])) == (2, 2)
    wrong = cli("plan", spec, "--picture", "plan.gif")
    assert wrong.exit_code == 2
    assert ".html, .svg or .png" in wrong.stderr
    unwritable = cli("plan", spec, "--picture", "no/where.svg")
    assert (unwritable.exit_code, "can't be written" in unwritable.stderr) == (1, True)
    assert not home.exists()
