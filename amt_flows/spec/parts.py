"""What a spec is made of: its choices, its parts, and the fields of a whole tuning job.

Fields carry AMT's names in snake_case; the ranges are AMT's three typed lists. What pydantic can say about
one field stands here; the rules between fields stand in :mod:`amt_flows.spec.rules` and its neighbours.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import shlex
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from amt_flows.space.space import (
    Categorical,
    Continuous,
    Integer,
    Parameter,
    Scaling,
    as_text,
    resolve_scaling,
)
from amt_flows.spec import form

MOST_CONSTRAINTS = 30
MOST_OTHER_OBJECTIVES = 3


class Part(BaseModel):
    """What all parts of a spec share: frozen, and a misspelt field is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        field_title_generator=form.title,
        model_title_generator=form.part_title,
        json_schema_extra=form.editable,
    )


class ObjectiveType(str, Enum):
    MAXIMIZE = "Maximize"
    MINIMIZE = "Minimize"


class StrategyType(str, Enum):
    BAYESIAN = "Bayesian"
    RANDOM = "Random"
    GRID = "Grid"
    QUASI_RANDOM = "QuasiRandom"
    HYPERBAND = "Hyperband"


class EarlyStoppingType(str, Enum):
    OFF = "Off"
    AUTO = "Auto"


class ComparedJobs(str, Enum):
    """Whose curves the early-stopping rule compares with."""

    COMPLETED = "completed"
    ENDED = "ended"
    ALL = "all"


class HyperbandProposals(str, Enum):
    """Who chooses the configurations that Hyperband runs."""

    RANDOM = "random"
    MODEL = "model"


class BestEligible(str, Enum):
    """Which jobs may be the best training job."""

    COMPLETED = "completed"
    COMPLETED_AND_STOPPED = "completed_and_stopped"


class WarmStartType(str, Enum):
    IDENTICAL_DATA_AND_ALGORITHM = "IdenticalDataAndAlgorithm"
    TRANSFER_LEARNING = "TransferLearning"


class Objective(Part):
    metric_name: str = Field(min_length=1, max_length=255)
    """The metric to optimise, as named in the metric definitions, e.g. `validation:accuracy`."""
    type: ObjectiveType = ObjectiveType.MAXIMIZE
    """Whether a larger or a smaller value is better."""


def _text(value: object) -> object:
    """Numbers and booleans are welcome where AMT wants strings."""
    return as_text(value) if isinstance(value, bool | int | float) else value


Text = Annotated[str, BeforeValidator(_text)]


class Written(str):
    """A hyperparameter's value as the text that a training job gets, which is JSON's for what is no text
    itself, and the value as it was given, which a Python function gets."""

    given: object

    def __new__(cls, text: str, given: object) -> Written:
        written = super().__new__(cls, text)
        written.given = given
        return written

    def __reduce__(self) -> tuple[object, ...]:
        return Written, (str(self), self.given)


def given_value(text: str) -> object:
    """The value behind a text of a spec, as it was given."""
    return text.given if isinstance(text, Written) else str(text)


def _written(value: object, as_str: ValidatorFunctionWrapHandler) -> str:
    if isinstance(value, str):
        return value if isinstance(value, Written) else str(as_str(value))
    if value is None or isinstance(value, bool | int | float):
        finite = not isinstance(value, float) or math.isfinite(value)
        return Written(as_text(value), value) if finite else as_text(value)
    if isinstance(value, list | tuple):
        try:
            return Written(json.dumps(value, allow_nan=False), json.loads(json.dumps(value)))
        except (TypeError, ValueError, RecursionError):
            pass
    instead = "give what is in it as hyperparameters of their own"
    if isinstance(value, datetime.date | datetime.time):
        instead = f'write it as a text, "{value.isoformat()}"'
    raise ValueError(
        "must be a text, a number, true or false, null, or a list of these: as one value of a hyperparameter "
        f"nothing else can be carried to a training job; {instead}"
    )


def _choice_text(value: object) -> object:
    return as_text(value) if value is None or isinstance(value, list) else _text(value)


ChoiceText = Annotated[str, BeforeValidator(_choice_text)]
"""The text of a choice, however it is given."""


def _to_json(text: str, info: SerializationInfo) -> object:
    return str(text) if (info.context or {}).get(_AS_TEXTS) else given_value(text)


_AS_TEXTS = "choices as texts"

Choice = Annotated[str, WrapValidator(_written), PlainSerializer(_to_json, return_type=Any, when_used="json")]
"""A text, number, boolean, null or list: what hyperparameters that have no order may be."""


class OnlyWhen(Part):
    name: str = Field(min_length=1, max_length=256)
    """The categorical or integer hyperparameter that decides, e.g. `optimizer`."""
    values: tuple[ChoiceText, ...] = Field(min_length=1, max_length=100)
    """The values of it with which this hyperparameter is used, e.g. `sgd`."""


class ContinuousRange(Part):
    name: str = Field(min_length=1, max_length=256)
    """The hyperparameter's name."""
    min_value: float = Field(allow_inf_nan=False)
    """The smallest value to try."""
    max_value: float = Field(allow_inf_nan=False)
    """The largest value to try."""
    scaling_type: Scaling = Scaling.AUTO
    """How the range is searched. Auto: logarithmic when it spans two orders of magnitude or more."""
    step: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Try only `min_value + k * step`. Empty: any value."""
    only_when: OnlyWhen | None = None
    """Use it only when another hyperparameter has one of some values. Empty: always."""

    def parameter(self) -> Parameter:
        scaling = resolve_scaling(self.scaling_type, self.min_value, self.max_value, continuous=True)
        auto = self.scaling_type is Scaling.AUTO
        return Continuous(self.name, self.min_value, self.max_value, scaling, self.step, auto=auto)


class IntegerRange(Part):
    name: str = Field(min_length=1, max_length=256)
    """The hyperparameter's name."""
    min_value: int
    """The smallest value to try."""
    max_value: int
    """The largest value to try."""
    scaling_type: Scaling = Scaling.AUTO
    """How the range is searched. Auto: logarithmic when it spans two orders of magnitude or more."""
    step: int = Field(default=1, ge=1)
    """Try only `min_value + k * step`."""
    only_when: OnlyWhen | None = None
    """Use it only when another hyperparameter has one of some values. Empty: always."""

    def parameter(self) -> Parameter:
        scaling = resolve_scaling(self.scaling_type, self.min_value, self.max_value, continuous=False)
        auto = self.scaling_type is Scaling.AUTO
        return Integer(self.name, self.min_value, self.max_value, scaling, self.step, auto=auto)


class CategoricalRange(Part):
    name: str = Field(min_length=1, max_length=256)
    """The hyperparameter's name."""
    values: tuple[Choice, ...] = Field(min_length=1, max_length=30)
    """The values to choose from. A command gets numbers, booleans, null and lists as JSON writes them, as
    SageMaker passes them; a function gets them as they are."""
    ordered: bool = False
    """The values have an order, such as small, medium, large: neighbours are taken to be alike."""
    only_when: OnlyWhen | None = None
    """Use it only when another hyperparameter has one of some values. Empty: always."""

    def parameter(self) -> Parameter:
        return Categorical(self.name, tuple(str(value) for value in self.values), self.ordered)


class AutoParameter(Part):
    name: str = Field(min_length=1, max_length=256)
    """The hyperparameter whose range is chosen for you."""
    value_hint: Text = Field(min_length=1, max_length=256)
    """A value that usually works, from which its range is chosen."""


def _limits(value: object) -> object:
    """``{"gpu": 2}`` as the texts that stand for it."""
    if isinstance(value, str):
        return (value,)
    return tuple(f"{name}={slots}" for name, slots in value.items()) if isinstance(value, Mapping) else value


class ResourceLimits(Part):
    max_parallel_training_jobs: int = Field(default=1, ge=1)
    """How many training jobs run at once."""
    max_number_of_training_jobs: int | None = Field(default=None, ge=1)
    """Complete after launching this many training jobs (failed and stopped ones count)."""
    max_runtime_seconds: int | None = Field(default=None, ge=1)
    """Complete after this much wall-clock time since the tuning job was created."""
    max_cost: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Never spend more than this; each job's worst case is reserved before it is launched."""
    prefer_cheap: bool = False
    """Of configurations that look equally promising, try the one whose training should take least time."""
    max_failed_training_jobs: int = Field(default=5, ge=1)
    """Fail the tuning job after this many failed training jobs with no success at all. One that was lost with
    its machine and is tried again has not failed yet."""
    concurrency_limits: Annotated[tuple[str, ...], BeforeValidator(_limits)] = Field(
        default=(), max_length=10
    )
    """Prefect's global concurrency limits of which each training job holds a slot while it runs, e.g. `gpu`,
    or `gpu=2` for two: a quota that all pipelines of a server share."""
    max_failed_training_jobs_in_total: int | None = Field(default=None, ge=1)
    """Fail the tuning job after this many failed training jobs, successes or not. Empty: no limit."""


class CompletionCriteria(Part):
    target_objective_metric_value: float | None = Field(default=None, allow_inf_nan=False)
    """Complete once a training job reaches this objective value."""
    max_number_of_training_jobs_not_improving: int | None = Field(default=None, ge=1)
    """Complete after this many finished training jobs in a row that did not improve the best."""
    complete_on_convergence: bool = Field(default=False, json_schema_extra=form.unsaid)
    """Complete once further improvement by more than 1 % is unlikely. Untouched: no, but with Autotune."""
    target_on_epochs: bool = False
    """Let the target also be reached by an epoch of a job that is still running."""
    min_relative_improvement: float = Field(default=0.0, ge=0, lt=1)
    """How much better, relative to the best, a job must be to count as an improvement."""


class EarlyStopping(Part):
    type: EarlyStoppingType = Field(default=EarlyStoppingType.OFF, json_schema_extra=form.unsaid)
    """Auto: stop a training job whose epoch is worse than the median of earlier jobs' running averages. Not
    chosen: Off, or what Autotune chooses."""
    compare_with: ComparedJobs = ComparedJobs.COMPLETED
    """Whose curves are compared with."""
    min_jobs: int | None = Field(default=None, ge=1)
    """Don't judge before this many jobs can be compared with. Empty: 1 while all jobs are seen to run equally
    long, otherwise 2."""
    grace_epochs: int | None = Field(default=None, ge=0)
    """Don't judge an epoch before this one. Empty: a tenth of the completed jobs' median length."""
    spare_hopeful: bool | None = None
    """Spare a job that may still reach the best. Empty: yes, unless `min_jobs` is 1 and `grace_epochs` 0."""
    beyond_median: bool = False
    """In the second half, also stop a job better than the median that can't reach the best any more."""


class Hyperband(Part):
    min_resource: int = Field(default=1, ge=1)
    """The least resource (epochs) a training job gets before it may be stopped."""
    max_resource: int = Field(ge=1)
    """The most resource (epochs) a training job can use; one that has used it is ended, as completed."""
    proposals: HyperbandProposals = HyperbandProposals.RANDOM
    """How configurations are chosen: at random, as Hyperband does, or by the Bayesian strategy's model."""
    resume_stopped: bool = False
    """A job that was stopped at a rung, and is among the best there once more have come, goes on from its
    checkpoints as a further training job. For scripts that write checkpoints and go on from them."""


class WarmStart(Part):
    type: WarmStartType
    """Whether the parents had the same data and algorithm, or similar ones."""
    parents: tuple[str, ...] = Field(min_length=1, max_length=5)
    """The names of one to five finished tuning jobs, or paths of CSV files of training jobs (`jobs.csv`)."""

    def anchored(self, directory: Path) -> WarmStart:
        """The same, with the relative paths of CSV files resolved against ``directory``."""
        parents = tuple(anchored_table(name, directory) for name in self.parents)
        return self.model_copy(update={"parents": parents})


AUTO_LEARNING: Final = "auto"
"""In ``learn_from``: whichever earlier tuning jobs have searched this space."""


def _learnt_from(value: object) -> object:
    """A word, or names between commas, as they stand on a command line and in a file's text."""
    if isinstance(value, str):
        return () if value.strip().lower() in ("", "off") else tuple(one.strip() for one in value.split(","))
    return () if value is None or value is False else value


LearnFrom: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_learnt_from), Field(max_length=5)]


def is_table(parent: str) -> bool:
    """Whether a parent is the path of a CSV file rather than the name of a tuning job, which has no dot."""
    return parent.lower().endswith(".csv")


def anchored_table(parent: str, directory: Path) -> str:
    """The same parent, with the relative path of a CSV file resolved against ``directory``."""
    return str(directory / parent) if is_table(parent) else parent


class Tracking(Part):
    """Where people look at runs, beside the record: each training job is shown there while it runs."""

    mlflow: str = Field(min_length=1, max_length=2000)
    """MLflow's tracking URI, e.g. `http://mlflow.example:5000`, or `sqlite:///mlflow.db`. No secret stands in
    it: MLflow's own variables say who signs in (`MLFLOW_TRACKING_USERNAME` and its like)."""
    experiment: str = Field(default="amt-flows", min_length=1, max_length=500)
    """The experiment that the runs belong to; it is made if there is none of that name."""

    def anchored(self, directory: Path) -> Tracking:
        """The same, with the relative path of a store on this machine resolved against ``directory``."""
        return self.model_copy(update={"mlflow": anchored_uri(self.mlflow, directory)})


_SQLITE = "sqlite:///"


def anchored_uri(uri: str, directory: Path) -> str:
    """A tracking URI with its relative path resolved: ``sqlite:///runs.db``, or a directory."""
    if uri.startswith(_SQLITE):
        path = uri.removeprefix(_SQLITE)
        return uri if path.startswith("/") or not path else f"{_SQLITE}{directory / path}"
    # A word alone, such as databricks, is a name that MLflow knows.
    return str(directory / uri) if uri.startswith((".", "~")) or ("/" in uri and ":" not in uri) else uri


def _tracking(value: object) -> object:
    """A tracking URI alone will do."""
    return {"mlflow": value} if isinstance(value, str) else value


class MetricDefinition(Part):
    name: str = Field(min_length=1, max_length=255)
    """The metric's name."""
    regex: str = Field(min_length=1, max_length=500)
    """A regular expression searched in each output line; its group 1 is the value."""


def _command(value: object) -> object:
    return tuple(shlex.split(value)) if isinstance(value, str) else value


class Resources(Part):
    """What one training job needs of a machine. Left out: it shares what there is with all the others."""

    gpus: float | None = Field(default=None, ge=0, le=1024, allow_inf_nan=False)
    """GPUs: a whole number, or a part of one such as 0.5. The job sees its own only; 0: none."""
    cpus: float | None = Field(default=None, gt=0, le=65536, allow_inf_nan=False)
    """CPUs, e.g. 2 or 0.5. The thread counts of the usual libraries follow it."""
    memory_gb: float | None = Field(default=None, gt=0, le=1_048_576, allow_inf_nan=False)
    """Memory in GB (10^9 bytes). A job that uses more is ended as failed."""
    custom: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    """Whatever else there is a number of, by its name, e.g. `{"licence": 1}`."""

    @property
    def is_asked(self) -> bool:
        """Whether anything is."""
        return bool(self.amounts())

    def amounts(self) -> dict[str, float]:
        """What is asked for, by its name."""
        own = {"gpus": self.gpus, "cpus": self.cpus, "memory_gb": self.memory_gb}
        return {**{name: amount for name, amount in own.items() if amount is not None}, **self.custom}


class TrainingJobTemplate(Part):
    """How one training job is run. Locally: `command` or `function`; on SageMaker: `sagemaker`."""

    command: Annotated[tuple[str, ...], BeforeValidator(_command)] = ()
    """The program and its arguments, e.g. `python train.py`. Started without a shell."""
    function: str | None = None
    """Instead of a command: `package.module:function`, called with the hyperparameters. What was given
    in Python and has no module is kept in the home, and stands here as `value:name:hash`."""
    warm: tuple[str, ...] = ()
    """Modules that the script of `python script.py` imports and that are imported once for all its jobs,
    which start as copies of that process: `["sklearn", "torch"]`. On this machine, on Linux."""
    metric_definitions: tuple[MetricDefinition, ...] = ()
    """How metrics are read from the output. Empty: the lines that `amt_flows.reporting.report` prints."""
    inputs: dict[str, str] = Field(default_factory=dict)
    """Input channels, e.g. `{"train": "/data/digits"}`: the job finds the place in `SM_CHANNEL_TRAIN`."""
    environment: dict[str, Text] = Field(default_factory=dict)
    """More environment variables for the job, e.g. `{"OMP_NUM_THREADS": "1"}`. Not for secrets."""
    secret_environment: tuple[str, ...] = ()
    """Names of variables of the machine that runs this, handed on to training jobs and recorded nowhere."""
    working_directory: str | None = None
    """Where the command starts. Empty: where the flow or the command line was started."""
    hyperparameters_as_arguments: bool = True
    """Append `--name value` to the command for every hyperparameter, as SageMaker's script mode does."""
    flags: tuple[str, ...] = ()
    """Hyperparameters that are flags of the command: `amp` becomes `--amp` when it is true and nothing when
    it is false, `amp/no-amp` becomes `--amp` or `--no-amp`."""
    output_path: str | None = Field(default=None, pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$")
    """Where in S3 the machine that trained a model uploads it: `s3://bucket/prefix`. Empty: it stays in the
    job's directory. On SageMaker `OutputDataConfig.S3OutputPath` says it."""
    max_runtime_seconds: int | None = Field(default=None, ge=1)
    """Stop a training job after this long; it keeps its last metric."""
    stop_grace_seconds: float = Field(default=120.0, ge=0, le=3600)
    """How long a job has between SIGTERM and SIGKILL to save its work."""
    max_retry_attempts: int = Field(default=2, ge=0, le=30)
    """How often a trial is tried again after a failure of the infrastructure (never of the training)."""
    resources: Resources = Resources()
    """What each training job needs of a machine: GPUs, CPUs, memory."""
    runtime_env: dict[str, Any] = Field(default_factory=dict)
    """On Ray: the job's runtime environment, in Ray's words, e.g. `{"pip": ["torch"]}`."""
    job_variables: dict[str, Any] = Field(default_factory=dict)
    """In a Prefect work pool: job variables of the flow run, e.g. `{"image": "team/train:7"}`."""
    price_per_hour: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """What one hour of one training job costs, in any currency; needed by `max_cost`."""
    sagemaker: dict[str, Any] = Field(default_factory=dict)
    """The rest of AMT's TrainingJobDefinition, in its own words (RoleArn, AlgorithmSpecification, ...)."""

    def anchored(self, directory: Path) -> TrainingJobTemplate:
        """The same template with its relative local paths resolved against ``directory``."""
        if not self.command and self.function is None:
            return self
        inputs = {
            name: place if "://" in place else str(directory / place) for name, place in self.inputs.items()
        }
        where = str(directory / (self.working_directory or "."))
        return self.model_copy(update={"working_directory": where, "inputs": inputs})


class Definition(Part):
    """One algorithm of a multi-algorithm tuning job, beside the first one, which is the spec's own."""

    definition_name: str = Field(min_length=1, max_length=64)
    """The name that tells this algorithm's training jobs from the others'."""
    objective: Objective
    """What to optimise."""
    continuous: tuple[ContinuousRange, ...] = ()
    """Real hyperparameters."""
    integer: tuple[IntegerRange, ...] = ()
    """Whole-number hyperparameters."""
    categorical: tuple[CategoricalRange, ...] = ()
    """Hyperparameters with a few values."""
    auto_parameters: tuple[AutoParameter, ...] = ()
    """Hyperparameters whose range is chosen for you."""
    constraints: tuple[str, ...] = Field(default=(), max_length=MOST_CONSTRAINTS)
    """Expressions that every configuration must meet, e.g. `layers * units <= 1024`."""
    static_hyperparameters: dict[str, Choice] = Field(default_factory=dict)
    """Hyperparameters that every training job gets unchanged, e.g. `{"epochs": "30"}`."""
    training_job: TrainingJobTemplate = TrainingJobTemplate()
    """How one training job is run."""


class TuningFields(Part):
    """The fields of a tuning job as they were given, whether or not they break a rule: what the rules, and
    whatever else only reads a spec, are given. :class:`amt_flows.spec.TuningSpec` breaks none."""

    name: str | None = None
    """1 to 32 letters, digits and hyphens. Left out: derived from the flow run, or made up."""
    objective: Objective
    """What to optimise."""
    continuous: tuple[ContinuousRange, ...] = ()
    """Real hyperparameters, e.g. a learning rate."""
    integer: tuple[IntegerRange, ...] = ()
    """Whole-number hyperparameters, e.g. a batch size."""
    categorical: tuple[CategoricalRange, ...] = ()
    """Hyperparameters with a few values, e.g. an optimizer."""
    constraints: tuple[str, ...] = Field(default=(), max_length=MOST_CONSTRAINTS)
    """Expressions that every configuration must meet, e.g. `layers * units <= 1024`."""
    training_job: TrainingJobTemplate = TrainingJobTemplate()
    """How one training job is run."""
    limits: ResourceLimits = ResourceLimits()
    """How much may run at once and in total."""
    completion: CompletionCriteria = CompletionCriteria()
    """When the tuning job is done; any one criterion completes it."""
    early_stopping: EarlyStopping = EarlyStopping()
    """Whether training jobs that look worse than the median are stopped early."""
    strategy: StrategyType = StrategyType.BAYESIAN
    """How the next configuration is chosen."""
    static_hyperparameters: dict[str, Choice] = Field(default_factory=dict)
    """Hyperparameters that every training job gets unchanged, e.g. `{"epochs": "30"}`."""
    first_configurations: tuple[dict[str, ChoiceText], ...] = ()
    """Configurations to try first, in this order, e.g. your current one: a value for each tuned one."""
    known_starts: bool = True
    """With the Bayesian strategy, try first what is known to work: the script's own defaults and value hints,
    and good configurations of a well-known algorithm that is recognised."""
    warm_start: WarmStart | None = None
    """Earlier tuning jobs to learn from, as AMT does."""
    learn_from: LearnFrom = ()
    """Start from what was found before: `auto` for the latest tuning jobs of this home that searched this
    space, or the names of up to five. Their best are tried first, their results are hints. Not AMT's."""
    autotune: bool = False
    """Let the number of training jobs, early stopping and convergence be chosen for you, where you say
    nothing about them."""
    auto_parameters: tuple[AutoParameter, ...] = ()
    """Hyperparameters whose range is chosen for you from a value hint."""
    best_eligible: BestEligible = BestEligible.COMPLETED
    """Which jobs may be the best training job; stopped ones too when jobs run into a time limit."""
    other_objectives: tuple[Objective, ...] = Field(default=(), max_length=MOST_OTHER_OBJECTIVES)
    """Further metrics to trade off against the objective: the result has the Pareto front."""
    seed: int | None = Field(default=None, ge=0)
    """Makes the proposals reproducible. Empty: drawn anew for each tuning job, and recorded."""
    tags: dict[str, Text] = Field(default_factory=dict)
    """Passed on to every training job, e.g. `{"team": "vision"}`."""
    tracking: Annotated[Tracking | None, BeforeValidator(_tracking)] = None
    """Where the tuning job is shown to people while it runs: an MLflow server."""
    hyperband: Hyperband | None = None
    """Only with the Hyperband strategy: its resources."""
    definition_name: str | None = Field(default=None, min_length=1, max_length=64)
    """The name of this algorithm; needed when there are others."""
    other_definitions: tuple[Definition, ...] = Field(default=(), max_length=9)
    """Further algorithms to tune in the same tuning job."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values in our own shape; ``TuningSpec.parse`` reads it back to an equal spec.

        Choices are texts, as a command gets them; where a function is called they are what was given.
        """
        jobs = [self.training_job, *(other.training_job for other in self.other_definitions)]
        as_texts = all(job.function is None for job in jobs)
        content = self.model_dump(mode="json", exclude_defaults=True, context={_AS_TEXTS: as_texts})
        if self.autotune:
            # What is said wins over what Autotune would choose, so it must not get lost when it is a default.
            for name in ("early_stopping", "completion"):
                part: Part = getattr(self, name)
                said = part.model_dump(mode="json", include=part.model_fields_set & _LEFT_TO_AUTOTUNE)
                if said:
                    content[name] = {**said, **content.get(name, {})}
        return content

    @property
    def other_metrics(self) -> tuple[str, ...]:
        """The names of ``other_objectives``."""
        return tuple(one.metric_name for one in self.other_objectives)

    @property
    def maximize(self) -> bool:
        return self.objective.type is ObjectiveType.MAXIMIZE

    def fingerprint(self) -> str:
        """64 hex digits that are equal for two specs exactly when all but their names are equal, and but for
        where they are shown: a tuning job stays the same one, whoever looks on."""
        content = self.to_json()
        content.pop("name", None)
        content.pop("tracking", None)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


_LEFT_TO_AUTOTUNE = {"type", "complete_on_convergence"}
"""The settings with a default that Autotune may choose otherwise."""


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The fields in which two specs (as JSON) differ, one readable line each."""
    lines: list[str] = []
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        # 1, 1.0 and true are one to Python, and three values to a training job.
        if json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True):
            continue
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            lines += differences(a, b, f"{prefix}{key}.")
        else:
            lines.append(f"{prefix}{key}: {_shown(a)} -> {_shown(b)}")
    return lines


def _shown(value: object) -> str:
    return "(default)" if value is None else json.dumps(value)
