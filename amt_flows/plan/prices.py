"""What an hour of a training job costs, from a table that belongs to the user: amt-flows ships no prices.

The table is a TOML file. Prices are of one instance for one hour, in any currency:

    currency = "EUR"
    local = 0.05                 # an hour of a training job on your own machines
    spot_discount = 0.6          # the share that managed spot training usually saves

    [instances]
    "ml.m5.xlarge" = 0.24

    [regions.eu-west-1]          # where a price differs
    "ml.m5.xlarge" = 0.26

The spot discount only colours an estimate: what is reserved against ``max_cost`` and the worst case are at
the full price, since nobody promises the discount.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from amt_flows.backends.home import expanded
from amt_flows.errors import AmtFlowsError, shown
from amt_flows.names import nearest
from amt_flows.spec import TrainingJobTemplate
from amt_flows.spec.given_file import NotAFile, read_given

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

VARIABLE: Final = "AMT_FLOWS_PRICES"
MOST_MEGABYTES: Final = 1
_FIELDS: Final = ("currency", "local", "spot_discount", "instances", "regions")
_FLEXIBLE: Final = "HyperParameterTuningResourceConfig"


class PricesError(AmtFlowsError):
    """A price table can't be read, or lacks a price that is needed."""

    exit_code = 2


@dataclass(frozen=True)
class PriceTable:
    path: Path
    currency: str = ""
    local: float | None = None
    spot_discount: float = 0.0
    instances: Mapping[str, float] = field(default_factory=dict)
    regions: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def of(self, instance: str, region: str) -> float | None:
        """The price of one instance in a region, as far as the table has it."""
        return self.regions.get(region, {}).get(instance, self.instances.get(instance))


@dataclass(frozen=True)
class Price:
    """What one hour of one training job costs, all its instances together."""

    per_hour: float
    source: str
    """Where it comes from, for a person."""
    currency: str = ""
    spot_discount: float = 0.0
    """The share of it that is likely saved; 0 without managed spot training."""


def default_path() -> Path:
    """In the user's configuration directory of this platform."""
    import click

    return Path(click.get_app_dir("amt-flows")) / "prices.toml"


def price_table(given: str | None = None) -> PriceTable | None:
    """The table at ``given``, else at ``$AMT_FLOWS_PRICES``, else at the default place if there is one.

    Raises PricesError for one that was named and isn't there, and for any that can't be read.
    """
    named = given or os.environ.get(VARIABLE)
    if named:
        return read_table(expanded(named))
    path = default_path()
    return read_table(path) if path.is_file() else None


def read_table(path: Path) -> PriceTable:
    """Raises PricesError."""
    try:
        data = tomllib.loads(read_given(path, MOST_MEGABYTES).decode("utf-8"))
    except FileNotFoundError:
        raise PricesError(
            f"There is no price table {path}.",
            remedy="`amt-flows plan SPEC --write-prices FILE` writes one to fill in",
        ) from None
    except NotAFile as error:
        raise PricesError(f"The price table {path} {error}.") from None
    except OSError as error:
        raise PricesError(f"The price table {path} can't be read: {error.strerror or error}.") from None
    except RecursionError:
        raise PricesError(f"The price table {path} has tables in tables to no end.") from None
    except ValueError as error:
        raise PricesError(f"The price table {path} is not valid TOML: {error}.") from None
    problems = list(_problems(data))
    if problems:
        raise PricesError(f"The price table {path} can't be used: {'; '.join(problems)}.")
    return PriceTable(
        path,
        currency=data.get("currency", ""),
        local=data.get("local"),
        spot_discount=data.get("spot_discount", 0.0),
        instances=data.get("instances", {}),
        regions=data.get("regions", {}),
    )


def _problems(data: Mapping[str, Any]) -> Iterator[str]:
    for name, value in data.items():
        if name not in _FIELDS:
            meant = nearest(name, _FIELDS)
            hint = f"did you mean {meant!r}?" if meant else "prices of instances stand under [instances]"
            yield f"there is no field {name!r}; {hint}"
        elif name == "currency":
            if not isinstance(value, str):
                yield f"currency is {shown(value)}, not a text"
        elif name == "local":
            yield from _price_problems(name, value)
        elif name == "spot_discount":
            if not _is_number(value) or not 0 <= value < 1:
                yield f"spot_discount is {shown(value)}, not a share from 0 to below 1"
        elif not isinstance(value, Mapping):
            yield f"{name} is {shown(value)}, not a table"
        elif name == "instances":
            yield from _table_problems(name, value)
        else:
            for region, prices in value.items():
                if isinstance(prices, Mapping):
                    yield from _table_problems(f"regions.{region}", prices)
                else:
                    yield f"regions.{region} is {shown(prices)}, not a table of prices"


def _table_problems(where: str, prices: Mapping[str, Any]) -> Iterator[str]:
    for instance, price in prices.items():
        if isinstance(price, Mapping):
            # TOML reads the dots of a bare key as a path.
            yield f'the names in [{where}] have dots, so write them in quotes, e.g. "ml.m5.large" = 0.12'
            return
        yield from _price_problems(f'{where}."{instance}"', price)


def _price_problems(where: str, price: object) -> Iterator[str]:
    if not _is_number(price) or price < 0:  # type: ignore[operator]
        yield f"{where} is {shown(price)}, not a price of 0 or more"


def _is_number(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # of an integer beyond every float
        return False


def price_of(template: TrainingJobTemplate, table: PriceTable, address: str) -> Price:
    """The price of a training job of ``template`` at a backend's address, e.g. ``sagemaker:eu-west-1``.

    Where it may get one of several kinds of instances, the dearest counts. Raises PricesError when the table
    has no price for it.
    """
    kind, _, region = address.partition(":")
    if kind not in ("sagemaker", "amt"):
        if table.local is None:
            raise _lacking(table, "a training job on this machine", "local = 0.0")
        return Price(table.local, f"{table.path}: local", table.currency)
    choices = instance_choices(template.sagemaker)
    if not choices:
        raise PricesError(
            "The price of a training job can't be told: its instances are not given.",
            remedy="give ResourceConfig in training_job.sagemaker, or training_job.price_per_hour",
        )
    priced = [(_total(table, instances, region), _words(instances)) for instances in choices]
    amount, words = max(priced)
    where = f" in {region}" if region else ""
    spot = table.spot_discount if template.sagemaker.get("EnableManagedSpotTraining") is True else 0.0
    return Price(amount, f"{table.path}: {words}{where}", table.currency, spot)


Instances = Sequence[tuple[str, int]]
"""Kinds of instances and how many of each one training job has."""


def instance_choices(definition: Mapping[str, Any]) -> list[Instances]:
    """The sets of instances of which a training job gets one; empty when the definition gives none."""
    flexible = definition.get(_FLEXIBLE)
    if isinstance(flexible, Mapping):
        configs = flexible.get("InstanceConfigs") or [flexible]
        found = [_instances(one) for one in configs]
    else:
        resources = definition.get("ResourceConfig")
        found = [_instances(resources)] if isinstance(resources, Mapping) else []
    return [one for one in found if one]


def _instances(resources: Any) -> Instances:
    if not isinstance(resources, Mapping):
        return []
    groups = resources.get("InstanceGroups") or [resources]
    named = [group for group in groups if isinstance(group, Mapping) and group.get("InstanceType")]
    return [(str(group["InstanceType"]), int(group.get("InstanceCount") or 1)) for group in named]


def _total(table: PriceTable, instances: Instances, region: str) -> float:
    total = 0.0
    for instance, count in instances:
        price = table.of(instance, region)
        if price is None:
            where = f"[regions.{region}] or [instances]" if region else "[instances]"
            raise _lacking(table, instance, f"{json.dumps(instance)} = 0.0", where)
        total += count * price
    return total


def _words(instances: Instances) -> str:
    return " + ".join(f"{count} x {name}" if count > 1 else name for name, count in instances)


def _lacking(table: PriceTable, what: str, line: str, where: str = "") -> PricesError:
    place = f" under {where}" if where else ""
    return PricesError(
        f"The price table {table.path} has no price of {what}.",
        remedy=f"add `{line}`{place}, with your price for 0.0, or give training_job.price_per_hour",
    )


def template_text(templates: Iterable[TrainingJobTemplate], region: str = "") -> str:
    """A price table to fill in, with the kinds of instances that a spec uses. Its prices are comments: an
    empty table is no cheap one."""
    choices = [choice for one in templates for choice in instance_choices(one.sagemaker)]
    kinds = sorted({name for choice in choices for name, _ in choice})
    lines = [
        "# What one hour costs, by your own agreement with your provider: of one instance, in any currency.",
        "# Take away the # before a price that you have filled in.",
        'currency = ""',
        "# local = 0.00          # an hour of a training job on your own machines",
        "# spot_discount = 0.0   # the share that managed spot training usually saves you, 0 to 1",
        "",
        "[instances]",
        *(f"# {json.dumps(name)} = 0.00" for name in kinds or ["ml.m5.large"]),
        "",
        f"# [regions.{region or 'eu-west-1'}]   # where a price differs",
        *(f"# {json.dumps(name)} = 0.00" for name in kinds or ["ml.m5.large"]),
    ]
    return "\n".join(lines) + "\n"
