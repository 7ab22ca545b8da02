"""Which tuning job a name means: that of the home that is given, else the one that the server tells of; and
of two of one name none, until it is said which. On a real Prefect server, with homes of several workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.settings import get_current_settings
from prefect.states import Crashed

import amt_flows
from amt_flows.backends.places import open_journal
from amt_flows.deploy import Target, current_version
from amt_flows.errors import JournalError, NameTaken, SpecError, TuningJobNotFound
from amt_flows.events import TuningStatus
from amt_flows.flows import load_result, promote, resume_tuning, retune, run_tuning, stop_tuning, tune
from amt_flows.flows.tuning import manage
from amt_flows.flows.tuning.clean_up import Remedy, clean_up
from amt_flows.flows.tuning.hooks import tuning_of_run
from amt_flows.flows.tuning.named import home_named, published
from amt_flows.ledger.journals.directory import DirectoryJournal
from amt_flows.ledger.record import load_ledger
from amt_flows.spec import TuningSpec
from flows.flow_runs import read, run_called, tuning_in_a_process
from flows.local_jobs import ENDLESS, end_all, eventually, local_spec, workers

SCRIPT = 'echo "accuracy=0.{digit}$2;"; echo {digit} > "$SM_MODEL_DIR/weights.txt"'


def spec(name: str, digit: int = 1, **changes: Any) -> TuningSpec:
    plain = local_spec(name, SCRIPT.format(digit=digit), jobs=2).to_json()
    return TuningSpec.parse({**plain, **changes})


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    both = tmp_path / "a home", tmp_path / "b"
    yield both
    for one in both:
        end_all(one)


def served(target: Target) -> str:
    version = current_version(str(target.directory))
    assert version is not None
    return version.candidate.journal


def refused(name: str, homes: tuple[Path, Path]) -> Any:
    """Both places are named, and so is what to write."""
    one, other = (open_journal(name, home).location for home in homes)
    return pytest.raises(
        NameTaken, match=rf"2 tuning jobs named {name}: ({one}; {other}|{other}; {one})[\s\S]*home='"
    )


def test_a_given_home_decides_and_of_two_without_one_none_is_taken(
    tmp_path: Path, homes: tuple[Path, Path]
) -> None:
    for digit, home in enumerate(homes, start=1):
        tune(spec("twice", digit), home=str(home))
    for home in homes:
        target = Target(directory=str(tmp_path / f"served from {home.name}"))
        assert load_result("Twice", str(home)).journal == open_journal("twice", home).location
        assert promote("twice", target, home=str(home)).promoted
        assert served(target) == open_journal("twice", home).location
    # With the record away, its own artifact is still that of this home, and the other one is not.
    (homes[0] / "twice").rename(tmp_path / "away")
    assert load_result("twice", str(homes[0])).journal == open_journal("twice", homes[0]).location
    (tmp_path / "away").rename(homes[0] / "twice")
    for act in (load_result, resume_tuning, stop_tuning, lambda name: promote(name, target)):
        with refused("twice", homes):
            act("twice")
    with refused("twice", homes):
        tune(spec("starts", warm_start={"type": "TransferLearning", "parents": ["twice"]}))
    # In a third home there is none, whatever the server knows.
    for act in (load_result, resume_tuning, stop_tuning):
        with pytest.raises(TuningJobNotFound, match="c/twice"):
            act("twice", str(tmp_path / "c"))
    with pytest.raises(TuningJobNotFound, match="c/twice"):
        promote("twice", target, home=str(tmp_path / "c"))


def test_without_a_home_the_server_says_where_a_worker_kept_it(
    tmp_path: Path, homes: tuple[Path, Path]
) -> None:
    target = Target(directory=str(tmp_path / "served"))
    kept = tune(spec("elsewhere"), home=str(homes[0]))
    assert load_result("elsewhere") == kept
    assert promote("elsewhere", target).promoted
    assert served(target) == kept.journal
    assert stop_tuning("elsewhere") == [], "it has ended"
    assert resume_tuning("elsewhere").jobs == kept.jobs
    # A parent of a warm start likewise, also when its record is out of reach.
    start = {"type": "IdenticalDataAndAlgorithm", "parents": ["elsewhere"]}
    inherited = tune(spec("near", warm_start=start))
    homes[0].rename(tmp_path / "unmounted")
    assert promote("elsewhere", target).decision.value == "champion already"
    far = tune(spec("far", warm_start=start))
    for result in (inherited, far):
        ledger = load_ledger(open_journal(result.name), result.name)
        assert [(one.parent, len(one.jobs)) for one in ledger.inherited] == [("elsewhere", 2)]
    with pytest.raises(SpecError, match=r"no tuning job elsewhere to start from"):
        tune(spec("strict", warm_start=start), home=str(homes[1]))


@pytest.mark.parametrize(
    "change",
    [lambda data: {**data, "jobs": "none"}, lambda data: {"name": data["name"], "journal": data["journal"]}],
)
def test_an_artifact_that_somebody_has_edited_is_told_and_one_that_is_no_result_is_passed_over(
    homes: tuple[Path, Path], change: Callable[[dict[str, Any]], Any], request: pytest.FixtureRequest
) -> None:
    name = f"edited-{len(request.node.name)}-{abs(hash(request.node.name)) % 10_000}"
    kept = tune(spec(name), home=str(homes[0]))
    with get_client(sync_client=True) as client:
        artifact = next(published(client, name))
        key, place = artifact.key, {"amt_flows_journal": kept.journal}
        deep = "[" * 5000 + "]" * 5000
        client.request("POST", "/artifacts/", json={"key": key, "type": "json", "data": deep})
        assert load_result(name) == kept, "it is none, and says nothing of where one is kept"
        data = json.dumps(change(kept.model_dump(mode="json")))
        client.request(
            "POST", "/artifacts/", json={"key": key, "type": "json", "data": data, "metadata_": place}
        )
        with pytest.raises(JournalError, match=rf"^The result of tuning job {name} .*can't be read: \w+"):
            load_result(name)


def test_one_that_ran_without_prefect_is_not_passed_over_for_another(
    tmp_path: Path, homes: tuple[Path, Path], home: Path
) -> None:
    target = Target(directory=str(tmp_path / "served"))
    amt_flows.tune(spec("plain"), progress=False)
    with pytest.raises(TuningJobNotFound, match="No tuning job named plain"):
        load_result("plain")
    assert promote("plain", target).promoted
    tune(spec("plain", 2), home=str(homes[0]))
    with refused("plain", (home, homes[0])):
        promote("plain", target)
    assert served(target) == open_journal("plain", home).location


def test_a_journal_of_ones_own_is_named_by_itself(tmp_path: Path) -> None:
    journal = DirectoryJournal(tmp_path / "own")

    @flow
    def own() -> None:
        run_tuning(spec("by-itself"), backend=amt_flows.backends.local.LocalBackend(), journal=journal)

    own()
    assert load_result("by-itself", journal=journal) == load_result("by-itself")
    with pytest.raises(TuningJobNotFound, match=r"is kept in no home, but at file:///.*/own"):
        resume_tuning("by-itself")


def test_a_series_goes_on_wherever_its_runs_were_kept(
    tmp_path: Path, homes: tuple[Path, Path], home: Path
) -> None:
    """The second run is another worker's, with a home of its own and none in its parameters."""
    target, asked = Target(directory=str(tmp_path / "served")), spec("digits")
    first = retune(asked, target, "wherever", home=str(homes[0]))
    second = retune(asked, target, "wherever")
    ledger = load_ledger(open_journal(second.tuning_job), second.tuning_job)
    assert [one.parent for one in ledger.inherited] == [first.tuning_job]
    # Where a home is given, only what is there belongs to the series.
    third = retune(asked, target, "wherever", home=str(homes[1]))
    assert not load_ledger(open_journal(third.tuning_job, homes[1]), third.tuning_job).inherited


def test_a_running_one_is_stopped_where_it_is(
    homes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setattr(manage, "PATIENCE_SECONDS", 15.0)
    with tuning_in_a_process("runs-there", homes[0]) as process:
        # Its first page is sent beside its launches.
        assert eventually(lambda: home_named("runs-there", None) is not None)
        stop_tuning("runs-there")
        process.wait(120)
    assert not workers(homes[0])
    assert not home.exists()
    assert load_result("runs-there").status is TuningStatus.STOPPED
    assert len(load_ledger(open_journal("runs-there", homes[0]), "runs-there").ended) == 2


WORKER = """
import json, sys
from amt_flows.flows import tune
from amt_flows.spec import TuningSpec
tune(TuningSpec.parse(json.loads(sys.argv[1])))
"""


def test_who_cleans_up_finds_the_home_that_a_flow_run_had(
    homes: tuple[Path, Path], home: Path, tmp_path: Path
) -> None:
    """Its parameters name none: the home is of its process's environment, as a work pool sets it."""

    api = str(get_current_settings().api.url)
    environment = {**os.environ, "PREFECT_API_URL": api, "AMT_FLOWS_HOME": str(homes[0])}
    asked = json.dumps(local_spec("lost-there", ENDLESS, jobs=4).to_json())
    process = subprocess.Popen([sys.executable, "-c", WORKER, asked], env=environment)
    try:
        assert eventually(lambda: len(workers(homes[0])) >= 2)
        run = run_called("lost-there")
        assert eventually(lambda: tuning_of_run("tune", read(run.id)).home == str(homes[0]))
    finally:
        process.kill()
        process.wait()
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, Crashed(), force=True)
    done = clean_up(str(run.id), Remedy.END)
    assert len(done.training_jobs_stopped) == 2, done.done
    assert not workers(homes[0])
    assert load_ledger(open_journal("lost-there", homes[0]), "lost-there").status is TuningStatus.STOPPED
