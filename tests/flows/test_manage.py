"""Flows that look after tuning jobs: stop, resume, and clean up after a flow run that died."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.states import Cancelling, Crashed, Suspended

from amt_flows.backends.places import open_journal
from amt_flows.errors import TuningJobNotFound
from amt_flows.events import TuningStatus
from amt_flows.flows import load_result, tune
from amt_flows.flows.tuning import manage
from amt_flows.flows.tuning.bar_states import TASK_KEY as BAR
from amt_flows.flows.tuning.clean_up import CleanedUp, Remedy, clean_up
from amt_flows.flows.tuning.liveness import driver_of, silent_since
from amt_flows.flows.tuning.manage import extend_tuning, resume_tuning, stop_tuning
from amt_flows.ledger.ledger import Ledger
from amt_flows.ledger.record import load_ledger
from flows.flow_runs import read, run_called, state_of, tuning_in_a_process
from flows.local_jobs import SHORT, eventually, local_spec, workers


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manage, "PATIENCE_SECONDS", 15.0)


def ledger_of(name: str, home: Path) -> Ledger:
    return load_ledger(open_journal(name, home), name)


def test_a_controller_that_lives_closes_its_own_record(home: Path) -> None:
    with tuning_in_a_process("obeys", home) as process:
        stopped = stop_tuning("obeys", str(home))
        assert process.wait(120) == 1, "no training job could be the best: nothing goes on with no model"
    # The controller reads the same note, and may have been quicker.
    assert set(stopped) <= set(ledger_of("obeys", home).jobs)
    assert not workers(home)
    assert state_of(run_called("obeys").id) == "Failed"
    assert load_result("obeys").status is TuningStatus.STOPPED
    assert len(ledger_of("obeys", home).ended) == 2
    assert stop_tuning("obeys", str(home)) == [], "it has ended already"


def test_a_dead_controllers_record_is_closed_for_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manage, "PATIENCE_SECONDS", 1.0)
    with tuning_in_a_process("dead", home) as process:
        process.kill()
        process.wait()
        assert len(stop_tuning("dead", str(home), kill=True)) == 2
    assert not workers(home)
    ledger = ledger_of("dead", home)
    assert ledger.status is TuningStatus.STOPPED
    assert ledger.reasons[0].message == manage.REASON


def test_a_tuning_job_is_gone_on_with_by_its_name(home: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    waiting = f'echo "accuracy=0.$2;"; while [ ! -e {go} ]; do sleep 0.1; done; echo x >> {tmp_path}/count'
    with tuning_in_a_process("goes-on", home, waiting) as process:
        process.kill()
        process.wait()
    running = set(workers(home))
    assert len(running) >= 2
    go.touch()
    result = resume_tuning("goes-on", str(home))
    assert result.status is TuningStatus.COMPLETED
    assert [job.outcome for job in result.jobs] == ["completed"] * 4
    assert (tmp_path / "count").read_text().splitlines() == ["x"] * 4, "each trained once"


def test_a_completed_tuning_job_is_extended_by_its_name_and_goes_on(home: Path, tmp_path: Path) -> None:
    counting = f'echo "accuracy=0.$2;"; echo x >> {tmp_path}/count'
    first = tune(local_spec("grows", counting, jobs=2), home=str(home))
    result = extend_tuning("grows", max_number_of_training_jobs=3, home=str(home))
    assert result.status is TuningStatus.COMPLETED
    assert {job.name for job in first.jobs} < {job.name for job in result.jobs}
    assert (tmp_path / "count").read_text().splitlines() == ["x"] * 3, "each trained once"
    assert load_result("grows") == result
    ended = extend_tuning("grows", max_number_of_training_jobs=3, home=str(home), return_state=True)
    assert ended.is_failed()
    assert "it would end again at once" in str(ended.message)


def test_what_is_not_there_can_not_be_managed(home: Path) -> None:
    for flow in (stop_tuning, resume_tuning, extend_tuning):
        with pytest.raises(TuningJobNotFound, match="nobody"):
            flow("nobody", home=str(home))
    assert not home.exists()


# -- after a flow run that died -----------------------------------------------------------------------------


def cleaned(run_id: UUID, **how: Any) -> CleanedUp:
    outcome: CleanedUp = clean_up(str(run_id), **how)
    return outcome


def crash(run_id: UUID) -> None:
    """What a runner reports."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, Crashed(message="the process is gone"))


def test_a_crashed_runs_training_jobs_are_stopped_and_the_tuning_job_stays_open(home: Path) -> None:
    with tuning_in_a_process("crashed", home) as process:
        process.kill()
        process.wait()
    run_id = run_called("crashed").id
    assert "not silent" in cleaned(run_id).done, "a heartbeat was sent just before"
    assert len(workers(home)) >= 2
    crash(run_id)
    outcome = cleaned(run_id)
    assert outcome.tuning_job == "crashed"
    assert len(outcome.training_jobs_stopped) == 2
    assert not workers(home)
    assert not ledger_of("crashed", home).concluding
    ended = cleaned(run_id, remedy=Remedy.END)
    assert ended.training_jobs_stopped == []
    assert ledger_of("crashed", home).status is TuningStatus.STOPPED


@pytest.mark.parametrize("state", ["Running", "Cancelling"])
def test_a_lost_run_is_marked_as_what_it_is(home: Path, state: str) -> None:
    name = f"lost-{state.lower()}"
    with tuning_in_a_process(name, home) as process:
        run_id = run_called(name).id
        with get_client(sync_client=True) as client:
            assert eventually(lambda: silent_since(client, read(run_id), 1) is not None), "no heartbeat"
        # It is silent, as all are after a while without a server; but it lives.
        assert "lives" in cleaned(run_id, silent_seconds=1).done
        assert len(workers(home)) >= 2
        process.kill()
        process.wait()
    if state == "Cancelling":
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run_id, Cancelling())
    assert len(cleaned(run_id, silent_seconds=1).training_jobs_stopped) == 2
    assert not workers(home)
    end = read(run_id).state
    assert end is not None
    assert end.name == {"Running": "Crashed", "Cancelling": "Cancelled"}[state]
    assert "Nothing was heard of its process since" in str(end.message)


def bars(run_id: UUID) -> list[str | None]:
    """The states of the task runs that show training jobs."""
    which = FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
    with get_client(sync_client=True) as client:
        return [run.state_name for run in client.read_task_runs(flow_run_filter=which) if run.task_key == BAR]


def test_what_somebody_else_drives_by_now_is_left_alone_and_the_dead_runs_bars_are_ended(home: Path) -> None:
    with tuning_in_a_process("taken", home) as process:
        run_id = run_called("taken").id
        assert eventually(lambda: bars(run_id) == ["Running"] * 2)
        process.kill()
        process.wait()
    crash(run_id)
    dead = driver_of(open_journal("taken", home))
    with tuning_in_a_process("taken", home):
        assert eventually(lambda: driver_of(open_journal("taken", home)) != dead)
        assert "drives it by now" in cleaned(run_id).done
        assert len(workers(home)) >= 2
        stop_tuning("taken", str(home))
    assert eventually(lambda: bars(run_id) == ["Unfollowed"] * 2)
    assert "left alone: " in cleaned(run_id).done
    assert "drove it, and it has ended: Stopped" in cleaned(run_id).done


def test_a_dead_runs_tuning_job_can_be_gone_on_with(home: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    waiting = f'echo "accuracy=0.$2;"; while [ ! -e {go} ]; do sleep 0.1; done'
    with tuning_in_a_process("heir", home, waiting) as process:
        process.kill()
        process.wait()
    run_id = run_called("heir").id
    crash(run_id)
    go.touch()
    assert "was gone on with" in cleaned(run_id, remedy=Remedy.RESUME).done
    assert ledger_of("heir", home).status is TuningStatus.COMPLETED


def test_a_run_that_needs_no_cleaning_is_left_alone(home: Path) -> None:
    assert "There is no flow run" in cleaned(uuid4()).done
    assert "There is no flow run" in clean_up("not-an-id").done
    state = tune(local_spec("well", SHORT), home=str(home), return_state=True)
    assert state.state_details.flow_run_id is not None
    outcome = cleaned(state.state_details.flow_run_id)
    assert (outcome.tuning_job, outcome.training_jobs_stopped) == (None, [])
    assert "is completed" in outcome.done
    with get_client(sync_client=True) as client:
        waiting = read(state.state_details.flow_run_id).model_copy(update={"state": Suspended()})
        assert silent_since(client, waiting, 0) is None, "it waits for an answer, and sends no heartbeats"
    own = stop_tuning("well", str(home), return_state=True)
    assert own.state_details.flow_run_id is not None
    assert "drives no tuning job" in cleaned(own.state_details.flow_run_id).done
