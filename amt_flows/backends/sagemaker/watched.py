"""One training job as the poller follows it, and its last report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from amt_flows.backends.sagemaker.averages import Averages
from amt_flows.backends.sagemaker.logs import JobLog, in_32_bits
from amt_flows.backends.sagemaker.states import (
    MAX_WAIT,
    RESTARTS,
    TIME_LIMITS,
    is_infrastructure,
    state_of,
)
from amt_flows.ports import JobReport, JobState
from amt_flows.spec import MetricDefinition


@dataclass
class Watched:
    """A job whose end has not been reported, or has (``final``)."""

    name: str
    log: JobLog
    launched_at: float
    """When we came to know of it, by our clock."""
    definitions: tuple[MetricDefinition, ...] | None = None
    """What its output is searched for; None: SageMaker's own choice, which Describe tells."""
    state: JobState = JobState.STARTING
    created_at: float | None = None
    """By the service's clock."""
    listed: bool = False
    """ListTrainingJobs has shown it."""
    ended: bool = False
    """The service says that it has ended. It is reported so when its last values are there."""
    polls_after_end: int = 0
    missing_polls: int = 0
    """In a row, that have found it neither in the listing nor by its name."""
    final: JobReport | None = None
    averages: Averages | None = None

    def see(self, answer: Mapping[str, Any]) -> None:
        """Take the state from an entry of ListTrainingJobs or Search, or an answer of Describe."""
        if self.ended:
            return  # an older answer may come later
        secondary = answer.get("SecondaryStatus")
        self.created_at = seconds(answer.get("CreationTime"))
        state = state_of(str(answer["TrainingJobStatus"]), secondary)
        if state.terminal:
            self.ended = True
            # Until the report of its end it holds its slot.
            self.state = JobState.STOPPING if state is JobState.STOPPED else JobState.RUNNING
            return
        if state is JobState.STARTING and self.state is JobState.RUNNING and secondary in RESTARTS:
            self.log.starts += 1
        self.state = state

    def see_description(self, answer: Mapping[str, Any]) -> None:
        """Also take what only Describe and Search tell."""
        self.see(answer)
        if self.definitions is None:
            self.definitions = definitions_of(answer)
        self.log.starts = max(self.log.starts, starts_of(answer))

    def report(self, log_uri: str) -> JobReport:
        """What is known, with the values that were not told before."""
        points, unread = self.log.take_fresh(), tuple(self.log.unread.values())
        if self.final is None:
            return JobReport(self.name, self.state, points, log=log_uri, unread=unread)
        names = self.log.names(self.definitions or ())
        return replace(self.final, points=points, unread=unread, names=names)


def seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def definitions_of(answer: Mapping[str, Any]) -> tuple[MetricDefinition, ...]:
    """The metric definitions that the service has for a job."""
    given = (answer.get("AlgorithmSpecification") or {}).get("MetricDefinitions") or ()
    return tuple(MetricDefinition(name=str(one["Name"]), regex=str(one["Regex"])) for one in given)


def starts_of(answer: Mapping[str, Any]) -> int:
    """How many times the training was started: more than once after interruptions and internal errors."""
    return sum(step.get("Status") == "Training" for step in answer.get("SecondaryStatusTransitions") or ())


def ran_nothing(answer: Mapping[str, Any]) -> bool:
    """Whether a job has completed in the moment of its creation, and was never training: as moto's mock of
    the service has it, which knows no more than that a job was created."""
    never_trained = answer.get("SecondaryStatusTransitions") is not None and not starts_of(answer)
    at_once = answer.get("TrainingEndTime") == answer.get("CreationTime")
    return answer.get("TrainingJobStatus") == "Completed" and at_once and never_trained


def may_have_restarted(answer: Mapping[str, Any]) -> bool:
    """Whether a job could have been started again, which needn't show in what is told of it."""
    return bool(answer.get("EnableManagedSpotTraining") or answer.get("RetryStrategy"))


def final_values(answer: Mapping[str, Any]) -> dict[str, float]:
    """The last values as the service has them, in as few digits as tell its 32-bit numbers apart."""
    given = answer.get("FinalMetricDataList") or ()
    return {str(one["MetricName"]): float(in_32_bits(float(one["Value"]))) for one in given}


def final_report(name: str, answer: Mapping[str, Any], log_uri: str) -> JobReport:
    """The report of a job that has ended, from Describe's answer."""
    secondary, reason = answer.get("SecondaryStatus"), answer.get("FailureReason")
    state = state_of(str(answer["TrainingJobStatus"]), secondary)
    if secondary == MAX_WAIT and not reason:
        reason = "spot instances were not to be had within MaxWaitTimeInSeconds, or not for long enough"
    return JobReport(
        name,
        state,
        started_at=seconds(answer.get("TrainingStartTime")),
        ended_at=seconds(answer.get("TrainingEndTime") or answer.get("LastModifiedTime")),
        timed_out=state is JobState.STOPPED and secondary in TIME_LIMITS,
        infrastructure=state is JobState.FAILED and is_infrastructure(str(reason or "")),
        failure=None if reason is None else str(reason),
        artifact=(answer.get("ModelArtifacts") or {}).get("S3ModelArtifacts"),
        checkpoints=(answer.get("CheckpointConfig") or {}).get("S3Uri"),
        log=log_uri,
    )


def lost_report(name: str) -> JobReport:
    return JobReport(name, JobState.LOST, failure="SageMaker knows no training job of this name")


def stopped_and_gone(name: str) -> JobReport:
    """A job that was seen to be stopped, and was deleted before more could be asked: its values are those
    that were read while it ran. It isn't launched again, since somebody wanted it to end."""
    return JobReport(name, JobState.STOPPED)
