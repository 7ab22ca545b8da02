"""What a roll-back leads to, in a directory and at an endpoint: what was at work before the last promotion
that still stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amt_flows.deploy import (
    EndpointSettings,
    create_endpoint_configuration,
    create_model,
    current_version,
    deploy_endpoint,
    promote_local,
    roll_back_endpoint,
    roll_back_local,
    versions,
)
from amt_flows.deploy.succession import Line, behind, gone_back, taken_over
from amt_flows.deploy.way_back import SUCCESSION, way_back_tags
from amt_flows.errors import DeployFailed, DeployRejected
from amt_flows.testing.sagemaker import SimulatedSageMaker
from amt_flows.testing.sagemaker.endpoints import EndpointEnd, EndpointScript
from deploy.candidates import candidate, model_directory
from deploy.hosting_world import ENDPOINT, hosting, live, world
from deploy.hosting_world import candidate as hosted

MACHINE = EndpointSettings(instance_type="ml.m5.large")


class Directory:
    """A directory of versions, by the numbers of training jobs."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.shelf = place / "served"

    def promote(self, job: int, keep: int = 10) -> int | None:
        source = self._place / str(job)
        if not source.exists():
            model_directory(source, {"weights": str(job)})
        return _number(promote_local(candidate(source, job), self.shelf, keep=keep).previous)

    def roll_back(self, to: int | None = None) -> int | None:
        name = None if to is None else f"{to:04d}-demo-{to:03d}-0a1b2c3d"
        return _number(roll_back_local(self.shelf, name).previous)

    def at_work(self) -> int:
        return int((self.shelf / "current/model/weights").read_text())


class Endpoint:
    """An endpoint on the simulated service, by the same numbers."""

    def __init__(self, one: SimulatedSageMaker) -> None:
        self._world = one
        self._hosting = hosting(one)
        self._configurations: dict[int, str] = {}

    def promote(self, job: int) -> int | None:
        model = create_model(hosted(job), hosting=self._hosting).name
        made = create_endpoint_configuration(hosted(job), model, MACHINE, hosting=self._hosting)
        self._configurations[job] = made.name
        return self._job(deploy_endpoint(ENDPOINT, made.name, hosting=self._hosting).previous)

    def roll_back(self, to: int | None = None) -> int | None:
        name = None if to is None else self._configurations[to]
        return self._job(roll_back_endpoint(ENDPOINT, name, hosting=self._hosting).previous)

    def at_work(self) -> int:
        endpoint = live(self._world)
        assert endpoint is not None
        return int(self._job(endpoint.configuration) or 0)

    @staticmethod
    def _job(configuration: str | None) -> int | None:
        return None if configuration is None else int(configuration[5:8])


def _number(version: str | None) -> int | None:
    return None if version is None else int(version[:4])


@contextmanager
def a_directory(place: Path) -> Iterator[Directory]:
    yield Directory(place)


@contextmanager
def an_endpoint(place: Path) -> Iterator[Endpoint]:
    with world() as one:
        yield Endpoint(one)


Opened = Callable[[Path], AbstractContextManager[Directory | Endpoint]]
BOTH = pytest.mark.parametrize("opened", [a_directory, an_endpoint])


@BOTH
def test_a_roll_back_leads_to_what_was_at_work_before_the_promotion(opened: Opened, tmp_path: Path) -> None:
    with opened(tmp_path) as place:
        assert [place.promote(job) for job in (1, 2, 3)] == [None, 1, 2]
        # A second roll-back leads one further back, and not forth to what was rolled back.
        assert [(place.roll_back(), place.at_work()) for _ in range(2)] == [(3, 2), (2, 1)]
        assert place.promote(3) == 1
        assert place.promote(3) == 1, "again is no other promotion"
        assert (place.roll_back(), place.at_work()) == (3, 1)
        with pytest.raises(DeployRejected, match=r"took over from none|has had no other configuration"):
            place.roll_back()
        # To a version that is not on the way back: it takes over, as in a promotion.
        place.roll_back(2)
        assert (place.roll_back(), place.at_work()) == (2, 1)


@BOTH
def test_two_versions_that_take_turns_are_gone_back_through_one_by_one(
    opened: Opened, tmp_path: Path
) -> None:
    with opened(tmp_path) as place:
        for job in (1, 2, 1, 2):
            place.promote(job)
        seen = []
        for _ in range(3):
            place.roll_back()
            seen.append(place.at_work())
        assert seen == [1, 2, 1]
        with pytest.raises(DeployRejected):
            place.roll_back()


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("promote"), st.integers(1, 4)),
        st.just(("back", 0)),
        st.tuples(st.just("to"), st.integers(1, 4)),
    ),
    max_size=30,
)


@given(MOVES, st.data())
def test_the_line_is_a_stack_wherever_one_dies(moves: list[tuple[str, int]], data: st.DataObject) -> None:
    """Compared with a plain stack. Of each switch the line is written, and the caller may die before it."""
    line: Line = ()
    stack = [0]
    for move, name in moves:
        at_work = stack[-1]
        before = behind(line, str(at_work)) or ()
        assert [int(one) for one in before] == stack[-2::-1]
        if move == "back" and len(stack) == 1:
            continue
        target = stack[-2] if move == "back" else name
        if target == at_work:
            continue
        if move == "promote":
            line, after = taken_over(str(target), str(at_work), before), [*stack, target]
        else:
            line = gone_back(str(at_work), before, str(target))
            below = len(stack) - 2 - stack[-2::-1].index(target) if target in stack[:-1] else None
            after = [*stack, target] if below is None else stack[: below + 1]
        if not data.draw(st.booleans(), label="dies before the switch"):
            stack = after
    assert [int(one) for one in behind(line, str(stack[-1])) or ()] == stack[-2::-1]


# -- directories of before -----------------------------------------------------------------------------------


def test_a_directory_without_a_line_is_rolled_back_by_its_versions_records(tmp_path: Path) -> None:
    place = Directory(tmp_path)
    for job in (1, 2, 3):
        place.promote(job)
    # As it was written before: each version's record says what was current when it was made, and that is all.
    (place.shelf / "succession.json").unlink()
    assert [one.replaced and one.replaced[:4] for one in versions(place.shelf)] == [None, "0001", "0002"]
    assert (place.promote(3), place.at_work()) == (2, 3)
    assert [(place.roll_back(), place.at_work()) for _ in range(2)] == [(3, 2), (2, 1)]
    assert place.promote(3) == 1
    assert (place.roll_back(), place.at_work()) == (3, 1)


def test_a_directory_that_an_older_program_used_meanwhile_is_still_rolled_back(tmp_path: Path) -> None:
    place = Directory(tmp_path)
    for job in (1, 2):
        place.promote(job)
    line = (place.shelf / "succession.json").read_text()
    place.promote(3)
    (place.shelf / "succession.json").write_text(line)
    assert (place.roll_back(), place.at_work()) == (3, 2)
    assert (place.roll_back(), place.at_work()) == (2, 1)


def test_a_way_back_that_was_removed_or_damaged_is_said(tmp_path: Path) -> None:
    place = Directory(tmp_path)
    for job in (1, 2, 3):
        place.promote(job, keep=1)
    assert [one.number for one in versions(place.shelf)] == [2, 3]
    place.roll_back()
    with pytest.raises(
        DeployRejected, match=r"took over from 0001-\S+, which was removed since; there are 0002"
    ):
        place.roll_back()
    (place.shelf / "succession.json").write_text("{")
    with pytest.raises(
        DeployFailed, match=r"which says what roll-backs lead to, can't be read[\s\S]*remove it"
    ):
        place.roll_back()
    found = current_version(place.shelf)
    assert found is not None
    assert found.number == 2


def test_names_outside_of_the_line_are_unknown_to_it() -> None:
    assert behind(("b", "a"), "c") is None
    assert behind(("b", "a"), "a") == ()


# -- endpoints ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [EndpointEnd.FAIL, EndpointEnd.FAIL_BETWEEN, EndpointEnd.FAIL_FOR_GOOD])
def test_an_update_that_failed_is_nothing_to_go_back_from(end: EndpointEnd) -> None:
    with world() as one:
        place = Endpoint(one)
        for job in (1, 2):
            place.promote(job)
        one.endpoints.deploy = lambda endpoint, configuration: EndpointScript(
            end if "demo-003" in str(configuration) else EndpointEnd.IN_SERVICE
        )
        with pytest.raises(DeployFailed):
            place.promote(3)
        assert place.at_work() == 2
        assert (place.roll_back(), place.at_work()) == (2, 1)


def test_an_endpoint_without_a_line_is_rolled_back_by_its_older_tag() -> None:
    with world() as one:
        place = Endpoint(one)
        for job in (1, 2):
            place.promote(job)
        endpoint = live(one)
        assert endpoint is not None
        endpoint.tags[:] = [tag for tag in endpoint.tags if tag["Key"] != SUCCESSION]
        assert (place.roll_back(), place.at_work()) == (2, 1)


@given(st.lists(st.text("abc-", min_size=1, max_size=63), min_size=2, max_size=40))
def test_a_tag_holds_whole_names_and_at_least_four(names: list[str]) -> None:
    value = way_back_tags("x", tuple(names))[SUCCESSION]
    assert len(value) <= 256
    kept = value.split(" ")
    assert kept == names[: len(kept)]
    assert len(kept) >= min(4, len(names))
