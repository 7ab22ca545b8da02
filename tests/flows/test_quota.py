"""A quota that pipelines share: slots of Prefect's global concurrency limits, held by live training jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amt_flows.backends.quota import RENEW_SECONDS, QuotaBackend, with_quota
from amt_flows.backends.simulated import Script, SimulatedBackend, VirtualClock
from amt_flows.backends.work_pool.server import prefect_server
from amt_flows.errors import SpecError
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.spec import TuningSpec
from amt_flows.tuning.engine import Tuning
from amt_flows.tuning.loop import Stages, fill_slots


class Watch:
    """A stop-watch that a test turns on."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def limit(name: str, slots: int) -> str:
    api = prefect_server("A test")
    api.call("POST", "/v2/concurrency_limits/", {"name": name, "limit": slots, "active": True})
    return name


def active(name: str) -> int:
    answer = prefect_server("A test").call("GET", f"/v2/concurrency_limits/{name}")
    return int(answer["active_slots"])


def spec(name: str, *limits: str, jobs: int = 4, parallel: int = 4) -> TuningSpec:
    return TuningSpec.parse(
        {
            "name": name,
            "objective": {"metric_name": "score"},
            "continuous": [{"name": "x", "min_value": 0, "max_value": 1}],
            "strategy": "Random",
            "limits": {
                "max_number_of_training_jobs": jobs,
                "max_parallel_training_jobs": parallel,
                "concurrency_limits": list(limits),
            },
            "training_job": {"command": ["true"]},
        }
    )


class Pipeline:
    """A tuning job in simulated time, whose training jobs end when they are told to."""

    def __init__(self, one: TuningSpec, kept_in: Path, backend: SimulatedBackend | None = None) -> None:
        self.clock = backend.clock if backend else VirtualClock()
        self.simulated = backend or SimulatedBackend(self.clock, lambda hyperparameters: Script(hangs=True))
        self.watch = Watch()
        slots = with_quota(self.simulated, one)
        assert isinstance(slots, QuotaBackend)
        self.quota = QuotaBackend(self.simulated, slots._slots, kept_in=kept_in, monotonic=self.watch)
        self.journal = MemoryJournal()
        self.tuning = Tuning.open(one, self.quota, self.journal, clock=self.clock)

    def fill(self) -> int:
        self.tuning._patience.until = 0.0
        fill_slots(self.tuning, Stages())
        return len(self.tuning.ledger.live)

    def end_one(self) -> None:
        name = self.tuning.ledger.live[0].name
        self.simulated.stop(self.tuning.ledger.name, [name], kill=True)
        self.tuning.observe()


def test_two_pipelines_never_hold_more_than_there_is(prefect_server: None, tmp_path: Path) -> None:
    name = limit("gpus-of-two", 5)
    one = Pipeline(spec("quota-one", f"{name}=2"), tmp_path)
    two = Pipeline(spec("quota-two", name), tmp_path)
    assert (one.fill(), two.fill(), active(name)) == (2, 1, 5)
    assert f"waits for a slot of the concurrency limit {name}" in str(two.tuning.held_up_by)
    one.end_one()
    assert active(name) == 3
    assert (two.fill(), active(name)) == (3, 5)
    one.end_one()
    while two.tuning.ledger.live:
        two.end_one()
    assert active(name) == 0


def test_a_resume_goes_on_with_the_leases_of_a_controller_that_died(
    prefect_server: None, tmp_path: Path
) -> None:
    name = limit("gpus-of-a-resume", 2)
    first = Pipeline(spec("quota-resume", name, parallel=2), tmp_path)
    assert (first.fill(), active(name)) == (2, 2)
    second = Pipeline(spec("quota-resume", name, parallel=2), tmp_path, first.simulated)
    live = [job.name for job in first.tuning.ledger.live]
    second.quota.poll("quota-resume", live)
    assert active(name) == 2, "no slot is held twice"
    for job in live:
        first.simulated.stop("quota-resume", [job], kill=True)
    second.quota.poll("quota-resume", live)
    assert active(name) == 0
    assert not list(tmp_path.glob("*.json"))


def test_a_lease_that_ran_out_is_taken_anew_and_the_job_goes_on(prefect_server: None, tmp_path: Path) -> None:
    name = limit("gpus-of-an-outage", 1)
    one = Pipeline(spec("quota-outage", name, parallel=1), tmp_path)
    assert (one.fill(), active(name)) == (1, 1)
    (job,) = one.tuning.ledger.live
    ((lease,),) = one.quota._leases.values()
    # As the server does with one that nobody renewed.
    prefect_server_api().call("POST", "/v2/concurrency_limits/decrement-with-lease", {"lease_id": lease})
    assert active(name) == 0
    one.watch.now += RENEW_SECONDS
    one.quota.poll("quota-outage", [job.name])
    one.quota.poll("quota-outage", [job.name])
    assert active(name) == 1
    assert one.quota._leases[job.name] != [lease]


def prefect_server_api() -> Any:
    return prefect_server("A test")


def test_a_limit_that_there_is_not_is_refused(prefect_server: None, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="prefect gcl create gpus-of-nobody --limit 4"):
        Pipeline(spec("quota-none", "gpus-of-nobody"), tmp_path)
    name = limit("gpus-too-few", 2)
    with pytest.raises(SpecError, match="would ever get 3 slots; the limit is 2"):
        Pipeline(spec("quota-few", f"{name}=3"), tmp_path)


@pytest.mark.parametrize("text", ["gpu=0", "gpu=many", "", "a/b"])
def test_what_names_no_slots_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"limits.concurrency_limits\[0\]"):
        spec("quota-words", text)


def test_a_table_of_slots_will_do() -> None:
    one = spec("quota-table").to_json()
    one["limits"]["concurrency_limits"] = {"gpu": 2}
    assert TuningSpec.parse(one).limits.concurrency_limits == ("gpu=2",)
