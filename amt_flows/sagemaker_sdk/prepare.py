"""What the SDK does before it can say what it asks AMT for: it uploads the source code."""

from __future__ import annotations

from typing import Any

from amt_flows.errors import Problem, SpecError
from amt_flows.sagemaker_sdk.reading import kind_of


def prepare(tuner: Any, *, inputs: Any = None, job_name: str | None = None) -> None:
    """Let the SDK do with its trainers or estimators what it does first when it starts a tuning job.

    It uploads the source code, and v2 chooses the default bucket and looks at the records. These are calls
    to AWS with the tuner's own session, the only ones of this package. The code gets an address of its own
    each time, so that a second time gives another spec: keep the first one's ``to_json()`` to go on with a
    tuning job later.

    ``inputs`` and ``job_name`` are those of the SDK's ``tune`` or ``fit``. Raises SpecError for a tuner
    that isn't one, and whatever the SDK raises.
    """
    for trainers, prepare_one, single in (
        ("model_trainer_dict", "_prepare_model_trainer_for_tuning", "model_trainer"),
        ("estimator_dict", "_prepare_estimator_for_tuning", "estimator"),
    ):
        prepare_trainer = getattr(tuner, prepare_one, None)
        if prepare_trainer is None or not hasattr(tuner, single):
            continue
        if getattr(tuner, single) is not None:
            prepare_trainer(getattr(tuner, single), inputs, job_name)
        else:
            for name, trainer in getattr(tuner, trainers).items():
                prepare_trainer(trainer, (inputs or {}).get(name), job_name)
        return
    raise SpecError(
        [Problem("tuner", kind_of(tuner), "is not a HyperparameterTuner of the SageMaker SDK (2 or 3)")]
    )
