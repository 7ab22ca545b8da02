"""What people type who come from another tool: the advice is right, or there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from amt_flows.backends.local.check import problems_of as problems_here
from amt_flows.spec import TuningSpec
from amt_flows.spec.amt_fields import CONFIG, ONE
from amt_flows.spec.dotted import MISSING
from spec.bodies import bayesian
from spec.samples import changed, good, problems_of, several

TOTAL: Final = "limits.max_number_of_training_jobs"
PARALLEL: Final = "limits.max_parallel_training_jobs"
TIME: Final = "limits.max_runtime_seconds"
SAGEMAKER: Final = "training_job.sagemaker"

# (whose name it is, what is typed, its value, what the message says to write)
RIGHT: list[tuple[str, str, Any, str]] = [
    # guessed from AMT's names
    ("AMT", "limits.max_training_jobs", 10, "max_number_of_training_jobs"),
    ("AMT", "limits.max_number_training_jobs", 10, "max_number_of_training_jobs"),
    ("AMT", "limits.parallel_training_jobs", 2, "max_parallel_training_jobs"),
    ("AMT", "limits.max_runtime", 60, "max_runtime_seconds"),
    ("AMT", "limits.MaxRuntimeInSeconds", 60, "max_runtime_seconds"),
    ("AMT", "max_runtime", 60, TIME),
    # SageMaker's SDK
    ("SDK", "max_jobs", 10, TOTAL),
    ("SDK", "max_parallel_jobs", 2, PARALLEL),
    ("SDK", "max_runtime_in_seconds", 60, TIME),
    ("SDK", "objective_metric_name", "accuracy", "objective.metric_name"),
    ("SDK", "objective_type", "Maximize", "objective.type"),
    ("SDK", "early_stopping_type", "Auto", "early_stopping.type"),
    ("SDK", "random_seed", 3, "seed"),
    ("SDK", "base_tuning_job_name", "a", "name"),
    ("SDK", "role", "arn:aws:iam::123456789012:role/R", f"{SAGEMAKER}.RoleArn"),
    ("SDK", "training_job.instance_type", "ml.m5.large", f"{SAGEMAKER}.ResourceConfig.InstanceType"),
    ("SDK", "training_job.image_uri", "i", f"{SAGEMAKER}.AlgorithmSpecification.TrainingImage"),
    ("SDK", "training_job.max_run", 60, "max_runtime_seconds"),
    ("SDK", "training_job.source_dir", ".", "working_directory"),
    ("SDK", "training_job.entry_point", "train.py", "command"),
    ("SDK", "training_job.hyperparameters", {"a": "1"}, "static_hyperparameters"),
    ("SDK", "output_path", "s3://b/o", f"{SAGEMAKER}.OutputDataConfig.S3OutputPath"),
    # Optuna
    ("Optuna", "n_trials", 10, TOTAL),
    ("Optuna", "timeout", 60, TIME),
    ("Optuna", "n_jobs", 2, PARALLEL),
    ("Optuna", "study_name", "a", "name"),
    ("Optuna", "direction", "maximize", 'objective.type` = "Maximize"'),
    ("Optuna", "sampler", "Random", "strategy"),
    ("Optuna", "pruner", {"type": "Auto"}, "early_stopping"),
    ("Optuna", "early_stopping.n_startup_trials", 5, "min_jobs"),
    ("Optuna", "early_stopping.n_warmup_steps", 5, "grace_epochs"),
    ("Optuna", "continuous[0].log", True, 'scaling_type` = "Logarithmic"'),
    # Ray Tune
    ("Ray", "num_samples", 10, TOTAL),
    ("Ray", "max_concurrent_trials", 2, PARALLEL),
    ("Ray", "time_budget_s", 60, TIME),
    ("Ray", "metric", "accuracy", "objective.metric_name"),
    ("Ray", "mode", "max", 'objective.type` = "Maximize"'),
    ("Ray", "search_alg", "Random", "strategy"),
    ("Ray", "points_to_evaluate", [], "first_configurations"),
    ("Ray", "early_stopping.grace_period", 5, "grace_epochs"),
    # Katib
    ("Katib", "maxTrialCount", 10, TOTAL),
    ("Katib", "parallelTrialCount", 2, PARALLEL),
    ("Katib", "maxFailedTrialCount", 2, "limits.max_failed_training_jobs_in_total"),
    ("Katib", "objective.goal", 0.99, "completion.target_objective_metric_value"),
    ("Katib", "objective.objectiveMetricName", "accuracy", "metric_name"),
    ("Katib", "early_stopping.algorithmName", "Auto", "type"),
    # Vizier
    ("Vizier", "max_trial_count", 10, TOTAL),
    ("Vizier", "objective.metric_id", "accuracy", "metric_name"),
    ("Vizier", "objective.goal", "MAXIMIZE", 'type` = "Maximize"'),
    ("Vizier", "continuous[0].scale_type", "Linear", "scaling_type"),
    ("Vizier", "continuous[0].parameter_id", "lr", "name"),
    # scikit-learn
    ("sklearn", "n_iter", 10, TOTAL),
    ("sklearn", "random_state", 3, "seed"),
    ("sklearn", "scoring", "accuracy", "objective.metric_name"),
    # Weights & Biases, Hyperopt, Keras Tuner
    ("wandb", "method", "Random", "strategy"),
    ("wandb", "run_cap", 10, TOTAL),
    ("wandb", "program", "train.py", "training_job.command"),
    ("wandb", "continuous[0].q", 0.01, "step"),
    ("Hyperopt", "max_evals", 10, TOTAL),
    ("Hyperopt", "loss_threshold", 0.1, "completion.target_objective_metric_value"),
    ("Keras", "max_trials", 10, TOTAL),
    ("Keras", "patience", 5, "completion.max_number_of_training_jobs_not_improving"),
    # anybody
    ("", "training_job.timeout", 60, "max_runtime_seconds"),
    ("", "training_job.timeout_seconds", 60, "max_runtime_seconds"),
    ("", "training_job.max_runtime_minutes", 60, "max_runtime_seconds`, in seconds"),
    ("", "limits.timeout_hours", 2, "max_runtime_seconds`, in seconds"),
    ("", "training_job.env", {"A": "1"}, "environment"),
    ("", "training_job.script", "train.py", "command"),
    ("", "training_job.retries", 1, "max_retry_attempts"),
    ("", "limits.concurrency", 2, "max_parallel_training_jobs"),
    ("", "limits.trials", 10, "max_number_of_training_jobs"),
    ("", "completion.target", 0.9, "target_objective_metric_value"),
    ("", "categorical[0].choices", ["a", "b"], "values"),
    ("", "training_job.gpus", 1, "training_job.resources.gpus"),
    ("", "training_job.num_cpus", 4, "training_job.resources.cpus"),
    ("", "training_job.memory", 8, "training_job.resources.memory_gb"),
    ("", "training_job.resources.mem", 8, "memory_gb"),
    ("Ray", "training_job.resources_per_trial", {"gpus": 1}, "resources"),
    ("", "gpu", 1, "training_job.resources.gpus"),
    ("", "early_stopping.enabled", True, 'type` = "Auto"'),
]


@pytest.mark.parametrize(("whose", "typed", "value", "right"), RIGHT, ids=[f"{r[0]}-{r[1]}" for r in RIGHT])
def test_a_name_from_another_tool_is_told_ours(whose: str, typed: str, value: Any, right: str) -> None:
    problems = problems_of(changed(_with_parts(), {typed: value}))
    assert list(problems) == [typed], "one mistake is one problem, about the name that was written"
    message = problems[typed].message
    assert message.startswith(f"no such field; write `{right}"), message
    assert message.removeprefix("no such field; write `").replace("`", "", 1) == right.replace("`", "", 1)


def _with_parts() -> dict[str, Any]:
    """Each part is there, so that only the one name is wrong; what is typed may be its only limit."""
    return {**good(), "early_stopping": {}, "completion": {}}


# What is called so is no setting of ours, or not the one that looks alike.
NO_GUESS: list[tuple[str, Any]] = [
    ("training_job.n_jobs", 4),
    ("training_job.seed", 4),
    ("training_job.name", "a"),
    ("training_job.type", "local"),
    ("training_job.shell", True),
    ("continuous[0].type", "float"),
    ("continuous[0].default", 0.1),
    ("continuous[0].mu", 0.1),
    ("early_stopping.patience", 3),
    ("limits.max_failures", 3),
    ("max_failures", 3),
    ("budget", 100),
    ("cv", 5),
    ("storage", "sqlite:///a.db"),
    ("project", "mine"),
    ("verbose", 2),
]


@pytest.mark.parametrize(("typed", "value"), NO_GUESS, ids=[r[0] for r in NO_GUESS])
def test_a_name_that_is_none_of_ours_is_not_taken_for_another(typed: str, value: Any) -> None:
    problems = problems_of(changed(_with_parts(), {typed: value}))
    assert list(problems) == [typed]
    assert not problems[typed].message.startswith("no such field; write `"), problems[typed].message


@pytest.mark.parametrize(
    "typed", ["parameters", "params", "search_space", "param_grid", "hyperparameter_ranges"]
)
def test_a_space_in_one_piece_is_told_our_three_lists(typed: str) -> None:
    problems = problems_of(changed(good(), {typed: {"lr": [0, 1]}}))
    assert "`continuous`, `integer` or `categorical`" in problems[typed].message


@pytest.mark.parametrize(
    ("field", "typed", "right"),
    [
        ("strategy", "tpe", "Bayesian"),
        ("strategy", "bayes", "Bayesian"),
        ("strategy", "grid_search", "Grid"),
        ("strategy", "RandomSearch", "Random"),
        ("strategy", "sobol", "QuasiRandom"),
        ("objective.type", "max", "Maximize"),
        ("objective.type", "minimise", "Minimize"),
        ("continuous[0].scaling_type", "loguniform", "Logarithmic"),
        ("continuous[0].scaling_type", "UNIT_LOG_SCALE", "Logarithmic"),
        ("continuous[0].scaling_type", "uniform", "Linear"),
        ("early_stopping.type", "median", "Auto"),
    ],
)
def test_a_choice_from_another_tool_is_told_ours(field: str, typed: str, right: str) -> None:
    assert problems_of(changed(good(), {field: typed}))[field].message.startswith(f"write `{right}`; ")


@pytest.mark.parametrize("typed", ["asha", "evolution", "pbt", "cmaes", "annealing"])
def test_a_strategy_that_we_lack_is_not_taken_for_another(typed: str) -> None:
    assert problems_of(changed(good(), {"strategy": typed}))["strategy"].message.startswith("the choices are")


def test_another_algorithm_is_told_its_own_fields() -> None:
    problems = problems_of(changed(several(), {"other_definitions[0].training_job.timeout": 3}))
    assert list(problems) == ["other_definitions[0].training_job.timeout"]
    assert "`max_runtime_seconds`" in problems["other_definitions[0].training_job.timeout"].message


# --- what is run -----------------------------------------------------------------------------------------

WORD: Final = "is one word with spaces in it; write "
# (the command, the start of the message)
COMMANDS: list[tuple[list[str], str]] = [
    (["python train.py"], WORD + '["python", "train.py"], or "python train.py"'),
    (["python train.py --epochs 3"], WORD + '["python", "train.py", "--epochs", "3"]'),
    (["python", "train.py --epochs 3"], WORD + '"train.py", "--epochs", "3"'),
    (
        ["train.py"],
        "is not on the PATH, but in the directory where the command starts; write python train.py",
    ),
    (["pyhton", "train.py"], "is not on the PATH; "),
]


@pytest.mark.parametrize(("command", "message"), COMMANDS, ids=[" ".join(c) for c, _ in COMMANDS])
def test_a_command_that_can_not_be_found_is_told_what_to_write(
    command: list[str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text("print()")
    data = changed(good(), {"training_job": {"command": command, "working_directory": str(tmp_path)}})
    problems = [
        p for p in problems_here(TuningSpec.parse(data), tmp_path) if p.field == "training_job.command"
    ]
    assert len(problems) == 1
    assert problems[0].message.startswith(message)


def test_a_script_whose_name_has_a_space_is_a_script(tmp_path: Path) -> None:
    (tmp_path / "my train.py").write_text("print()")
    command = {"command": ["python", "my train.py"], "working_directory": str(tmp_path)}
    data = changed(good(), {"training_job": command})
    assert not [p for p in problems_here(TuningSpec.parse(data), tmp_path) if "command" in p.field]


def test_nothing_is_missing_in_the_samples() -> None:
    TuningSpec.parse(changed(_with_parts(), {"limits": MISSING, TOTAL: 3}))


# --- in a request body -----------------------------------------------------------------------------------

IN_A_BODY: list[tuple[str, str]] = [
    (f"{CONFIG}.ResourceLimits.MaxTrainingJobs", "MaxNumberOfTrainingJobs"),
    (f"{CONFIG}.ResourceLimits.MaxJobs", "MaxNumberOfTrainingJobs"),
    (f"{CONFIG}.ResourceLimits.MaxParallelJobs", "MaxParallelTrainingJobs"),
    (f"{CONFIG}.ResourceLimits.MaxRuntime", "MaxRuntimeInSeconds"),
    (f"{CONFIG}.Seed", "RandomSeed"),
    (f"{CONFIG}.EarlyStoppingType", "TrainingJobEarlyStoppingType"),
    (f"{ONE}.Role", "RoleArn"),
]


@pytest.mark.parametrize(("path", "right"), IN_A_BODY, ids=[path for path, _ in IN_A_BODY])
def test_a_member_of_a_body_is_told_amt_s_name(path: str, right: str) -> None:
    problems = problems_of(changed(bayesian(), {path: 3}))
    assert list(problems) == [path]
    assert problems[path].message == f"no such member; write `{right}`"


def test_a_member_of_a_body_that_is_none_gets_the_list() -> None:
    path = f"{CONFIG}.ResourceLimits.MaxGpus"
    assert "the members here are" in problems_of(changed(bayesian(), {path: 3}))[path].message
