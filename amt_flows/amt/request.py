"""From our spec to the request that hands its tuning job to AMT; and every reason why AMT couldn't run it.

Decided here, once:

- Settings that say how a job runs on one's own machine (``LOCAL``), and what an hour of one costs, are none
  of AMT's business: the first are read by the local backend only, the price by us.
- ``inputs`` in S3 become channels, and an objective without a metric definition gets the one that finds
  ``report``'s lines, as in the requests of :mod:`amt_flows.backends.sagemaker`.
- That the values of a category have an order is a hint for our own model, and left out. Conditions and
  constraints would be broken by AMT, and are refused.
- A tag has the spec's fingerprint. It isn't the one of our own training jobs: AMT passes it on to its
  training jobs, which our backend would then take for its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from amt_flows.backends.sagemaker.model_rules import violations
from amt_flows.backends.sagemaker.request import channels_of, sent_definitions
from amt_flows.backends.sagemaker.service_model import Steps
from amt_flows.backends.sagemaker.tags import MAX_TAGS
from amt_flows.errors import Problem, SpecError
from amt_flows.ledger.algorithms import not_comparable
from amt_flows.spec import CategoricalRange, Definition, TrainingJobTemplate, TuningSpec
from amt_flows.spec.amt_fields import SINGLE, TUNING, algorithm_places, one_of_several
from amt_flows.spec.amt_request import to_amt_request
from amt_flows.spec.dotted import MISSING, copied, dotted, get, steps_of

HANDED_OFF: Final = "amt-flows-handed-off"
"""The tag with the fingerprint of the spec that a tuning job was made from."""

LOCAL: Final = (
    "command",
    "function",
    "hyperparameters_as_arguments",
    "flags",
    "working_directory",
    "stop_grace_seconds",
    "output_path",
)
OURS: Final = (*LOCAL, "price_per_hour")


def amt_request(spec: TuningSpec) -> dict[str, Any]:
    """The body of CreateHyperParameterTuningJob.

    Raises SpecError with everything that AMT would refuse, and with every setting that it knows nothing of.
    """
    problems = [*_tags(spec), *not_comparable(spec)]
    asked = spec
    try:
        asked = in_amts_terms(spec)
    except ValueError as error:
        problems.append(Problem("objective.metric_name", spec.objective.metric_name, str(error)))
    try:
        body = to_amt_request(asked)
    except SpecError as error:
        raise SpecError([*problems, *error.problems]) from None
    body["Tags"] = [*body.get("Tags", ()), {"Key": HANDED_OFF, "Value": spec.fingerprint()}]
    named = {problem.field for problem in problems}
    for one in violations("CreateHyperParameterTuningJob", body):
        field = own_field(asked, one.steps)
        if field not in named:
            problems.append(Problem(field, one.value, one.message))
    if problems:
        raise SpecError(problems)
    return body


def in_amts_terms(spec: TuningSpec) -> TuningSpec:
    """The same tuning job with nothing in it that has another form in AMT's request. Raises ValueError for an
    objective that can't be read from the output."""
    template = _template(spec.training_job, spec.objective.metric_name)
    others = tuple(_definition(other) for other in spec.other_definitions)
    changed: dict[str, Any] = {"training_job": template, **_without_order(spec.categorical)}
    if spec.tracking is not None:
        changed["tracking"] = None  # whoever follows the tuning job has it shown
    return spec.model_copy(update=changed | ({"other_definitions": others} if others else {}))


def _definition(other: Definition) -> Definition:
    template = _template(other.training_job, other.objective.metric_name)
    return other.model_copy(update={"training_job": template, **_without_order(other.categorical)})


def _without_order(ranges: tuple[CategoricalRange, ...]) -> dict[str, Any]:
    """What changes for that: nothing where no range has one, since what isn't said isn't written."""
    if not any(one.ordered for one in ranges):
        return {}
    return {"categorical": tuple(one.model_copy(update={"ordered": False}) for one in ranges)}


def _template(given: TrainingJobTemplate, objective_metric: str) -> TrainingJobTemplate:
    fields = type(given).model_fields
    update: dict[str, Any] = {name: fields[name].get_default(call_default_factory=True) for name in OURS}
    # A registered algorithm brings its own definitions.
    if get(given.sagemaker, "AlgorithmSpecification.AlgorithmName") is MISSING:
        sent = sent_definitions(given, objective_metric)
        if sent != given.metric_definitions:
            update["metric_definitions"] = sent
    if given.inputs and all(address.startswith("s3://") for address in given.inputs.values()):
        verbatim = copied(given.sagemaker)
        verbatim["InputDataConfig"] = [*verbatim.get("InputDataConfig", ()), *channels_of(given.inputs)]
        update |= {"sagemaker": verbatim, "inputs": {}}
    return given.model_copy(update=update)


def _tags(spec: TuningSpec) -> Iterator[Problem]:
    if len(spec.tags) >= MAX_TAGS:
        yield Problem("tags", len(spec.tags), f"AMT takes {MAX_TAGS}, of which one is ours; leave one out")
    if HANDED_OFF in spec.tags:
        yield Problem(f"tags.{HANDED_OFF}", HANDED_OFF, "is set by amt-flows; choose another name")


def own_field(spec: TuningSpec, steps: Steps) -> str:
    """Where the member at ``steps`` of AMT's request stands in a spec; AMT's own path if nowhere."""
    count = 1 + len(spec.other_definitions)
    algorithms = [one_of_several(i) for i in range(count)] if spec.other_definitions else [SINGLE]
    for where in algorithms:
        for place in (*TUNING, *algorithm_places(where)):
            rest = _below(steps, place.amt)
            if rest is not None:
                return place.own + _within(rest, {item.amt: item.own for item in place.items})
        rest = _below(steps, where.definition)
        if rest is not None:
            return dotted((*steps_of(f"{where.own}training_job.sagemaker"), *rest))
    return dotted(steps)


def _below(steps: Steps, path: str) -> Steps | None:
    prefix = tuple(steps_of(path))
    return steps[len(prefix) :] if steps[: len(prefix)] == prefix else None


def _within(rest: Steps, members: Mapping[str, str]) -> str:
    named = (members.get(step, step) if isinstance(step, str) else step for step in rest)
    # An element that is itself the value has no name in ours.
    below = dotted(step for step in named if step != "")
    return below if below.startswith("[") or not below else f".{below}"
