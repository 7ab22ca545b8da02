"""Tuning again and again: each run learns from the last ones, and promotes only what is better."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.states import Scheduled

from amt_flows.backends.places import open_journal
from amt_flows.deploy import Target, current_version, versions
from amt_flows.errors import SpecError
from amt_flows.flows.promotion.outcome import Decision
from amt_flows.flows.promotion.retune import retune
from amt_flows.flows.tuning.hooks import tuning_of_run
from amt_flows.ledger.record import load_ledger
from amt_flows.spec import TuningSpec
from flows.flow_runs import deployed_run, outcome_of, started
from flows.local_jobs import local_spec

# The hyperparameter is the accuracy, but for what the world has changed since.
SCRIPT = 'echo "accuracy=0.$2;"; echo "$2" > "$SM_MODEL_DIR/weights.txt"; echo x >> {count}; {then}'


def asked(tmp_path: Path, then: str = "true") -> TuningSpec:
    count = tmp_path / "count"
    plain = local_spec("digits", SCRIPT.format(count=count, then=then), jobs=4).to_json()
    # Two digits, so that a larger number is a better one.
    return TuningSpec.parse({**plain, "integer": [{"name": "x", "min_value": 10, "max_value": 99}]})


def test_a_series_learns_and_promotes_only_what_is_better(tmp_path: Path, home: Path) -> None:
    shelf = tmp_path / "served"
    spec, target = asked(tmp_path), Target(directory=str(shelf))
    first = retune(spec, target, home=str(home))
    assert first.promoted
    assert re.fullmatch(r"digits-[0-9a-f]{12}", first.tuning_job), "the spec's name is that of the series"
    second = retune(spec, target, home=str(home))
    assert second.tuning_job != first.tuning_job
    ledger = load_ledger(open_journal(second.tuning_job, home), second.tuning_job)
    assert [one.parent for one in ledger.inherited] == [first.tuning_job]
    before = load_ledger(open_journal(first.tuning_job, home), first.tuning_job).best
    assert before is not None
    # What was best then is tried first ...
    best_then = load_ledger(open_journal(first.tuning_job, home), first.tuning_job).trials[before.trial]
    assert dict(ledger.trials[1].configuration) == dict(best_then.configuration)
    assert ledger.trials[1].source == "warm start"
    # ... so that nothing is lost, and only what is better is promoted.
    values = [one.comparison.challenger_value for one in (first, second)]
    assert values[1] >= values[0]
    assert second.decision is (Decision.PROMOTED if values[1] > values[0] else Decision.NOT_BETTER)
    assert len(versions(shelf)) == (2 if second.promoted else 1)
    third = retune(spec, target, learn_from=1, min_improvement=1.0, home=str(home))
    ledger = load_ledger(open_journal(third.tuning_job, home), third.tuning_job)
    assert [one.parent for one in ledger.inherited] == [second.tuning_job]
    assert third.decision is Decision.NOT_BETTER
    learning = TuningSpec.parse({**spec.to_json(), "learn_from": "auto"})
    fourth = retune(learning, target, min_improvement=1.0, home=str(home))
    ledger = load_ledger(open_journal(fourth.tuning_job, home), fourth.tuning_job)
    assert ledger.spec.warm_start is None
    latest_first = [third.tuning_job, second.tuning_job, first.tuning_job]
    assert [one.parent for one in ledger.inherited] == latest_first
    assert ledger.trials[1].source == "learnt"
    current = current_version(shelf)
    assert current is not None
    assert current.candidate.tuning_job in (first.tuning_job, second.tuning_job)


def test_a_retry_goes_on_with_its_own_tuning_job(tmp_path: Path, home: Path) -> None:
    """Also when another run of the series has ended meanwhile."""
    target = {"place": "local", "directory": str(tmp_path / "served")}
    given = {"spec": asked(tmp_path).to_json(), "target": target, "series": "again", "home": str(home)}
    run_id = deployed_run(retune, ask_for_approval=True, **given)
    assert started(retune, run_id).name == "Suspended"
    assert len((tmp_path / "count").read_text().splitlines()) == 4
    retune(asked(tmp_path), Target(directory=str(tmp_path / "elsewhere")), "again", home=str(home))
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, Scheduled(name="AwaitingRetry"), force=True)
        client.update_flow_run(run_id, parameters=given)
    assert started(retune, run_id).is_completed()
    assert outcome_of(run_id).tuning_job == f"again-{run_id.hex[-12:]}"
    assert len((tmp_path / "count").read_text().splitlines()) == 8, "four of this run, four of the other"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"series": "weekly", "spec": {"name": "digits"}}, "weekly"),
        ({"spec": {"name": "digits"}}, "digits"),
        ({"series": None, "spec": {"name": "digits"}}, "digits"),
    ],
)
def test_the_hooks_find_the_tuning_job_of_the_run(given: dict[str, Any], name: str) -> None:
    run = FlowRun(flow_id=UUID(int=1), parameters=given)
    assert tuning_of_run(retune.name, run).name == f"{name}-{run.id.hex[-12:]}"


def test_a_series_without_a_name_is_refused_before_anything_runs(tmp_path: Path, home: Path) -> None:
    nameless = TuningSpec.parse({**asked(tmp_path).to_json(), "name": None})
    with pytest.raises(SpecError, match="give the series a name"):
        retune(nameless, Target(directory=str(tmp_path / "served")), home=str(home))
    assert not home.exists()
