"""The front of points, by its definition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from amt_flows.strategies.front import front

values = st.integers(-3, 3).map(float)


def tables(k: int) -> st.SearchStrategy[list[tuple[float, ...]]]:
    return st.lists(st.tuples(*[values] * k), max_size=12)


some = st.integers(1, 4).flatmap(tables)


def beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


@given(some)
def test_it_is_who_nobody_beats(points: list[tuple[float, ...]]) -> None:
    wanted = [i for i, point in enumerate(points) if not any(beats(other, point) for other in points)]
    assert front(points) == wanted


@given(some)
def test_whoever_is_not_in_it_is_beaten_by_somebody_who_is(points: list[tuple[float, ...]]) -> None:
    kept = front(points)
    for i, point in enumerate(points):
        assert i in kept or any(beats(points[j], point) for j in kept)


@given(some, st.randoms(use_true_random=False))
def test_the_order_makes_no_difference(points: list[tuple[float, ...]], random: object) -> None:
    shuffled = list(points)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert sorted(shuffled[i] for i in front(shuffled)) == sorted(points[i] for i in front(points))


@given(some)
def test_only_the_order_of_values_counts(points: list[tuple[float, ...]]) -> None:
    assert front([tuple(value**3 + value for value in point) for point in points]) == front(points)


@given(tables(1))
def test_with_one_objective_it_is_the_best_and_their_equals(points: list[tuple[float, ...]]) -> None:
    assert front(points) == [i for i, point in enumerate(points) if point == min(points)]
