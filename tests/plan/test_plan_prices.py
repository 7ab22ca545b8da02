"""Prices come from the user's table, are never guessed, and don't change what was opened."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from amt_flows.plan.prices import (
    PricesError,
    default_path,
    price_of,
    price_table,
    read_table,
    template_text,
)
from amt_flows.spec import TrainingJobTemplate

TABLE = """
currency = "EUR"
local = 0.5
spot_discount = 0.6

[instances]
"ml.m5.large" = 1.0
"ml.g5.xlarge" = 10

[regions.eu-west-1]
"ml.m5.large" = 2.0
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "prices.toml"
    path.write_text(TABLE)
    return path


def on_sagemaker(**resources: Any) -> TrainingJobTemplate:
    return TrainingJobTemplate(sagemaker={"ResourceConfig": resources})


def large(count: int = 1) -> TrainingJobTemplate:
    return on_sagemaker(InstanceType="ml.m5.large", InstanceCount=count)


@pytest.mark.parametrize(
    ("template", "address", "per_hour", "words"),
    [
        (TrainingJobTemplate(command=("train",)), "local", 0.5, "local"),
        (TrainingJobTemplate(command=("train",)), "simulated", 0.5, "local"),
        (large(), "sagemaker:us-east-1", 1.0, "ml.m5.large in us-east-1"),
        (large(), "sagemaker:eu-west-1", 2.0, "ml.m5.large in eu-west-1"),
        (large(), "sagemaker:", 1.0, "ml.m5.large"),
        (large(3), "amt:eu-west-1", 6.0, "3 x ml.m5.large in eu-west-1"),
        (
            on_sagemaker(
                InstanceGroups=[
                    {"InstanceType": "ml.m5.large", "InstanceCount": 2, "InstanceGroupName": "a"},
                    {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "InstanceGroupName": "b"},
                ]
            ),
            "sagemaker:us-east-1",
            12.0,
            "2 x ml.m5.large + ml.g5.xlarge in us-east-1",
        ),
    ],
)
def test_a_price_is_that_of_all_instances_of_a_job_in_its_region(
    table: Path, template: TrainingJobTemplate, address: str, per_hour: float, words: str
) -> None:
    price = price_of(template, read_table(table), address)
    assert (price.per_hour, price.currency, price.spot_discount) == (per_hour, "EUR", 0.0)
    assert price.source == f"{table}: {words}"


def test_of_several_kinds_that_a_job_may_get_the_dearest_counts(table: Path) -> None:
    configs = [
        {"InstanceType": "ml.m5.large", "InstanceCount": 4, "VolumeSizeInGB": 1},
        {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
    ]
    flexible = {"HyperParameterTuningResourceConfig": {"InstanceConfigs": configs}}
    template = TrainingJobTemplate(sagemaker=flexible)
    assert price_of(template, read_table(table), "sagemaker:us-east-1").per_hour == 10.0


def test_the_spot_discount_is_for_spot_training_only_and_not_in_the_price(table: Path) -> None:
    spot = large().model_copy(update={"sagemaker": {**large().sagemaker, "EnableManagedSpotTraining": True}})
    price = price_of(spot, read_table(table), "sagemaker:us-east-1")
    assert (price.per_hour, price.spot_discount) == (1.0, 0.6)
    assert price_of(large(), read_table(table), "sagemaker:us-east-1").spot_discount == 0.0


def test_a_price_that_is_missing_says_what_to_add(table: Path) -> None:
    template = on_sagemaker(InstanceType="ml.p4d.24xlarge", InstanceCount=1)
    with pytest.raises(PricesError) as none:
        price_of(template, read_table(table), "sagemaker:eu-west-1")
    assert "no price of ml.p4d.24xlarge" in str(none.value)
    assert '`"ml.p4d.24xlarge" = 0.0` under [regions.eu-west-1] or [instances]' in str(none.value)
    table.write_text("[instances]\n")
    with pytest.raises(PricesError, match="a training job on this machine"):
        price_of(TrainingJobTemplate(command=("train",)), read_table(table), "local")
    with pytest.raises(PricesError, match="its instances are not given"):
        price_of(TrainingJobTemplate(), read_table(table), "sagemaker:eu-west-1")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("currency = 3", "currency is 3, not a text"),
        ("local = -1", "local is -1, not a price"),
        ("local = true", "local is True, not a price"),
        ("local = nan", "local is nan, not a price"),
        ('local = "0.5"', "local is '0.5', not a price"),
        ("spot_discount = 1", "spot_discount is 1, not a share"),
        ("instances = 3", "instances is 3, not a table"),
        ("[instances]\nml.m5.large = 1", 'write them in quotes, e.g. "ml.m5.large" = 0.12'),
        ('[instances]\n"ml.m5.large" = -2', 'instances."ml.m5.large" is -2, not a price'),
        ("[regions]\neu-west-1 = 2", "regions.eu-west-1 is 2, not a table of prices"),
        ('[regions.eu-west-1]\n"ml.m5.large" = "x"', "regions.eu-west-1"),
        ("[instnces]\n", "did you mean 'instances'?"),
        ('"ml.m5.large" = 1', "prices of instances stand under [instances]"),
        ("local = ", "is not valid TOML"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(table: Path, text: str, told: str) -> None:
    table.write_text(text)
    with pytest.raises(PricesError) as error:
        read_table(table)
    assert told in str(error.value)
    assert str(table) in str(error.value)
    assert error.value.exit_code == 2


def test_a_table_is_looked_for_where_it_was_named_then_in_the_variable_then_at_home(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("AMT_FLOWS_PRICES", raising=False)
    assert price_table() is None
    usual = default_path()
    assert usual.is_relative_to(tmp_path)
    usual.parent.mkdir(parents=True)
    usual.write_text("local = 3.0")
    variable = tmp_path / "other.toml"
    variable.write_text("local = 4.0")
    found = price_table()
    assert found is not None
    assert found.local == 3.0
    monkeypatch.setenv("AMT_FLOWS_PRICES", str(variable))
    found, named = price_table(), price_table(str(table))
    assert found is not None
    assert named is not None
    assert (found.local, named.local) == (4.0, 0.5)
    monkeypatch.setenv("AMT_FLOWS_PRICES", str(tmp_path / "gone.toml"))
    with pytest.raises(PricesError, match="no price table"):
        price_table()
    with pytest.raises(PricesError, match="can't be read"):
        price_table(str(tmp_path))


def test_a_table_to_fill_in_has_the_instances_of_the_spec_and_no_price(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(template_text([large(2), on_sagemaker(InstanceType="ml.g5.xlarge")], "eu-west-1"))
    with pytest.raises(PricesError, match=r"no price of ml\.m5\.large"):
        price_of(large(), read_table(path), "sagemaker:eu-west-1")
    filled = re.sub(r'^# (["\[])', r"\1", path.read_text(), flags=re.MULTILINE).replace("0.00", "7.0")
    path.write_text(filled)
    assert price_of(large(2), read_table(path), "sagemaker:eu-west-1").per_hour == 14.0
    table = read_table(path)
    assert (sorted(table.instances), sorted(table.regions)) == (
        ["ml.g5.xlarge", "ml.m5.large"],
        ["eu-west-1"],
    )
