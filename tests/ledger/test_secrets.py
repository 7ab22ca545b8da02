"""Secrets stay out of everything that is kept or shown, whatever a training script does with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amt_flows.backends.local import LocalBackend
from amt_flows.backends.local_worker.redaction import Redaction
from amt_flows.backends.places import open_journal
from amt_flows.backends.sagemaker import SageMakerBackend
from amt_flows.errors import SpecError, TuningJobFailed
from amt_flows.ledger.record import load_ledger
from amt_flows.ledger.secrets import ALWAYS, HIDDEN, hidden
from amt_flows.results.amt_shapes import describe, training_jobs
from amt_flows.run import tune
from amt_flows.show.report import report_markdown
from amt_flows.spec import TuningSpec
from backends.sagemaker_world import spec as sagemaker_spec
from commands import cli

SECRET = "s3cr3t/of+the=house"
NAME = "REGISTRY_TOKEN"

# Everything a careless script does: prints it, in pieces too, takes it for a metric, writes it as its reason.
CARELESS = (
    'echo "token $REGISTRY_TOKEN"; printf "${REGISTRY_TOKEN%%house}"; sleep 0.2; printf "house\\n"; '
    'echo "amt-report epoch=1; accuracy=0.5;"; '
    'printf "no access with $REGISTRY_TOKEN" > "$SM_OUTPUT_DIR/failure"; echo "$REGISTRY_TOKEN" >&2; exit 3'
)


def careless(**template: Any) -> TuningSpec:
    return TuningSpec(
        name="demo",
        objective={"metric_name": "accuracy"},
        continuous=[{"name": "rate", "min_value": 0.1, "max_value": 0.9}],
        strategy="Random",
        limits={
            "max_parallel_training_jobs": 2,
            "max_number_of_training_jobs": 4,
            "max_failed_training_jobs": 2,
        },
        training_job={
            "command": ["sh", "-c", CARELESS, "train"],
            "secret_environment": [NAME],
            **template,
        },
    )


def test_a_careless_script_leaves_its_secret_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, SECRET)
    home, journal = tmp_path / "home", open_journal("demo", tmp_path / "home")
    with pytest.raises(TuningJobFailed) as failed:
        tune(careless(), LocalBackend(home), journal=journal, progress=False)
    ledger = load_ledger(journal, "demo")
    result: Any = failed.value.result
    log = next(home.rglob("output.log"))
    shown = [
        str(failed.value),
        result.model_dump_json(),
        report_markdown(ledger, result),
        json.dumps([describe(ledger, 0.0), training_jobs(ledger)], default=str),
        *(cli(*words, "--home", home).output for words in commands(log)),
    ]
    # But for the file that the script wrote itself.
    files = [path for path in home.rglob("*") if path.is_file() and path.name != "failure"]
    assert len(files) > 10
    for text in (*shown, *(path.read_text(encoding="utf-8", errors="replace") for path in files)):
        assert SECRET not in text
    # The script did print it, and what it printed can be read.
    assert log.read_text().count(HIDDEN) == 3
    assert f"no access with {HIDDEN}" in shown[0]


def commands(log: Path) -> list[list[str]]:
    return [
        ["status", "demo"],
        ["jobs", "demo", "--json"],
        ["jobs", "demo", "--csv"],
        ["logs", log.parent.name],
    ]


def test_credentials_are_hidden_without_being_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ALWAYS:
        monkeypatch.setenv(name, f"value-of-{name}")
        assert hidden(f"failed with value-of-{name}!") == f"failed with {HIDDEN}!"


def test_the_longer_of_two_secrets_is_hidden_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT", "abcd")
    monkeypatch.setenv("LONG", "abcdefgh")
    monkeypatch.setenv("TINY", "a")
    assert hidden("abcdefgh abcd a", ["SHORT", "LONG", "TINY"]) == f"{HIDDEN} {HIDDEN} a"


@given(
    pieces=st.lists(st.sampled_from([b"aab", b"a", b"aabaac", b"\n", b"c", b"aabaacx"]), max_size=30),
    cuts=st.lists(st.integers(1, 5), min_size=1, max_size=20),
)
@example(pieces=[b"aabaac", b"aabaacx"], cuts=[1])
def test_no_cut_of_the_output_lets_a_secret_through(pieces: list[bytes], cuts: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONE", "aabaacx")
        patch.setenv("TWO", "aabaac")
        hiding = Redaction(["ONE", "TWO", "UNSET"])
    text, out, at = b"".join(pieces), b"", 0
    for i in range(len(text)):
        if at >= len(text):
            break
        size = cuts[i % len(cuts)]
        out += hiding.feed(text[at : at + size])
        at += size
    out += hiding.rest()
    assert b"aabaac" not in out
    # Nothing but secrets is lost.
    visible = out.replace(b"********", b"")
    assert len(visible) <= len(text)
    if b"aabaac" not in text:
        assert out == text


def test_a_secret_that_is_not_set_or_is_written_down_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(NAME, raising=False)
    (problem,) = LocalBackend(tmp_path).check(careless())
    assert "is not set here" in str(problem)
    with pytest.raises(SpecError, match="for all to read"):
        careless(environment={NAME: SECRET})
    with pytest.raises(SpecError) as refused:
        careless(secret_environment=[f"{NAME}={SECRET}"])
    assert "the names only" in str(refused.value)
    assert SECRET not in str(refused.value)


def test_sagemaker_shows_environments_so_it_gets_no_secret() -> None:
    training_job = {**sagemaker_spec().training_job.model_dump(), "secret_environment": [NAME]}
    problems = SageMakerBackend(region="eu-west-1").check(sagemaker_spec(training_job=training_job))
    assert any("Secrets Manager" in str(problem) for problem in problems)
