"""A tuning job with conditions, constraints and ordered values through all that shows it or reads it."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rich.console import Console

from amt_flows.backends.simulated import SimulatedBackend, VirtualClock
from amt_flows.cli.printing import print_csv
from amt_flows.events import Opened
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.results import TuningResult, describe, result_of, training_jobs
from amt_flows.results.explain import best_region, dependence, importance
from amt_flows.results.explain.surface import NothingToExplain
from amt_flows.show.explanation import importance_json, importance_rows, why_lines
from amt_flows.show.leaderboard_rows import leaderboard
from amt_flows.show.pictures import pictures
from amt_flows.show.report import report_markdown
from amt_flows.show.terminal import JobsTable, terminal_summary
from amt_flows.space.space import Value
from amt_flows.spec import TuningSpec
from amt_flows.testing.sagemaker import JobScript, SimulatedSageMaker
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import drive
from amt_flows.tuning.recover import recover
from amt_flows.tuning.warm_start import parent_from_frame, parent_from_ledger, reader
from amt_flows.tuning.warm_start.inherit import inherit
from backends.sagemaker_world import backend as sagemaker_backend
from backends.sagemaker_world import spec as sagemaker_spec
from commands import ok
from conditional import CONDITIONAL, CONSTRAINTS, NAMES, RANGES, forests, meets, models, train, used
from results.explain.known import job_events
from svg import texts
from worlds import run, spec

JOBS = 30
LIMITS = {"max_parallel_training_jobs": 3, "max_number_of_training_jobs": JOBS}


@lru_cache(maxsize=1)
def finished() -> Ledger:
    """Run to its end by the strategy that spreads its jobs evenly; the training refuses what isn't used."""
    ledger, _ = run(models(strategy="QuasiRandom", limits=LIMITS), train)
    assert len(ledger.ended) == JOBS
    assert not any(job.failed for job in ledger.ended)
    return ledger


def result() -> TuningResult:
    return result_of(finished(), "memory:")


@lru_cache(maxsize=1)
def drawn() -> dict[str, str]:
    return {picture.title: picture.svg for picture in pictures(finished())}


def shown(renderable: Any) -> str:
    console = Console(file=io.StringIO(), width=300)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def of_each_model() -> dict[str, Any]:
    """A training job of each kind of model, by the kind."""
    return {str(job.hyperparameters["model"]): job for job in result().jobs}


# -- what is tried --------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["Bayesian", "Random"])
def test_training_jobs_get_what_they_use_and_nothing_else(strategy: str) -> None:
    ledger, _ = run(models(strategy=strategy, limits={**LIMITS, "max_number_of_training_jobs": 20}), train)
    assert not any(job.failed for job in ledger.ended)
    assert len({trial.configuration["model"] for trial in ledger.trials.values()}) > 1


def test_sagemaker_is_sent_what_is_used_and_tells_it_when_a_record_is_lost() -> None:
    seen: list[Mapping[str, str]] = []

    def script(given: Mapping[str, str]) -> JobScript:
        seen.append(dict(given))
        return JobScript([0.5])

    asked = sagemaker_spec(**RANGES, constraints=CONSTRAINTS, limits={"max_number_of_training_jobs": 6})
    with SimulatedSageMaker(script) as world:
        assert list(sagemaker_backend(world).check(asked)) == []
        tuning = Tuning.open(asked, sagemaker_backend(world), MemoryJournal(), clock=world.clock)
        drive(tuning)
        again = recover(asked, lambda: sagemaker_backend(world), MemoryJournal(), clock=world.clock)
    assert len(seen) == 6
    assert all(given.keys() == used(given) and meets(given) for given in seen)
    assert configurations(again) == configurations(tuning.ledger)


# -- tables ---------------------------------------------------------------------------------------


def test_every_row_of_the_leaderboard_has_the_same_columns_and_empty_cells_for_what_is_unused() -> None:
    rows = leaderboard(result(), JOBS)
    assert len({tuple(row) for row in rows}) == 1
    assert [name for name in rows[0] if name in NAMES] == NAMES, "in the order of the spec"
    for row in rows:
        assert {name for name in NAMES if row[name] != ""} == used(row)


def test_a_column_that_no_shown_job_uses_is_left_out() -> None:
    rows = leaderboard(result(), 1)
    assert set(rows[0]) & set(CONDITIONAL) == used(rows[0]) & set(CONDITIONAL)


def test_the_data_frame_has_a_column_for_each_and_nothing_in_it_where_it_is_unused() -> None:
    frame = result().to_frame()
    assert list(frame.columns)[: len(NAMES)] == NAMES
    for _, row in frame.iterrows():
        assert {name for name in NAMES if not pd.isna(row[name])} == used({str(k): v for k, v in row.items()})
    assert frame["trees"].dropna().between(10, 200).all()
    numbers = ["C", "gamma", "learning_rate", "trees", "tree-depth", "layers"]
    assert {str(frame[name].dtype) for name in numbers} == {"float64"}, "numbers, with NaN among them"


def test_terminal_and_markdown_show_them_with_room_for_what_is_unused() -> None:
    table = shown(JobsTable(result()))
    header, *lines = table.splitlines()
    assert [name for name in header.split() if name in NAMES] == NAMES
    start = header.index("trees")
    by_name = {line.split()[0]: line for line in lines}
    for kind, job in of_each_model().items():
        cell = by_name[job.name][start : start + len("trees")].strip()
        assert (cell != "") == (kind == "forest")
    assert "with" in shown(terminal_summary(result()))
    assert "| C | gamma |" in report_markdown(finished(), result(), JOBS)


def test_amts_answers_list_the_used_ones() -> None:
    for summary in training_jobs(finished())["TrainingJobSummaries"]:
        assert summary["TunedHyperParameters"].keys() == used(summary["TunedHyperParameters"])
    answer = describe(finished(), 0.0)
    ranges = answer["HyperParameterTuningJobConfig"]["ParameterRanges"]
    assert [one["Name"] for kind in ranges.values() for one in kind]
    assert answer["BestTrainingJob"]["TunedHyperParameters"].keys() < set(NAMES)


def test_a_result_as_json_is_the_same_result() -> None:
    again = TuningResult.model_validate_json(result().model_dump_json())
    assert again == result()
    assert [job.hyperparameters.keys() for job in again.jobs] == [used(j.hyperparameters) for j in again.jobs]


# -- pictures and pages ---------------------------------------------------------------------------


def test_the_pictures_say_when_a_hyperparameter_is_used() -> None:
    seen = {title: texts(svg) for title, svg in drawn().items()}
    for title in ("Each hyperparameter", "Partial dependence"):
        assert "when model is forest" in seen[title]
        assert "when kernel is rbf or poly" in seen[title]
    # Once for each conditional hyperparameter, at the foot of its axis.
    assert seen["All hyperparameters at once"].count("not used") == len(CONDITIONAL)
    for name in NAMES:
        assert name in seen["Importance"]
    ordered = [text for text in seen["Partial dependence"] if text in ("small", "medium", "large")]
    assert ordered == ["small", "medium", "large"]


def test_what_no_job_uses_yet_has_an_axis_that_says_so() -> None:
    forest = {"model": "forest", "size": "small", "trees": "20", "tree-depth": "4"}
    ledger, _ = run(models(first_configurations=[forest], limits={"max_number_of_training_jobs": 1}), train)
    (slices,) = [picture for picture in pictures(ledger) if picture.title == "Each hyperparameter"]
    unused = len(CONDITIONAL) - len({"trees", "tree-depth"})
    assert texts(slices.svg).count("used by no job yet") == unused


def test_a_notebook_shows_it() -> None:
    html = result()._repr_html_()
    best = result().best
    assert best is not None
    assert all(name in html for name in used(best.hyperparameters))
    assert "None" not in html


# -- explanations ---------------------------------------------------------------------------------


def test_each_job_is_explained_by_what_it_used() -> None:
    from amt_flows.results.explain import why

    for kind, job in of_each_model().items():
        lines = "\n".join(why_lines(finished(), why(finished(), job.name)))
        assert ("  trees = " in lines) == (kind == "forest")
        assert "  size = " in lines


def test_rows_of_the_explanation_say_when_their_values_hold() -> None:
    cells = {name: best for name, _, _, best in importance_rows(finished())}
    assert cells["C"].endswith(", when model is svc")
    assert "when" not in cells["size"]
    told: Any = importance_json(finished())
    found = {one["name"]: one for one in told["importance"]}
    assert found["gamma"]["only_when"] == {"name": "kernel", "values": ["rbf", "poly"]}
    assert found["size"]["only_when"] is None
    assert json.dumps(found, allow_nan=False)


def known_ledger(tuning_spec: TuningSpec, objective: Any, amount: int = 60) -> Ledger:
    """Completed jobs at random configurations that meet the constraints."""
    ledger = Ledger()
    ledger.apply(Opened(0.0, "demo", tuning_spec.fingerprint(), tuning_spec.to_json(), "test"))
    rng, space = np.random.default_rng(3), tuning_spec.space()
    for trial in range(1, amount + 1):
        configuration = space.draw(rng)
        assert configuration is not None
        for event in job_events(trial, configuration, objective(configuration)):
            ledger.apply(event)
    return ledger


HALF: dict[str, Any] = {
    "continuous": [
        {"name": "x", "min_value": 0.0, "max_value": 1.0, "only_when": {"name": "kind", "values": ["a"]}},
        {"name": "y", "min_value": 0.0, "max_value": 1.0},
    ],
    "categorical": [{"name": "kind", "values": ["a", "b"]}],
}


def test_a_conditional_one_counts_where_it_is_used() -> None:
    """The same effect in all configurations and in half of them: of the variance it makes half as much."""
    ledger = known_ledger(spec(**HALF), lambda c: float(c.get("x", 0.5)) + float(c["y"]), amount=80)
    found = {one.name: one for one in importance(ledger)}
    assert found["x"].used == pytest.approx(0.5, abs=0.02)
    assert found["y"].used == found["kind"].used == 1.0
    assert found["x"].total == pytest.approx(1 / 3, abs=0.06)
    assert found["y"].total == pytest.approx(2 / 3, abs=0.06)
    assert found["kind"].alone < 0.1


def test_dependence_is_over_configurations_that_have_it() -> None:
    """Where it isn't used the objective is far off; none of that is mixed in."""
    objective = lambda c: float(c["x"]) + 3.0 if c["kind"] == "a" else -5.0  # noqa: E731
    ledger = known_ledger(spec(**HALF), objective, amount=80)
    points = dependence(ledger, "x")
    assert points[0].mean == pytest.approx(3.0, abs=0.4)
    assert points[-1].mean == pytest.approx(4.0, abs=0.4)
    by_kind = {point.value: point.mean for point in dependence(ledger, "kind")}
    assert by_kind["a"] == pytest.approx(3.5, abs=0.4)
    assert by_kind["b"] == pytest.approx(-5.0, abs=0.4)
    assert float(best_region(ledger, "x").high) > 0.9


def test_nothing_is_asked_about_what_breaks_a_constraint() -> None:
    """A cliff in the forbidden half would make everything matter; and there are no results there."""
    ranges = [{"name": name, "min_value": 0.0, "max_value": 1.0} for name in ("x", "y")]
    constrained = spec(continuous=ranges, constraints=["x + y <= 1"])
    ledger = known_ledger(constrained, lambda c: float(c["x"]))
    found = {one.name: one for one in importance(ledger)}
    assert found["x"].total > 0.8
    assert found["y"].total < 0.05
    means = [point.mean for point in dependence(ledger, "x")]
    assert means == sorted(means)
    assert max(means) < 1.1


def test_constraints_that_leave_almost_nothing_are_said_to() -> None:
    ranges = [{"name": name, "min_value": 0.0, "max_value": 1.0} for name in ("x", "y")]
    thread = spec(continuous=ranges, constraints=["abs(x - y) < 0.001"])
    ledger = known_ledger(thread, lambda c: float(c["x"]))
    with pytest.raises(NothingToExplain, match="constraints are met by too few"):
        importance(ledger)
    assert [picture.title for picture in pictures(ledger)][-1] == "Time", "the others are drawn"


def test_one_that_others_bind_by_itself_explains_nothing() -> None:
    ranges = [{"name": name, "min_value": 0.0, "max_value": 1.0} for name in ("x", "y", "z")]
    bound = spec(continuous=ranges, constraints=["abs(x - y) < 0.02"])
    ledger = known_ledger(bound, lambda c: float(c["x"]) + float(c["y"]) + float(c["z"]))
    found = {one.name: one for one in importance(ledger)}
    assert found["x"].total < 0.05
    assert 0.1 < found["z"].total < 0.35, "one ninth of the variance of x + y, which are as good as one"


def test_ordered_values_are_explained_in_their_order() -> None:
    sizes = [{"name": "size", "values": [str(k) for k in range(12)], "ordered": True}]
    ledger = known_ledger(spec(categorical=sizes), lambda c: int(c["size"]) * 0.1, amount=20)
    region = best_region(ledger, "size")
    assert list(region.choices) == sorted(region.choices, key=int)
    assert region.choices[-1] == "11"


# -- and back: warm start, recovery ---------------------------------------------------------------


def start(parent: str) -> dict[str, Any]:
    return {"type": "IdenticalDataAndAlgorithm", "parents": [parent]}


def csv_text(of: TuningResult) -> str:
    with redirect_stdout(io.StringIO()) as printed:
        print_csv(of)
    return printed.getvalue()


def configurations(ledger: Ledger) -> dict[str, Mapping[str, Value]]:
    return {job.name: ledger.trials[job.trial].configuration for job in ledger.ended}


@pytest.mark.parametrize("through", ["csv", "frame", "nullable frame", "ledger"])
def test_its_jobs_are_a_parent_with_the_same_configurations(through: str, tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text(csv_text(result()), newline="")
    new = models(name="new", warm_start=start(str(path) if through == "csv" else "old"))
    parent = {
        "csv": lambda: parent_from_frame(path, new),
        "frame": lambda: parent_from_frame(result().to_frame(), new),
        "nullable frame": lambda: parent_from_frame(result().to_frame().convert_dtypes(), new),
        "ledger": lambda: parent_from_ledger(finished()),
    }[through]()
    (event,) = inherit(new, reader(new, {"old": replace(parent, name="old")}), 0.0)
    assert {job.job: job.configuration for job in event.jobs} == configurations(finished())
    assert event.left_out == 0
    assert all(new.space().contains(job.configuration) for job in event.jobs)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_space_comes_back_from_csv(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever depends on what: a table of configurations is read as the very same configurations."""
    space = data.draw(forests(finite=False))
    assume(all(parameter.size != 1 or hasattr(parameter, "choices") for parameter in space.parameters))
    tuning_spec = _spec_of(space)
    space = tuning_spec.space()
    points = data.draw(
        st.lists(
            st.lists(st.floats(0.0, 1.0), min_size=space.dimension, max_size=space.dimension),
            min_size=1,
            max_size=6,
        )
    )
    ledger = Ledger()
    ledger.apply(Opened(0.0, "demo", tuning_spec.fingerprint(), tuning_spec.to_json(), "test"))
    for trial, point in enumerate(points, start=1):
        for event in job_events(trial, space.decode(point), trial / 10):
            ledger.apply(event)
    path = tmp_path_factory.mktemp("csv") / "jobs.csv"
    path.write_text(csv_text(result_of(ledger, "memory:")), newline="")
    new = tuning_spec.model_copy(update={"name": "new"})
    again = TuningSpec(**{**new.to_json(), "warm_start": start(str(path))})
    (event,) = inherit(again, None, 0.0)
    assert {job.job: job.configuration for job in event.jobs} == configurations(ledger)


def _spec_of(space: Any) -> TuningSpec:
    """The spec of a space of :func:`forests`, whose parameters come in any order of kinds."""
    lists: dict[str, list[dict[str, Any]]] = {"continuous": [], "integer": [], "categorical": []}
    for parameter in space.parameters:
        one: dict[str, Any] = {"name": parameter.name}
        if hasattr(parameter, "choices"):
            kind, one = "categorical", {**one, "values": parameter.choices}
        else:
            kind = "integer" if isinstance(parameter.low, int) else "continuous"
            one |= {"min_value": parameter.low, "max_value": parameter.high, "step": parameter.step}
            one["scaling_type"] = "Linear"
        condition = space.condition_of(parameter.name)
        if condition is not None:
            one["only_when"] = {"name": condition.on, "values": list(condition.values)}
        lists[kind].append(one)
    return spec(**lists)


def test_a_parent_with_other_conditions_is_read_by_ours() -> None:
    """Where it has what we don't use that is left out; where it lacks what we use it says nothing."""
    new = spec(**HALF, name="new", warm_start=start("old"))
    rows: list[dict[str, Any]] = [
        {"x": 0.1, "y": 0.1, "kind": "a", "accuracy": 0.1},
        {"x": 0.2, "y": 0.2, "kind": "b", "accuracy": 0.2},
        {"x": None, "y": 0.3, "kind": "b", "accuracy": 0.3},
        {"x": None, "y": 0.4, "kind": "a", "accuracy": 0.4},
    ]
    (event,) = inherit(new, reader(new, {"old": rows}), 0.0)
    assert [job.configuration for job in event.jobs] == [
        {"x": 0.1, "y": 0.1, "kind": "a"},
        {"y": 0.2, "kind": "b"},
        {"y": 0.3, "kind": "b"},
    ]
    assert event.left_out == 1


def test_a_parents_job_that_breaks_our_constraints_is_kept_and_not_followed() -> None:
    """As one outside of our ranges: on record, but neither tried again nor seen by the model."""
    ranges = [{"name": name, "min_value": 0.0, "max_value": 1.0} for name in ("x", "y")]
    rows = [{"x": 0.9, "y": 0.9, "accuracy": 5.0}, {"x": 0.2, "y": 0.2, "accuracy": 0.3}]
    for kind in ("IdenticalDataAndAlgorithm", "TransferLearning"):
        new = spec(
            continuous=ranges,
            constraints=["x + y <= 1"],
            strategy="Bayesian",
            warm_start={"type": kind, "parents": ["old"]},
        )
        (event,) = inherit(new, reader(new, {"old": rows}), 0.0)
        assert len(event.jobs) == 2
        backend = SimulatedBackend(VirtualClock(), lambda given: worlds_rising(given))
        tuning = Tuning.open(
            new, backend, MemoryJournal(), clock=backend.clock, parents=reader(new, {"old": rows})
        )
        drive(tuning)
        tried = [trial.configuration for trial in tuning.ledger.trials.values()]
        assert all(float(one["x"]) + float(one["y"]) <= 1 for one in tried)
        again = any(one == {"x": 0.2, "y": 0.2} for one in tried)
        assert again == (kind == "TransferLearning")


def worlds_rising(given: Mapping[str, str]) -> Any:
    from amt_flows.backends.simulated import Script

    assert math.isfinite(float(given["x"]))
    return Script([float(given["x"]) + float(given["y"])])


def test_a_lost_record_is_rebuilt_with_what_was_used() -> None:
    asked = models(strategy="Random", limits={**LIMITS, "max_number_of_training_jobs": 9})
    ledger, backend = run(asked, train)
    again = recover(asked, backend.view, MemoryJournal(), clock=backend.clock)
    assert configurations(again) == configurations(ledger)


# -- the command line -----------------------------------------------------------------------------


def test_every_command_that_shows_a_tuning_job_shows_this_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    backend = SimulatedBackend(VirtualClock(), train)
    asked = models(name="shown", strategy="QuasiRandom", limits=LIMITS)
    tuning = Tuning.open(asked, backend, DirectoryJournal(home / "shown" / "journal"), clock=backend.clock)
    drive(tuning)
    (tmp_path / "train.py").touch()
    spec_file = tmp_path / "spec.json"
    runnable = {**asked.to_json(), "training_job": {"command": ["python", "train.py"]}}
    spec_file.write_text(json.dumps(runnable))

    def printed(*arguments: str) -> str:
        return ok(*arguments, "--home", home)

    assert f"{JOBS} of {JOBS} training jobs" in printed("status", "shown")
    rows = list(csv.DictReader(io.StringIO(printed("jobs", "shown", "--csv"))))
    assert len(rows) == JOBS
    assert all({name for name in NAMES if row[name]} == used(row) and meets(row) for row in rows)
    listed = json.loads(printed("jobs", "shown", "--json"))["TrainingJobSummaries"]
    assert all(used(one["TunedHyperParameters"]) == one["TunedHyperParameters"].keys() for one in listed)
    assert ", when model is svc" in printed("explain", "shown")
    page = tmp_path / "page.html"
    printed("report", "shown", "-o", str(page))
    assert "when model is forest" in page.read_text()
    assert "best" in printed("compare", "shown", "shown")
    planned = ok("plan", spec_file)
    assert "only where" in planned
    assert "--trees" in planned or "--C" in planned or "--layers" in planned
