"""Further objectives in a spec: what is accepted, what is refused and why, and what others make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amt_flows.backends.local.check import problems_of as local_problems_of
from amt_flows.backends.sagemaker.check import problems_of as sagemaker_problems_of
from amt_flows.backends.sagemaker.request import create_training_job_request
from amt_flows.errors import SpecError
from amt_flows.ports import JobRequest
from amt_flows.reporting import metric_regex
from amt_flows.spec import TuningSpec
from amt_flows.spec.advice import warnings
from amt_flows.spec.amt_request import to_amt_request
from amt_flows.tuning.autotune import chosen
from spec.samples import SAGEMAKER, changed, good, one_definition, problems_of

SIZE: dict[str, Any] = {"metric_name": "size", "type": "Minimize"}


def trading(**changes: Any) -> dict[str, Any]:
    return changed({**good(), "other_objectives": [SIZE]}, changes)


def test_it_is_read_and_written_and_makes_another_tuning_job() -> None:
    spec = TuningSpec.parse(trading())
    assert spec.other_metrics == ("size",)
    assert TuningSpec.parse(spec.to_json()) == spec
    assert spec.fingerprint() != TuningSpec.parse(good()).fingerprint()


@pytest.mark.parametrize("strategy", ["Bayesian", "Random", "QuasiRandom"])
def test_up_to_three_go_with_every_strategy_that_stops_nothing(strategy: str) -> None:
    three = [{"metric_name": name} for name in ("a", "b", "c")]
    TuningSpec.parse({**good(), "other_objectives": three, "strategy": strategy})
    four = [*three, {"metric_name": "d"}]
    assert "other_objectives" in problems_of({**good(), "other_objectives": four})


def test_a_grid_may_have_them() -> None:
    ranges: dict[str, Any] = {"continuous": [], "integer": [], "limits": {}}
    TuningSpec.parse({**trading(), **ranges, "strategy": "Grid"})


DEFINED = [{"name": "accuracy", "regex": "a=([0-9.]+)"}, {"name": "bytes", "regex": "b=([0-9.]+)"}]
REFUSED = {
    "the objective again": (
        {"other_objectives": [{"metric_name": "accuracy"}]},
        "other_objectives[0].metric_name",
    ),
    "a metric twice": ({"other_objectives": [SIZE, SIZE]}, "other_objectives[1].metric_name"),
    "one without a definition": (
        {"training_job.metric_definitions": DEFINED},
        "other_objectives[0].metric_name",
    ),
    "Hyperband": ({"strategy": "Hyperband", "hyperband": {"max_resource": 9}}, "strategy"),
    "early stopping": ({"early_stopping": {"type": "Auto"}}, "early_stopping.type"),
    "convergence": ({"completion": {"complete_on_convergence": True}}, "completion.complete_on_convergence"),
    "a warm start": (
        {"warm_start": {"type": "TransferLearning", "parents": ["earlier"]}},
        "warm_start",
    ),
    "several algorithms": (
        {"definition_name": "first", "other_definitions": [one_definition()]},
        "other_objectives",
    ),
}


@pytest.mark.parametrize(("changes", "field"), REFUSED.values(), ids=list(REFUSED))
def test_what_judges_by_one_metric_is_refused_beside_them(changes: dict[str, Any], field: str) -> None:
    found = problems_of(trading(**changes))
    assert list(found) == [field]
    assert any(word in found[field].message for word in ("one metric", "objective", "definition"))


def test_what_is_wrong_with_hyperband_and_early_stopping_is_said_once() -> None:
    changes = {"strategy": "Hyperband", "hyperband": {"max_resource": 9}, "early_stopping": {"type": "Auto"}}
    assert set(problems_of(trading(**changes))) == {"strategy", "early_stopping.type"}


def test_autotune_leaves_off_what_judges_by_one_metric() -> None:
    enough = {"max_number_of_training_jobs": 100}
    complete = chosen(TuningSpec.parse({**trading(), "autotune": True, "limits": enough})).spec
    assert complete.early_stopping.type.value == "Off"
    assert not complete.completion.complete_on_convergence
    alone = chosen(TuningSpec.parse({**good(), "autotune": True, "limits": enough})).spec
    assert alone.early_stopping.type.value == "Auto"
    assert alone.completion.complete_on_convergence


def test_an_end_that_one_metric_brings_about_is_pointed_out() -> None:
    completion = {"max_number_of_training_jobs_not_improving": 5}
    (advice,) = (one for one in warnings(TuningSpec.parse(trading(completion=completion))) if "improv" in one)
    assert advice.startswith("completion.max_number_of_training_jobs_not_improving: ")
    assert "accuracy" in advice
    alone = TuningSpec.parse({**good(), "completion": completion})
    assert not [one for one in warnings(alone) if "improv" in one]


def test_amt_is_not_asked_for_it() -> None:
    spec = TuningSpec.parse(trading(training_job={"sagemaker": SAGEMAKER}))
    with pytest.raises(SpecError) as caught:
        to_amt_request(spec)
    (problem,) = (one for one in caught.value.problems if one.field.startswith("other_objectives"))
    assert problem.field == "other_objectives[0].metric_name"
    assert "AMT's request has no place for it" in problem.message
    assert "--backend sagemaker" in problem.message


def request_of(spec: TuningSpec) -> dict[str, Any]:
    asked = JobRequest(
        name="demo-001-00000000",
        tuning_job="demo",
        trial=1,
        attempt=1,
        hyperparameters={},
        fingerprint=spec.fingerprint(),
        template=spec.training_job,
        objective_metric=spec.objective.metric_name,
        other_metrics=spec.other_metrics,
    )
    return create_training_job_request(asked)


def test_sagemaker_is_told_how_to_read_every_objective() -> None:
    spec = TuningSpec.parse(trading(training_job={"sagemaker": SAGEMAKER}))
    assert request_of(spec)["AlgorithmSpecification"]["MetricDefinitions"] == [
        {"Name": name, "Regex": metric_regex(name)} for name in ("accuracy", "size")
    ]
    defined = [*DEFINED, {"name": "size", "regex": "s=([0-9.]+)"}]
    spec = TuningSpec.parse(trading(training_job={"sagemaker": SAGEMAKER, "metric_definitions": defined}))
    sent = request_of(spec)["AlgorithmSpecification"]["MetricDefinitions"]
    assert sent == [{"Name": one["name"], "Regex": one["regex"]} for one in defined]


def test_what_sagemaker_finds_wrong_with_a_name_is_said_of_its_field() -> None:
    spec = TuningSpec.parse(
        trading(other_objectives=[{"metric_name": "size"}, {"metric_name": "model size"}])
        | {"training_job": {"sagemaker": SAGEMAKER}}
    )
    (problem,) = (one for one in sagemaker_problems_of(spec) if "objective" in one.field)
    assert problem.field == "other_objectives[1].metric_name"
    assert "can't be read from the output" in problem.message


def test_nor_does_this_machine_blame_the_objective(tmp_path: Path) -> None:
    spec = TuningSpec.parse(trading(other_objectives=[{"metric_name": "model size"}]))
    (problem,) = (one for one in local_problems_of(spec, tmp_path) if "objective" in one.field)
    assert problem.field == "other_objectives[0].metric_name"
    assert "must not contain ' '" in problem.message


def test_the_form_shows_a_list_of_metrics_to_add_to() -> None:
    schema = TuningSpec.model_json_schema()
    field = schema["properties"]["other_objectives"]
    assert field["title"] == "Other objectives"
    assert field["description"].endswith("the result has the Pareto front.")
    assert (field["type"], field["maxItems"]) == ("array", 3)
    assert field["items"] == {"$ref": "#/$defs/Objective"}
    assert set(schema["$defs"]["Objective"]["properties"]) == {"metric_name", "type"}
