"""What the type checker takes and refuses of calls from Python. It is never run: an ignored error that is
none any more is an error itself."""

from __future__ import annotations

from collections.abc import Iterator

from prefect import State

import amt_flows as amt
from amt_flows import flows


def train(learning_rate: float, depth: int, optimizer: str) -> float:
    return learning_rate * depth * len(optimizer)


def epochs(learning_rate: float) -> Iterator[dict[str, float]]:
    yield {"accuracy": learning_rate}


SPACE: dict[str, amt.Continuous | amt.Integer | amt.Categorical | list[str]] = {
    "learning_rate": amt.Continuous(1e-5, 1, "Logarithmic"),
    "depth": amt.Integer(1, 8, step=2),
    "optimizer": ["sgd", "adam"],
}
RESULT: amt.TuningResult = amt.tune(
    train,
    {
        "learning_rate": amt.Continuous(1e-5, 1, "Logarithmic", only_when={"optimizer": ["sgd"]}),
        "depth": amt.Integer(1, 8),
        "optimizer": ["sgd", "adam"],
        "units": amt.Categorical([32, 64, 128], ordered=True),
    },
    maximize="accuracy",
    jobs=20,
    known_starts=False,
    parallel=2,
    seconds=600,
    target=0.99,
    early_stopping=True,
    seed=1,
    parents=["monday"],
    backend="local",
    home="somewhere",
)
amt.tune(
    epochs, [amt.ContinuousRange(name="learning_rate", min_value=0, max_value=1)], minimize="loss", jobs=1
)
SPEC: amt.TuningSpec = amt.spec_of(train, SPACE, maximize="accuracy", max_number_of_training_jobs=3)
amt.tune(SPEC)
amt.tune(SPEC, amt.LocalBackend(), progress=False)
TEXT: str = SPEC.to_toml()
TRIED: amt.Tried = amt.try_once(train, SPACE, values={"depth": 3})
VALUE: float | None = amt.try_once(SPEC).objective_value

amt.tune(train, SPACE, maximize="accuracy", jobs="many")  # type: ignore[call-overload]
amt.tune(train, SPACE, maximize="accuracy", n_trials=3)  # type: ignore[call-overload]
amt.tune(train, {"depth": 3}, maximize="accuracy", jobs=3)  # type: ignore[dict-item]
amt.tune(SPEC, maximize="accuracy")  # type: ignore[call-overload]
amt.spec_of(train, SPACE, maximize="accuracy", backend="local")  # type: ignore[call-arg]
amt.Continuous(1e-5, 1, "Log")  # type: ignore[arg-type]
amt.Integer(low=1, high=3)  # type: ignore[call-arg]

FLOW_RESULT: amt.TuningResult = flows.tune(train, SPACE, maximize="accuracy", jobs=3, home="somewhere")
FLOW_STATE: State[amt.TuningResult] = flows.tune(SPEC, "local", return_state=True)
flows.tune(SPEC, maximize="accuracy")  # type: ignore[call-overload]
flows.tune(train, SPACE, maximize="accuracy", progress=True)  # type: ignore[call-overload]
