"""Valid specs of all kinds, for tests by hypothesis."""

from __future__ import annotations

import math
import string
from typing import Any

from hypothesis import strategies as st

from spec.samples import SAGEMAKER

WORDS = st.text(string.ascii_letters + string.digits + "_-. :äß", min_size=1, max_size=12)
JOB_NAMES = st.from_regex(r"[a-zA-Z0-9](-?[a-zA-Z0-9]){0,15}", fullmatch=True)
VARIABLES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,10}", fullmatch=True)
# No negative zero: it equals zero, and is written differently.
NUMBERS = st.floats(-1e9, 1e9).map(lambda x: x + 0.0)


@st.composite
def continuous(draw: st.DrawFn, name: str) -> dict[str, Any]:
    low, high = sorted(draw(st.tuples(NUMBERS, NUMBERS).filter(lambda pair: pair[0] != pair[1])))
    scales = ["Auto", "Linear"] + ["Logarithmic"] * (low > 0) + ["ReverseLogarithmic"] * (0 <= low < high < 1)
    return _said(
        draw, {"name": name, "min_value": low, "max_value": high}, scaling_type=st.sampled_from(scales)
    )


@st.composite
def integer(draw: st.DrawFn, name: str) -> dict[str, Any]:
    low = draw(st.integers(-(10**9), 10**9))
    high = low + draw(st.integers(1, 10**6))
    scales = ["Auto", "Linear"] + ["Logarithmic"] * (low > 0)
    return _said(
        draw, {"name": name, "min_value": low, "max_value": high}, scaling_type=st.sampled_from(scales)
    )


@st.composite
def categorical(draw: st.DrawFn, name: str) -> dict[str, Any]:
    return {"name": name, "values": draw(st.lists(WORDS, min_size=1, max_size=4, unique=True))}


@st.composite
def auto(draw: st.DrawFn, name: str) -> dict[str, Any]:
    return {"name": name, "value_hint": draw(WORDS)}


def _said(draw: st.DrawFn, values: dict[str, Any], **perhaps: st.SearchStrategy[Any]) -> dict[str, Any]:
    """``values``, and each of ``perhaps`` or not."""
    said = {name: draw(strategy) for name, strategy in perhaps.items() if draw(st.booleans())}
    return {**values, **said}


@st.composite
def algorithms(draw: st.DrawFn, *, grid: bool, autotune: bool) -> dict[str, Any]:
    names = iter(draw(st.lists(WORDS, min_size=2, max_size=6, unique=True)))
    kinds = {"categorical": categorical}
    if not grid:
        kinds |= {"continuous": continuous, "integer": integer}
    if autotune and not grid:
        kinds["auto_parameters"] = auto
    result: dict[str, Any] = {"static_hyperparameters": {next(names): draw(WORDS)}}
    for name in names:
        kind = draw(st.sampled_from(sorted(kinds)))
        result.setdefault(kind, []).append(draw(kinds[kind](name)))
    metric = draw(WORDS)
    result["objective"] = _said(draw, {"metric_name": metric}, type=st.sampled_from(["Maximize", "Minimize"]))
    result["training_job"] = _said(
        draw,
        {"sagemaker": SAGEMAKER},
        environment=st.dictionaries(VARIABLES, WORDS, max_size=3),
        metric_definitions=st.just(
            [{"name": metric, "regex": r"x=(\S+)"}, {"name": metric + "2", "regex": "(.+)"}]
        ),
        max_runtime_seconds=st.integers(1, 2_419_200),
        max_retry_attempts=st.integers(0, 30),
    )
    return result


@st.composite
def tuning_jobs(draw: st.DrawFn) -> dict[str, Any]:
    """A spec, as a mapping, that AMT's request has a place for."""
    strategy = draw(st.sampled_from(["Bayesian", "Random", "Grid", "Hyperband"]))
    autotune = draw(st.booleans())
    count = draw(st.sampled_from([1, 1, 2, 3]))
    own, *others = [draw(algorithms(grid=strategy == "Grid", autotune=autotune)) for _ in range(count)]
    spec: dict[str, Any] = {**own, "name": draw(JOB_NAMES), "strategy": strategy, "autotune": autotune}
    if others:
        spec["definition_name"] = "first"
        spec["other_definitions"] = [
            {**other, "definition_name": f"other-{i}"} for i, other in enumerate(others)
        ]
    spec["limits"] = _said(
        draw,
        {"max_runtime_seconds": draw(st.integers(120, 15_768_000))},
        max_parallel_training_jobs=st.integers(1, 100),
    )
    if strategy == "Grid":
        if draw(st.booleans()):
            sizes = [math.prod(len(one["values"]) for one in a["categorical"]) for a in (own, *others)]
            spec["limits"]["max_number_of_training_jobs"] = sum(sizes)
    elif draw(st.booleans()):
        spec["limits"]["max_number_of_training_jobs"] = draw(st.integers(1, 500))
    if strategy == "Hyperband":
        low = draw(st.integers(1, 50))
        spec["hyperband"] = {"min_resource": low, "max_resource": low + draw(st.integers(0, 50))}
    elif not others:
        spec["early_stopping"] = {"type": draw(st.sampled_from(["Auto", "Off"]))}
    if not others and draw(st.booleans()):
        parents = draw(
            st.lists(JOB_NAMES.map(lambda name: f"p-{name}"), min_size=1, max_size=5, unique_by=str.lower)
        )
        kind = draw(st.sampled_from(["IdenticalDataAndAlgorithm", "TransferLearning"]))
        spec["warm_start"] = {
            "type": kind,
            "parents": [p for p in parents if p.lower() != spec["name"].lower()],
        }
    return _said(
        draw,
        spec,
        completion=st.fixed_dictionaries(
            {},
            optional={
                "target_objective_metric_value": NUMBERS,
                "max_number_of_training_jobs_not_improving": st.integers(3, 50),
                "complete_on_convergence": st.booleans(),
            },
        ),
        seed=st.integers(0, 2**31 - 1),
        tags=st.dictionaries(WORDS, WORDS, max_size=3),
    )


@st.composite
def own_tuning_jobs(draw: st.DrawFn) -> dict[str, Any]:
    """A spec that also has settings which only we have."""
    spec = draw(tuning_jobs())
    spec["limits"] = _said(
        draw,
        spec["limits"],
        max_failed_training_jobs=st.integers(1, 9),
        max_failed_training_jobs_in_total=st.integers(1, 9),
    )
    for one in spec.get("continuous", []):
        step = (one["max_value"] - one["min_value"]) / draw(st.integers(1, 9))
        if step > 0 and draw(st.booleans()):  # a range may be too narrow to be divided
            one["step"] = step
    spec["training_job"] = _said(
        draw,
        spec["training_job"],
        command=st.lists(WORDS, min_size=1, max_size=3),
        hyperparameters_as_arguments=st.booleans(),
        inputs=st.dictionaries(VARIABLES, WORDS, max_size=3),
        price_per_hour=st.floats(0, 100),
        stop_grace_seconds=st.floats(0, 3600),
    )
    return _said(draw, spec, best_eligible=st.sampled_from(["completed", "completed_and_stopped"]))
