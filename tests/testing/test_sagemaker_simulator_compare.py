"""Comparing AWS with the simulated SageMaker, tried with a simulated one in the place of AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from amt_flows.testing.sagemaker import JobScript, SimulatedSageMaker
from amt_flows.testing.sagemaker.asking import Place
from amt_flows.testing.sagemaker.compare import SIMULATED_ROLE, compare, main, simulation
from amt_flows.testing.sagemaker.questions import QUESTIONS, Question
from testing.sagemaker_requests import KEYS, REGION, client

PLACE = Place(SIMULATED_ROLE, "a-bucket-of-mine", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/image:1")
FREE = [question for question in QUESTIONS if not question.seconds]
PAGE = Path(__file__).parents[2] / "docs" / "simulator.md"
GIVEN = ["--role", PLACE.role, "--bucket", PLACE.bucket, "--image", PLACE.image, "--region", REGION, "--yes"]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedSageMaker]:
    """A simulated account that stands for the real one."""
    world = SimulatedSageMaker(JobScript([1.0]), endpoint_seconds=0)
    with world.serve(credentials=KEYS):
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        yield world


def test_a_question_can_be_asked_and_answers_itself_alike() -> None:
    """Also those that run programs. What is asked at all has an answer."""
    with simulation(PLACE, REGION) as one, simulation(PLACE, REGION) as other:
        found = list(compare(QUESTIONS, one, other, dollars=1.0))
        assert [one.clean_up(), other.clean_up()] == [[], []]
        assert one.sagemaker.list_models(NameContains=one.run)["Models"] == []
    assert [c.question.name for c in found if c.differs or c.not_asked] == []
    answers = {c.question.name: c.real for c in found}
    assert not [name for name, answer in answers.items() if "can't be asked" in answer]
    assert answers["unknown-training-job"] == "ValidationException: Requested resource not found."
    assert "tab#011here" in answers["odd-output"]
    assert answers["failure"]["reason"] == "AlgorithmError: why, exit code: 137"


def test_nothing_is_asked_beyond_the_cap(account: SimulatedSageMaker) -> None:
    found = CliRunner().invoke(main, [*GIVEN, "--cost-cap", "0.01", "--question", "failure"])
    assert found.exit_code == 0, found.output
    assert "not asked  failure: may cost $0.02, and $0.01 of the cap of $0.01 is left" in found.output
    assert account.jobs == ()


def test_what_differs_is_printed_and_told_by_the_exit_code(
    account: SimulatedSageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In one process the newest simulated SageMaker answers for all, so what differs is how it is asked.
    whose = Question("whose", "Whose role is it?", "a test", lambda asker: asker.place.role.split("/")[1])
    tags = next(question for question in FREE if question.name == "tags")
    monkeypatch.setattr("amt_flows.testing.sagemaker.compare.QUESTIONS", (whose, tags))
    others = [*GIVEN, "--role", "arn:aws:iam::123456789012:role/mine"]
    found = CliRunner().invoke(main, others)
    assert found.exit_code == 1, found.output
    assert "DIFFERS    whose: Whose role is it?" in found.output
    assert 'AWS:       "mine"' in found.output
    assert 'simulated: "compare"' in found.output
    assert "same       tags" in found.output
    assert "1 of 2 differ" in found.output
    assert client(url=account.environment["AWS_ENDPOINT_URL"]).list_models()["Models"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--role, --bucket and --image are needed"),
        ([*GIVEN, "--role", "trainer"], "trainer is no ARN of a role"),
        (["--question", "tag"], "no such question: tag; there are unknown-training-job"),
    ],
)
def test_wrong_use_is_explained(arguments: list[str], words: str) -> None:
    found = CliRunner().invoke(main, arguments)
    assert (found.exit_code, words in " ".join(found.output.split())) == (2, True), found.output


def test_the_page_of_what_nobody_knows_has_every_question() -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert [q.name for q in QUESTIONS if f"| {q.name} | {q.text} | {q.source} |" not in page] == []
