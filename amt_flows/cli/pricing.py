"""The price of a training job, filled into a spec from the user's price table before anything is opened, so
that the record has it and going on with it needs no table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from amt_flows.errors import SpecError

if TYPE_CHECKING:
    from amt_flows.ledger.ledger import Ledger
    from amt_flows.plan.prices import Price, PriceTable
    from amt_flows.spec import TrainingJobTemplate, TuningSpec

PRICE: Final = "training_job.price_per_hour"
_FIELD: Final = re.compile(rf"(other_definitions\[(?P<index>\d+)\]\.)?{re.escape(PRICE)}")


@dataclass(frozen=True)
class Priced:
    """``price`` is the table's, where it filled one in; ``note`` says why it could not."""

    spec: TuningSpec
    price: Price | None = None
    note: str = ""


def priced_spec(
    load: Callable[..., TuningSpec],
    prices: str | None,
    *,
    address: Callable[[], str],
    recorded: Callable[[str], Ledger],
) -> Priced:
    """The spec with its price. ``load`` makes it, with more changes of fields as texts. ``prices``: the file
    that was named, if any. ``address`` gives that of the place where it is to run, ``recorded`` the ledger of
    a tuning job by its name.

    A price that the spec gives is left alone. A tuning job that was run before keeps the price that it was
    opened with, whatever the table says by then: another one would make it another spec. Raises SpecError,
    and PricesError for a table that can't be read, or lacks a price where one is needed: for
    ``limits.max_cost``, or because the table was named.
    """
    from amt_flows.plan.prices import PricesError, price_table

    table = price_table(prices)
    draft = _draft(load)
    if not draft.lacking:
        return Priced(draft.spec)
    kept = None if draft.spec.name is None else _as_recorded(draft, recorded(draft.spec.name))
    if table is None:
        return Priced(load() if kept is None else kept.spec)
    if kept is not None:
        return kept
    try:
        return _from_table(draft, table, address())
    except PricesError as error:
        if prices is not None or draft.spec.limits.max_cost is not None:
            raise
        return Priced(draft.spec, note=f"{error.happened} {error.remedy[:1].upper()}{error.remedy[1:]}")


def spec_to_price(load: Callable[..., TuningSpec]) -> TuningSpec:
    """The spec, with some price where it can't do without. Raises SpecError."""
    return _draft(load).spec


@dataclass(frozen=True)
class _Draft:
    spec: TuningSpec
    lacking: tuple[int, ...]
    """The algorithms without a price, by their places; the spec's own is 0."""

    def with_prices(self, prices: Mapping[int, float | None]) -> TuningSpec:
        """Checked again: not every price goes with every limit."""
        from amt_flows.spec import TuningSpec

        def priced(index: int, template: TrainingJobTemplate) -> TrainingJobTemplate:
            return (
                template.model_copy(update={"price_per_hour": prices[index]}) if index in prices else template
            )

        update: dict[str, object] = {"training_job": priced(0, self.spec.training_job)}
        if self.spec.other_definitions:
            update["other_definitions"] = tuple(
                other.model_copy(update={"training_job": priced(i, other.training_job)})
                for i, other in enumerate(self.spec.other_definitions, start=1)
            )
        return TuningSpec.parse(self.spec.model_copy(update=update).to_json())


def _draft(load: Callable[..., TuningSpec]) -> _Draft:
    try:
        spec = load()
    except SpecError as error:
        # With a limit of the cost a spec without a price is none, so it gets one for as long as it takes to
        # see what its training jobs run on.
        fields = [problem.field for problem in error.problems if problem.value is None]
        found = [match for match in map(_FIELD.fullmatch, fields) if match is not None]
        if not found:
            raise
        draft = load(*(f"{match[0]}=1" for match in found))
        return _Draft(draft, tuple(int(m["index"]) + 1 if m["index"] is not None else 0 for m in found))
    return _Draft(spec, tuple(i for i, one in enumerate(_templates(spec)) if one.price_per_hour is None))


def _templates(spec: TuningSpec) -> list[TrainingJobTemplate]:
    return [spec.training_job, *(other.training_job for other in spec.other_definitions)]


def _as_recorded(draft: _Draft, ledger: Ledger) -> Priced | None:
    """The spec that a tuning job of this name was opened with, if it differs in nothing but the price."""
    if not ledger.opened:
        return None
    theirs = [template.price_per_hour for template in _templates(ledger.asked)]
    if max(draft.lacking) >= len(theirs):
        return None
    try:
        same = draft.with_prices({i: theirs[i] for i in draft.lacking})
    except SpecError:
        return None
    if same.fingerprint() != ledger.asked.fingerprint():
        return None
    return Priced(same, note=f"{ledger.name} was run without a price")


def _from_table(draft: _Draft, table: PriceTable, address: str) -> Priced:
    from amt_flows.plan.prices import price_of

    templates = _templates(draft.spec)
    prices = {i: price_of(templates[i], table, address) for i in draft.lacking}
    spec = draft.with_prices({i: price.per_hour for i, price in prices.items()})
    return Priced(spec, max(prices.values(), key=lambda price: price.per_hour))
