"""``tune_quick``: a saved tuning job, and what people change of one. The short form."""

# Annotations are real types here, not text: a runner loads this file under a name of its own, where Prefect
# could not find what a text stands for.

from typing import Annotated, Any

from prefect import flow, get_run_logger, runtime
from pydantic import BaseModel, ConfigDict, Field

from amt_flows.backends.home import Home as Place
from amt_flows.backends.places import open_journal
from amt_flows.errors import Problem, SpecError
from amt_flows.flows.parameters import Home, OptionalNumber, labelled, labelled_text
from amt_flows.flows.promotion.persistence import SERIALIZER
from amt_flows.flows.sentences import in_sentences, required_in_the_form
from amt_flows.flows.tuning.cancel import or_cancelled
from amt_flows.flows.tuning.hooks import QUICK, quick_name, stop_after_crash, stop_on_cancellation
from amt_flows.flows.tuning.parents import parents_known
from amt_flows.flows.tuning.run_tuning import run_tuning, this_flow_run
from amt_flows.flows.tuning.saved import saved_tuning_job
from amt_flows.names import nearest
from amt_flows.results import TuningResult
from amt_flows.spec import TuningSpec
from amt_flows.spec.dotted import copied, put
from amt_flows.spec.form import editable


class RangeEnds(BaseModel):
    """Other ends for the range of a hyperparameter."""

    model_config = ConfigDict(
        extra="forbid", use_attribute_docstrings=True, json_schema_extra=editable, title="Range"
    )

    name: str = Field(min_length=1, title="Hyperparameter")
    """Which hyperparameter, by its name in the saved tuning job, e.g. learning_rate."""
    smallest: float | None = Field(default=None, title="Smallest", allow_inf_nan=False)
    """The smallest value to try. Left empty: as it is saved."""
    largest: float | None = Field(default=None, title="Largest", allow_inf_nan=False)
    """The largest value to try. Left empty: as it is saved."""


def _flow_run_name() -> str:
    return quick_name(runtime.flow_run.parameters, this_flow_run().flow_run.id)


@required_in_the_form
@flow(
    name=QUICK,
    flow_run_name=_flow_run_name,
    persist_result=True,
    result_serializer=SERIALIZER,
    on_cancellation=[stop_on_cancellation],
    on_crashed=[stop_after_crash],
    validate_parameters=False,
)
@in_sentences
def tune_quick(
    saved: Annotated[str, labelled("Saved tuning job"), Field(min_length=1)],
    jobs: Annotated[int, labelled("Training jobs in all"), Field(ge=0)] = 0,
    parallel: Annotated[int, labelled("Training jobs at once"), Field(ge=0)] = 0,
    minutes: Annotated[float, labelled("Minutes in all"), Field(ge=0)] = 0.0,
    target: Annotated[OptionalNumber, labelled_text("Good enough at")] = None,
    ranges: Annotated[list[RangeEnds], labelled("Other ranges")] = [],  # noqa: B006 - Prefect copies it
    home: Home = None,
) -> TuningResult:
    """Tune as somebody has saved it, with what you change here. What is left at 0 or empty stays as it is
    saved.

    Each run is a tuning job of its own, named after the saved one and the run.

    Args:
        saved: Which tuning job, by the name under which it was saved: that of a file or a block.
        jobs: After how many training jobs to end, e.g. 20. 0 leaves it as it is saved.
        parallel: How many training jobs run at the same time, e.g. 2. 0 leaves it as it is saved.
        minutes: After how many minutes to end, with the best so far. 0 leaves it as it is saved.
        target: The value of the objective that is good enough, e.g. 0.95. Once a training job reaches it
            the tuning job ends. Left empty: as it is saved.
        ranges: Where to search a hyperparameter instead of where it is saved, e.g. learning_rate from
            0.001 to 0.1. Hyperparameters that are not in this list are searched as saved.
        home: Where tuning jobs are kept, a directory or s3://bucket/folder. Empty: where the block says, or
            $AMT_FLOWS_HOME, or ~/.amt-flows.
    """
    found = saved_tuning_job(saved, home)
    limits = {
        "limits.max_number_of_training_jobs": jobs or None,
        "limits.max_parallel_training_jobs": parallel or None,
        "limits.max_runtime_seconds": round(60 * minutes) or None,
        "completion.target_objective_metric_value": target,
    }
    spec = _with(found.spec, limits, ranges).named(quick_name({"saved": saved}, this_flow_run().flow_run.id))
    get_run_logger().info("Tuning as saved under %s.", found.name)
    kept_in: Place = found.home
    return or_cancelled(
        lambda: run_tuning(
            spec,
            backend=found.place,
            journal=open_journal(str(spec.name), kept_in),
            parents=parents_known(kept_in, found.place),
        )
    )


def _with(spec: TuningSpec, changes: dict[str, Any], ranges: list[RangeEnds]) -> TuningSpec:
    """Raises SpecError for a range of no hyperparameter, and for what the spec may not be."""
    content = copied(spec.to_json())
    for path, value in changes.items():
        if value is not None:
            put(content, path, value)
    known = {one["name"]: one for kind in ("continuous", "integer") for one in content.get(kind, ())}
    whole = {one["name"] for one in content.get("integer", ())}
    problems = []
    for place, one in enumerate(ranges):
        if one.name not in known:
            meant = nearest(one.name, tuple(known))
            message = f"no range of the saved tuning job; write {meant or ' or '.join(known)}"
            problems.append(Problem(f"ranges[{place}].name", one.name, message))
            continue
        for end, value in (("min_value", one.smallest), ("max_value", one.largest)):
            if value is not None:
                known[one.name][end] = int(value) if one.name in whole and value == int(value) else value
    if problems:
        raise SpecError(problems)
    return TuningSpec.parse(content)
