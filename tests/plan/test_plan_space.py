"""The space as a plan draws it: on the scale that is searched, whole at every width, and as a picture."""

from __future__ import annotations

import builtins
import io
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.plan.dry_run import Plan, plan
from amt_flows.plan.picture import KINDS, draw
from amt_flows.plan.scale import place_on, ticks
from amt_flows.plan.space_text import labels, ruler, space_text
from amt_flows.plan.text import plan_text
from amt_flows.show.pictures.drawing import PicturesNotInstalled
from amt_flows.space.space import Categorical, Continuous, Integer, Parameter, Scaling
from svg import texts
from worlds import rising, spec

WIDE: dict[str, Any] = {
    "continuous": [
        {"name": "learning_rate", "min_value": 1e-4, "max_value": 1.0},
        {
            "name": "momentum",
            "min_value": 0.5,
            "max_value": 0.9999,
            "scaling_type": "ReverseLogarithmic",
            "only_when": {"name": "optimizer", "values": ["sgd"]},
        },
    ],
    "integer": [{"name": "batch", "min_value": 8, "max_value": 256}],
    "categorical": [
        {"name": "optimizer", "values": ["sgd", "adam"]},
        {"name": "size", "values": ["small", "medium", "large"], "ordered": True},
    ],
    "constraints": ["batch * learning_rate <= 100"],
}


def planned(**changes: Any) -> Plan:
    return plan(spec(**changes), SimulatedBackend(VirtualClock(), rising), proposals=8)


def printed(made: Plan, width: int = 120, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding=encoding), width=width, highlight=False)
    console.print(plan_text(made))
    console.file.flush()
    return raw.getvalue().decode(encoding)


# -- scales ---------------------------------------------------------------------------------------


@st.composite
def parameters(draw: st.DrawFn) -> Parameter:
    kind = draw(st.sampled_from(["continuous", "integer", "categorical"]))
    if kind == "categorical":
        return Categorical("x", tuple(draw(st.lists(st.text("abc", min_size=1), min_size=1, unique=True))))
    if kind == "integer":
        low = draw(st.integers(1, 1000))
        high = low + draw(st.integers(1, 10**6))
        scaling = draw(st.sampled_from([Scaling.LINEAR, Scaling.LOGARITHMIC]))
        return Integer("x", low, high, scaling, draw(st.integers(1, high - low)))
    scaling = draw(st.sampled_from([Scaling.LINEAR, Scaling.LOGARITHMIC, Scaling.REVERSE_LOGARITHMIC]))
    bottom = draw(st.floats(1e-6, 0.5))
    top = draw(st.floats(bottom + 1e-3, 0.999))
    step = (
        draw(st.none() | st.floats((top - bottom) / 50, top - bottom)) if scaling is Scaling.LINEAR else None
    )
    return Continuous("x", bottom, top, scaling, step)


@given(parameters())
def test_the_marks_of_a_scale_are_values_in_their_order_from_end_to_end(parameter: Parameter) -> None:
    marks = ticks(parameter)
    places = [mark.place for mark in marks]
    assert places == sorted(places)
    assert len({mark.text for mark in marks}) == len(marks)
    assert all(0 <= place <= 1 for place in places)
    if len(marks) > 1:
        assert (places[0], places[-1]) == (0.0, 1.0)
    if not isinstance(parameter, Categorical):
        assert math.isclose(float(marks[0].text), parameter.low, rel_tol=1e-6)
        assert len(marks) <= 5


@given(parameters(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_value_lies_further_along(parameter: Parameter, one: float, other: float) -> None:
    lower, higher = (parameter.decode(u) for u in sorted((one, other)))
    assert 0 <= place_on(parameter, lower) <= place_on(parameter, higher) <= 1


@given(parameters(), st.integers(1, 100), st.lists(st.none() | st.floats(0, 1), max_size=12))
def test_a_drawn_scale_has_the_width_that_there_is(
    parameter: Parameter, width: int, first: list[float | None]
) -> None:
    marks = ticks(parameter)
    assert len(ruler(marks, first, width)) == width
    assert len(labels(marks, width)) <= width


def test_a_logarithmic_scale_has_its_decades_at_equal_distances() -> None:
    marks = ticks(Continuous("x", 1e-4, 1.0, Scaling.LOGARITHMIC))
    assert [mark.text for mark in marks] == ["0.0001", "0.001", "0.01", "0.1", "1"]
    assert ruler(marks, [0.5, None, 0.5], 9) == "├─┼─1─┼─┤"
    assert labels(marks, 41) == "0.0001  0.001     0.01       0.1        1"
    assert labels(marks, 12) == "0.0001 0.1 1"


# -- in the terminal ------------------------------------------------------------------------------


def test_conditions_constraints_and_orders_are_shown() -> None:
    made = planned(**WIDE)
    text = printed(made, 200)
    assert "only when optimizer is sgd" in text
    assert "only where batch * learning_rate <= 100" in text
    assert "ordered categories" in text
    momentum = next(row for row in made.ranges if row.name == "momentum")
    without = [proposal.configuration["optimizer"] == "adam" for proposal in made.proposals]
    assert [place is None for place in momentum.places] == without
    assert any(without)
    assert not all(without)


def test_the_first_jobs_are_on_the_scales() -> None:
    made = planned(categorical=[{"name": "kind", "values": ["a", "b"]}], continuous=[])
    text = printed(made)
    for number, job in enumerate(made.first_jobs, start=1):
        kind = job.hyperparameters["kind"]
        line = next(line for line in text.splitlines() if line.startswith("  kind"))
        shown = line.partition(f"{kind} (")[2].partition(")")[0]
        assert str(number) in shown.split(", ")


@pytest.mark.parametrize("width", [20, 40, 80, 160])
def test_a_space_fits_every_terminal(width: int) -> None:
    lines = printed(planned(**WIDE), width).splitlines()
    assert max(map(len, lines)) <= width
    assert any("│" in line or "├" in line or "─" in line for line in lines)


def test_a_terminal_that_knows_ascii_only_gets_ascii() -> None:
    console = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="ascii"), width=100)
    rows = [row for row in planned(**WIDE).ranges if row.kind != "categorical"]
    with console.capture() as captured:
        console.print(space_text(rows, 3))
    assert captured.get().isascii()
    assert "|--" in captured.get()


# -- as a picture ---------------------------------------------------------------------------------


def test_a_picture_has_every_scale(tmp_path: Path) -> None:
    made = planned(**WIDE)
    draw(made, str(tmp_path / "plan.svg"))
    words = " ".join(texts((tmp_path / "plan.svg").read_text(encoding="utf-8")))
    for row in made.ranges:
        assert f"{row.name}:" in words
    assert "only when optimizer is sgd" in words
    assert "the first 8 configurations" in words


def test_a_picture_of_a_page_runs_nothing_and_shows_names_as_they_are(tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>", "$x^2$", "&amp;"]
    ranges = [{"name": name, "min_value": 0.1, "max_value": 0.9} for name in names]
    draw(planned(continuous=ranges), str(tmp_path / "plan.html"))
    page = (tmp_path / "plan.html").read_text()
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert "$x^2$" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_png_is_one_and_nothing_else_is_drawn(tmp_path: Path) -> None:
    for kind in KINDS:
        draw(planned(), str(tmp_path / f"plan{kind}"))
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "plan.html").read_text().startswith("<!doctype html>")
    assert len(list(tmp_path.iterdir())) == 3


def test_what_has_no_first_configurations_is_drawn_too(tmp_path: Path) -> None:
    made = plan(spec(**WIDE), SimulatedBackend(VirtualClock(), rising), first_jobs=0)
    draw(made, str(tmp_path / "plan.svg"))
    assert "the scales as they are searched" in (tmp_path / "plan.svg").read_text()


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def lacking(name: str, *more: Any, **others: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError(name)
        return real(name, *more, **others)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(PicturesNotInstalled):
        draw(planned(), str(tmp_path / "plan.svg"))
