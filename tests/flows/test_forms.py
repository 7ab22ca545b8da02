"""The parameter forms of the deployments: how they are drawn, and what comes of what they send. A real server
checks it by the schema."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.flow_engine import run_flow
from prefect.flows import load_flow_from_entrypoint
from prefect.logging.loggers import flow_run_logger

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.places import open_journal
from amt_flows.flows.promotion.promote import promote
from amt_flows.flows.promotion.retune import retune
from amt_flows.flows.promotion.tune_then_deploy import tune_then_deploy
from amt_flows.flows.sentences import RefusedParameters
from amt_flows.flows.tuning.clean_up import clean_up
from amt_flows.flows.tuning.hooks import tuning_of_run
from amt_flows.flows.tuning.manage import extend_tuning, resume_tuning, stop_tuning
from amt_flows.flows.tuning.quick import tune_quick
from amt_flows.flows.tuning.tune import tune
from amt_flows.ledger.record import load_ledger
from amt_flows.spec import CompletionCriteria, EarlyStopping, EarlyStoppingType, TuningSpec
from amt_flows.tuning.autotune import chosen
from flows.deployed import TABLES
from flows.flow_runs import deployed_run, read, started
from flows.forms import resolved, schema_of, sent
from flows.local_jobs import eventually

FLOWS: list[Flow[..., Any]] = [
    tune,
    tune_quick,
    tune_then_deploy,
    retune,
    promote,
    stop_tuning,
    resume_tuning,
    extend_tuning,
    clean_up,
]

# What a person fills in for a tuning job of two shell scripts at a time.
TUNING: dict[str, Any] = {
    "objective": {"metric_name": "accuracy"},
    "integer": [{"name": "x", "min_value": 10, "max_value": 99}],
    "limits": {"max_parallel_training_jobs": 2, "max_number_of_training_jobs": 3},
    "training_job": {
        "command": ["sh", "-c", 'echo "accuracy=0.5;"', "train"],
        "metric_definitions": [{"name": "accuracy", "regex": "accuracy=([0-9.]+);"}],
    },
}


def submitted(flow: Flow[..., Any], parameters: dict[str, Any]) -> UUID:
    """A flow run of a deployment whose parameters the server has checked, as after a click on Submit."""
    made: Any = flow.to_deployment("form", enforce_parameter_schema=True)
    with get_client(sync_client=True) as client:
        return client.create_flow_run_from_deployment(made.apply(), parameters=parameters).id


def asked(**said: Any) -> TuningSpec:
    """The spec that the flow gets from a submitted form."""
    run = read(submitted(tune, sent(tune, {"spec": {**TUNING, **said}})))
    spec = tune.validate_parameters(run.parameters)["spec"]
    assert isinstance(spec, TuningSpec)
    return spec


def log_of(run_id: UUID) -> str:
    with get_client(sync_client=True) as client:
        logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id])))
    return "\n".join(log.message for log in logs)


# -- drawn ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_parameter_has_a_label_help_and_one_box(flow: Flow[..., Any]) -> None:
    schema = schema_of(flow)
    labels = []
    for name, field in schema["properties"].items():
        drawn = resolved(field, schema["definitions"])
        label = drawn["title"]
        assert label[0].isupper(), f"{name} is labelled as in the code: {label}"
        assert "_" not in label
        assert drawn["description"].strip().endswith("."), name
        # A list of alternatives is drawn as tabs.
        assert isinstance(drawn["type"], str), name
        assert not {"anyOf", "oneOf"} & set(drawn), name
        assert drawn.get("default", "") is not None, f"{name}: the form would send null, and be refused"
        labels.append(label)
    assert len(set(labels)) == len(labels)
    assert [field["position"] for field in schema["properties"].values()] == list(range(len(labels)))


@pytest.mark.parametrize("flow", [tune, tune_then_deploy, retune], ids=lambda flow: flow.name)
def test_every_flow_that_tunes_offers_the_same_places(flow: Flow[..., Any]) -> None:
    fields = schema_of(flow)["properties"]
    places = {"local", "sagemaker", "amt", "ray:http://head:8265", "work-pool:gpus"}
    tried = {*places, "", "locals", "ray:", "ray:head", "work-pool:"}
    # The server refuses a deployment, and a run of one, whose parameters its schema doesn't allow.
    assert {place for place in tried if re.search(fields["backend"]["pattern"], place)} == places
    positions = [fields[name]["position"] for name in ("backend", "region", "training", "home")]
    assert positions == list(range(positions[0], positions[0] + 4)), "what belongs together stands together"


def test_python_sees_plain_defaults() -> None:
    given = {name: one.default for name, one in inspect.signature(tune.fn).parameters.items()}
    assert given["backend"] == "local"
    assert [given[name] for name in ("region", "training", "home")] == [None] * 3


def test_a_part_that_may_be_left_out_has_a_readable_tab() -> None:
    definitions = schema_of(tune)["definitions"]
    tabs = [
        definitions[field["anyOf"][0]["$ref"].removeprefix("#/definitions/")]["title"]
        for model in definitions.values()
        for field in model.get("properties", {}).values()
        if "$ref" in str(field.get("anyOf"))
    ]
    assert {"Warm start", "Hyperband", "Only when"} <= set(tabs)


# -- sent -------------------------------------------------------------------------------------------


def test_a_form_that_nobody_touched_says_nothing_that_autotune_would_choose() -> None:
    given = sent(tune, {"spec": {**TUNING, "autotune": True}})["spec"]
    assert given["early_stopping"]["compare_with"] == "completed", "other defaults are shown, and sent"
    assert "type" not in given["early_stopping"]
    assert "complete_on_convergence" not in given["completion"]
    assert "max_runtime_seconds" not in given["limits"]


def test_what_the_form_was_told_wins_over_autotune() -> None:
    spec = chosen(
        asked(
            autotune=True,
            early_stopping={"type": "Off"},
            completion={"complete_on_convergence": False},
        )
    ).spec
    assert spec.early_stopping.type is EarlyStoppingType.OFF
    assert not spec.completion.complete_on_convergence


def test_without_autotune_an_untouched_form_is_the_plain_spec() -> None:
    spec = asked(name="plain")
    assert spec == TuningSpec.parse({**TUNING, "name": "plain"})
    assert chosen(spec).spec.early_stopping.type is EarlyStoppingType.OFF


@pytest.mark.parametrize("said", [EarlyStoppingType.OFF, EarlyStoppingType.AUTO])
def test_in_python_and_toml_a_default_that_is_said_is_said(said: EarlyStoppingType) -> None:
    given = {**TUNING, "autotune": True}
    in_python = TuningSpec(
        **{
            **given,
            "early_stopping": EarlyStopping(type=said),
            "completion": CompletionCriteria(complete_on_convergence=False),
        }
    )
    in_toml = TuningSpec.parse(
        {
            **given,
            "early_stopping": {"type": said.value},
            "completion": {"complete_on_convergence": False},
        }
    )
    for spec in (in_python, in_toml, TuningSpec.parse(in_python.to_json())):
        answer = chosen(spec).spec
        assert answer.early_stopping.type is said
        assert not answer.completion.complete_on_convergence


def test_a_form_with_conditions_that_leaves_the_rest_to_autotune_is_tuned(home: Path) -> None:
    large = {"name": "mode", "values": ["large"]}
    said = {
        **TUNING,
        "name": "by-form",
        "integer": [
            {"name": "x", "min_value": 1, "max_value": 9},
            {"name": "y", "min_value": 1, "max_value": 9, "only_when": large},
        ],
        "categorical": [{"name": "mode", "values": ["small", "large"], "ordered": True}],
        "constraints": ["x <= 5"],
        "autotune": True,
    }
    run_id = submitted(tune, sent(tune, {"spec": said}))
    state = started(tune, run_id)
    assert state.is_completed(), state.message
    assert eventually(lambda: "Chosen for you: early_stopping.type = Auto" in log_of(run_id))
    ledger = load_ledger(open_journal("by-form", home), "by-form")
    assert ledger.spec.early_stopping.type is EarlyStoppingType.AUTO
    # It could not act within so few training jobs.
    assert not ledger.spec.completion.complete_on_convergence
    assert ledger.spec.limits.max_number_of_training_jobs == 3, "what was said stays"
    assert ledger.spec.categorical[0].ordered
    configurations = [dict(trial.configuration) for trial in ledger.trials.values()]
    assert len(configurations) == 3
    for one in configurations:
        assert ("y" in one) == (one["mode"] == "large")
        assert int(one["x"]) <= 5


def test_a_text_that_was_left_empty_is_none(home: Path) -> None:
    """The form sends an empty one; hooks read it as it was sent."""
    given = sent(retune, {"spec": {**TUNING, "name": "digits"}, "target": {"directory": "/srv/models"}})
    assert [given[name] for name in ("series", "region", "training", "home")] == [""] * 4
    validated = retune.validate_parameters(given)
    assert [validated[name] for name in ("series", "region", "training", "home")] == [None] * 4
    run = FlowRun(flow_id=UUID(int=1), parameters=given)
    job = tuning_of_run(retune.name, run)
    assert job.name == f"digits-{run.id.hex[-12:]}"
    assert isinstance(job.backend, LocalBackend)
    assert open_journal(job.name, job.home).location == open_journal(job.name, home).location


def test_what_only_several_fields_show_ends_the_run_with_all_that_is_wrong(home: Path) -> None:
    ranges = [{"name": "x", "min_value": 9, "max_value": 1}]
    said = {**TUNING, "name": "wrong", "integer": ranges, "limits": {}, "objective": {"metric_name": "loss"}}
    state = started(tune, submitted(tune, sent(tune, {"spec": said})))
    assert state.is_failed()
    for words in (
        "integer[0].max_value: must be greater than `min_value`, which is 9; swap the two",
        "limits: nothing would ever end this tuning job; give `limits.max_number_of_training_jobs`",
        "objective.metric_name: no metric definition has this name; write one of accuracy",
    ):
        assert words in str(state.message)
    assert not home.exists(), "nothing was launched"


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_a_run_without_what_it_needs_is_one_sentence(flow: Flow[..., Any], home: Path) -> None:
    """As a schedule starts it that has lost its parameters: nobody has checked them."""
    state = started(flow, deployed_run(flow))
    assert state.is_failed()
    first = next(name for name, one in inspect.signature(flow).parameters.items() if one.default is one.empty)
    assert str(state.message).startswith(f"This run has no '{first}'")
    assert not home.exists()


def test_the_process_of_a_deployments_run_logs_no_traceback_of_a_sentence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It raises the state once more, after the flow."""
    run = read(deployed_run(tune))
    log: Any = flow_run_logger(run)
    with pytest.raises(RefusedParameters, match="has no 'spec'"):
        run_flow(tune, flow_run=run, parameters={}, error_logger=log)
    assert not [record for record in caplog.records if record.exc_info]
    log.error("Engine execution exited with unexpected exception", exc_info=ValueError("a defect"))
    assert [record for record in caplog.records if record.exc_info], "of what nobody foresaw there is one"


def test_the_flows_are_those_of_the_deployments() -> None:
    assert {load_flow_from_entrypoint(one["entrypoint"]).name for one in TABLES} == {f.name for f in FLOWS}
