"""A tuning job is handed over once, however often that is tried, and never mistaken for another."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import pytest

from amt.scripted_amt import Plan, attached, clients, how, opened, run, scripted_world, until
from amt_flows.amt import HandedOff, follow, stop_ours
from amt_flows.amt.described_spec import changes_asked, described_spec
from amt_flows.amt.request import HANDED_OFF, amt_request
from amt_flows.errors import BackendError, JournalError, LaunchRejected, NameTaken, TuningJobNotFound
from amt_flows.events import Event, Opened, TuningStatus, event_from_json, event_to_json
from amt_flows.ledger.journals.memory import MemoryJournal
from amt_flows.ledger.ledger import Ledger
from amt_flows.spec import TuningSpec
from amt_flows.testing.sagemaker import (
    JobScript,
    SimulatedSageMaker,
    access_denied,
    connection_lost,
    limit_exceeded,
    refusals,
    throttled,
)
from amt_flows.tuning.engine import Tuning
from backends.sagemaker_world import backend, client, spec
from spec.bodies import BODIES, two_algorithms

PLAN = Plan([{"learning_rate": "0.1"}, {"learning_rate": "0.2"}])
CREATE = "CreateHyperParameterTuningJob"


def train(given: Mapping[str, str]) -> JobScript:
    return JobScript([float(given["learning_rate"])])


def test_the_journal_of_one_that_is_handed_over_takes_it_up_again() -> None:
    journal = MemoryJournal()
    with scripted_world(train, PLAN) as world:
        opened(world, spec(), journal)
        followed = opened(world, spec(), journal)
        follow(followed)
        assert world.calls[CREATE] == 1
        assert len(world.jobs) == 2
        before = world.calls.copy()
        assert opened(world, spec(), journal).ledger.finished
        assert attached(world, "demo", journal).ledger.finished
        assert world.calls == before  # whoever has the end asks nobody


@pytest.mark.parametrize("after", [False, True])
def test_a_lost_answer_or_a_lost_call_is_repeated_and_makes_one(after: bool) -> None:
    with scripted_world(train, PLAN) as world:
        world.inject(CREATE, connection_lost(), times=2, after=after)
        ledger = run(world, spec())
        assert len(world.tuning_jobs) == 1
        assert len(ledger.jobs) == 2


def test_one_that_died_before_its_first_entry_finds_its_tuning_job_again() -> None:
    with scripted_world(train, PLAN) as world:
        opened(world, spec())
        world.advance(60)
        assert len(run(world, spec()).jobs) == 2
        assert len(world.tuning_jobs) == 1


def test_a_name_of_another_spec_is_taken_and_the_differences_are_told() -> None:
    other = spec(limits={"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 3})
    with scripted_world(train, PLAN) as world:
        opened(world, spec())
        with pytest.raises(NameTaken, match="max_parallel_training_jobs: 2 -> ") as caught:
            opened(world, other)
        assert "choose another name" in caught.value.remedy
        journal = MemoryJournal()
        opened(world, spec(), journal)
        with pytest.raises(NameTaken, match="max_number_of_training_jobs: 10 -> 3"):
            opened(world, other, journal)


def test_one_that_somebody_else_asked_for_in_the_same_words_is_ours_too() -> None:
    body = amt_request(spec())
    with scripted_world(train, PLAN) as world:
        client("sagemaker").create_hyper_parameter_tuning_job(**{**body, "Tags": []})
        assert len(run(world, spec()).jobs) == 2
        different = copy.deepcopy(body)
        different["TrainingJobDefinition"]["StaticHyperParameters"] = {"epochs": "9"}
        client("sagemaker").create_hyper_parameter_tuning_job(
            **{**different, "Tags": [], "HyperParameterTuningJobName": "else"}
        )
        with pytest.raises(NameTaken, match="static_hyperparameters: "):
            opened(world, spec().named("else"))


def test_a_tag_of_another_fingerprint_is_another_spec_whatever_the_request_says() -> None:
    body = amt_request(spec())
    with scripted_world(train, PLAN) as world:
        tags = [{"Key": HANDED_OFF, "Value": "0" * 64}]
        client("sagemaker").create_hyper_parameter_tuning_job(**{**body, "Tags": tags})
        with pytest.raises(NameTaken):
            opened(world, spec())


# -- refusals ----------------------------------------------------------------------------------------------


def test_a_final_refusal_leaves_no_trace() -> None:
    journal = MemoryJournal()
    with scripted_world(train, PLAN) as world:
        role = refusals.validation("Could not assume role arn:aws:iam::1:role/x.")
        with (
            world.inject(CREATE, role),
            pytest.raises(LaunchRejected, match="Could not assume role") as caught,
        ):
            opened(world, spec(), journal)
        assert "change what the message names" in caught.value.remedy
        denied = access_denied("sagemaker:CreateHyperParameterTuningJob")
        with (
            world.inject(CREATE, denied),
            pytest.raises(BackendError, match="AccessDenied") as no,
        ):
            opened(world, spec(), journal)
        assert "allow the action" in no.value.remedy
        assert not Ledger.replay(journal.read()).opened
        assert world.tuning_jobs == ()
        assert len(run(world, spec(), journal).jobs) == 2


def test_throttling_is_waited_out_and_a_used_up_quota_only_for_a_while() -> None:
    with scripted_world(train, PLAN) as world:
        world.inject(CREATE, throttled(), times=3)
        opened(world, spec())
        with (
            world.inject(CREATE, limit_exceeded("tuning jobs", 100, 100, 1)),
            pytest.raises(BackendError, match="ResourceLimitExceeded") as caught,
        ):
            opened(world, spec().named("more"))
        assert "Service Quotas" in caught.value.remedy


# -- the intent --------------------------------------------------------------------------------------------


class Unwritable(MemoryJournal):
    def append(self, index: int, events: Sequence[Event]) -> None:
        raise JournalError("The journal can't be written.")


class Died(BaseException):
    pass


def died_between(world: SimulatedSageMaker, journal: MemoryJournal, *, after: bool) -> None:
    """Whoever hands a tuning job over is killed before AMT is asked, or right after it has agreed."""

    class Deadly:
        """boto3's client, in a process that is killed at this call."""

        def __init__(self) -> None:
            self.real = client("sagemaker")

        def __getattr__(self, name: str) -> object:
            return getattr(self.real, name)

        def create_hyper_parameter_tuning_job(self, **body: object) -> None:
            if after:
                self.real.create_hyper_parameter_tuning_job(**body)
            raise Died

    deadly = clients()
    deadly.sagemaker = Deadly()
    with pytest.raises(Died):
        HandedOff.open(spec(), deadly, journal, how=how(world))


def test_nothing_is_asked_of_amt_before_it_is_written_down() -> None:
    with scripted_world(train, PLAN) as world:
        with pytest.raises(JournalError):
            opened(world, spec(), Unwritable())
        assert world.calls[CREATE] == 0


@pytest.mark.parametrize("after", [False, True])
def test_the_next_one_goes_on_where_one_was_killed_at_the_first_call(after: bool) -> None:
    journal = MemoryJournal()
    with scripted_world(train, PLAN) as world:
        died_between(world, journal, after=after)
        ledger = Ledger.replay(journal.read())
        assert (ledger.name, ledger.backend, ledger.awaits_amt) == ("demo", "amt:eu-west-1", True)
        ledger = run(world, spec(), journal)
        assert len(world.tuning_jobs) == 1
        assert ledger.status is TuningStatus.COMPLETED
        assert ledger.opened_at == world.tuning_jobs[0].created_at


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("after", [False, True])
def test_one_that_is_stopped_is_never_begun_for_that(after: bool, by_name: bool) -> None:
    journal = MemoryJournal()
    with scripted_world(train, PLAN) as world:
        died_between(world, journal, after=after)
        journal.ask_to_stop("enough")
        follow(attached(world, "demo", journal) if by_name else opened(world, spec(), journal))
        ledger = Ledger.replay(journal.read())
        assert ledger.status is TuningStatus.STOPPED
        assert len(world.tuning_jobs) == after
        assert world.live == ()
        assert ledger.reasons[0].rule == "StoppedByUser"


def test_what_has_the_name_meanwhile_is_not_taken_for_ours() -> None:
    journal = MemoryJournal()
    with scripted_world(train, PLAN) as world:
        died_between(world, journal, after=False)
        other = amt_request(spec(limits={"max_parallel_training_jobs": 1, "max_number_of_training_jobs": 3}))
        client("sagemaker").create_hyper_parameter_tuning_job(**other)
        with pytest.raises(NameTaken, match="max_number_of_training_jobs"):
            follow(attached(world, "demo", journal))
        with pytest.raises(NameTaken):
            stop_ours("demo", Ledger.replay(journal.read()), clients())
        with pytest.raises(NameTaken):
            opened(world, spec(), journal)
        assert not Ledger.replay(journal.read()).opened
        assert world.calls["StopHyperParameterTuningJob"] == 0


def test_a_journal_of_before_there_was_an_intent_opens() -> None:
    journal = MemoryJournal()
    with scripted_world(train, PLAN) as world:
        opened(world, spec())
        (tuning,) = world.tuning_jobs
        written = Opened(
            tuning.created_at, "demo", spec().fingerprint(), spec().to_json(), "me", "amt:eu-west-1"
        )
        data = event_to_json(written)
        del data["intended"]
        journal.append(0, [event_from_json(data)])
        assert run(world, spec(), journal).status is TuningStatus.COMPLETED
        assert len(world.tuning_jobs) == 1


def test_without_a_record_only_what_has_our_tag_is_stopped() -> None:
    with scripted_world(train, PLAN) as world:
        opened(world, spec())
        body = {**amt_request(spec()), "Tags": [], "HyperParameterTuningJobName": "theirs"}
        client("sagemaker").create_hyper_parameter_tuning_job(**body)
        with pytest.raises(NameTaken, match="not handed to it by amt-flows") as caught:
            stop_ours("theirs", None, clients())
        assert "aws sagemaker stop-hyper-parameter-tuning-job" in caught.value.remedy
        with pytest.raises(TuningJobNotFound):
            stop_ours("nobody", None, clients())
        assert world.calls["StopHyperParameterTuningJob"] == 0
        assert stop_ours("demo", None, clients())


# -- journals ----------------------------------------------------------------------------------------------


def test_a_journal_of_our_own_engine_is_not_handed_over() -> None:
    journal = MemoryJournal()
    with scripted_world(train, PLAN) as world:
        Tuning.open(spec(), backend(world), journal, clock=world.clock)
        with pytest.raises(NameTaken, match="amt-flows itself runs"):
            opened(world, spec(), journal)
        with pytest.raises(NameTaken, match="amt-flows itself runs"):
            attached(world, "demo", journal)
        assert world.calls[CREATE] == 0


def test_and_our_own_engine_does_not_take_over_what_amt_runs() -> None:
    journal = MemoryJournal()
    with scripted_world(train, PLAN) as world:
        opened(world, spec(), journal)
        with pytest.raises(NameTaken, match="amt:eu-west-1"):
            Tuning.open(spec(), backend(world), journal, clock=world.clock)


def test_our_engine_leaves_amts_training_jobs_of_the_same_name_alone() -> None:
    """They have the same names as ours would, and inherit the tuning job's tags."""
    with scripted_world(train, PLAN) as world:
        until(opened(world, spec()), lambda one: bool(one.ledger.live))
        found = backend(world).find("demo")
        assert [job.fingerprint for job in found] == [""] * len(world.jobs) != []


def test_a_journal_is_of_one_tuning_job() -> None:
    journal = MemoryJournal()
    with scripted_world(train, PLAN) as world:
        opened(world, spec(), journal)
        opened(world, spec().named("other"))
        with pytest.raises(NameTaken, match="another tuning job, demo"):
            attached(world, "other", journal)


def test_another_tuning_job_of_the_same_name_is_noticed() -> None:
    journal = MemoryJournal()
    with scripted_world(train, PLAN) as world:
        followed = opened(world, spec(), journal)
        sagemaker, name = client("sagemaker"), {"HyperParameterTuningJobName": "demo"}
        sagemaker.stop_hyper_parameter_tuning_job(**name)
        world.advance(500)
        sagemaker.describe_hyper_parameter_tuning_job(**name)
        sagemaker.delete_hyper_parameter_tuning_job(**name)
        client("sagemaker").create_hyper_parameter_tuning_job(**amt_request(spec()))
        with pytest.raises(NameTaken, match="not the one of this journal"):
            follow(followed)


def test_an_unknown_name_can_t_be_attached() -> None:
    with scripted_world(train, PLAN) as world, pytest.raises(TuningJobNotFound, match="nobody"):
        attached(world, "nobody")


def test_a_spec_needs_a_name() -> None:
    values = spec().to_json()
    del values["name"]
    with scripted_world(train, PLAN) as world, pytest.raises(ValueError, match="needs a name"):
        opened(world, TuningSpec(**values))


# -- reading what was asked ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BODIES)
def test_a_described_tuning_job_is_the_spec_that_was_asked_for(name: str) -> None:
    body = BODIES[name]()
    asked = TuningSpec.parse({n: v for n, v in body.items() if n != "Tags"})
    # That a flag is off goes without saying.
    verbatim = {n: v for n, v in asked.training_job.sagemaker.items() if v is not False}
    template = asked.training_job.model_copy(update={"sagemaker": verbatim})
    told = as_described(body)
    assert described_spec(told) == asked.model_copy(update={"training_job": template})
    assert changes_asked(body, told) == []


def as_described(body: Mapping[str, object]) -> dict[str, object]:
    """What the service adds to it."""
    told = copy.deepcopy(dict(body))
    told |= {"HyperParameterTuningJobStatus": "InProgress", "ConsumedResources": {}}
    several = told.get("TrainingJobDefinitions")
    for definition in several if isinstance(several, list) else [told["TrainingJobDefinition"]]:
        assert isinstance(definition, dict)
        static = definition.setdefault("StaticHyperParameters", {})
        static["_tuning_objective_metric"] = "x"
        for flag in ("EnableNetworkIsolation", "EnableManagedSpotTraining"):
            definition.setdefault(flag, False)
    return told


def test_metric_definitions_that_we_would_refuse_are_done_without() -> None:
    body = two_algorithms()
    for definition in body["TrainingJobDefinitions"]:
        definition["AlgorithmSpecification"]["MetricDefinitions"][0]["Regex"] = "auc=(.*?)"
    assert TuningSpec.parse(two_algorithms()).training_job.metric_definitions
    told = described_spec(body)
    assert told.training_job.metric_definitions == ()
    assert told.objective.metric_name == "validation:auc"
