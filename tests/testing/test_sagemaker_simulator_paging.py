"""Answers in pages."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from amt_flows.testing.sagemaker.paging import page


@given(st.lists(st.integers(0, 5), max_size=20), st.integers(1, 7), st.booleans())
def test_what_comes_in_order_is_in_the_pages_of_all_and_asked_for_no_further(
    moments: list[int], size: int, descending: bool
) -> None:
    # In the order of their first parts; those that share one come as they come.
    items = [(moment, f"job-{(7 * i) % 20:02d}") for i, moment in enumerate(sorted(moments))]
    come = items[::-1] if descending else items
    expected = sorted(items, reverse=descending)
    asked = 0

    def watched() -> Iterator[tuple[int, str]]:
        nonlocal asked
        for item in come:
            asked += 1
            yield item

    token: str | None = None
    found: list[tuple[int, str]] = []
    while True:
        given_token = {} if token is None else {"NextToken": token}
        asked = 0
        shown, token = page(
            watched(),
            lambda one: one,
            {"MaxResults": size, **given_token},
            descending=descending,
            in_order=True,
        )
        found += shown
        assert shown == expected[len(found) - len(shown) : len(found)]
        last = expected[min(len(found), len(expected) - 1)][0] if expected else 0
        assert asked <= sum(one[0] >= last if descending else one[0] <= last for one in items) + 1
        if token is None:
            break
    assert found == expected
