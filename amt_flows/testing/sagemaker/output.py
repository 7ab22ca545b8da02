"""What becomes of a line that a training job prints."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from amt_flows.backends.searching import found_apart
from amt_flows.metrics.lines import escaped
from amt_flows.metrics.search import Rule
from amt_flows.testing.sagemaker import publishing
from amt_flows.testing.sagemaker.job import Emission, Line, SimulatedTrainingJob
from amt_flows.testing.sagemaker.lines import finite
from amt_flows.testing.sagemaker.log_agent import Event, LogAgent
from amt_flows.testing.sagemaker.publishing import events_of
from amt_flows.testing.sagemaker.shared_state import SharedState


def begin_output(job: SimulatedTrainingJob, shared: SharedState, at: float) -> None:
    """The container starts: its log stream appears."""
    job.start_container(at)
    stream, lags = job.stream, shared.lags
    shared.at(
        at + lags.log_seconds,
        lambda now: publishing.open_stream(job.account, job.region, stream, now),
    )

    def put(events: Sequence[Event], at: float) -> None:
        shared.at(
            at + lags.log_seconds,
            lambda now: publishing.put_lines(job.account, job.region, stream, events, now),
        )

    job.log_agent = LogAgent(put, shared.at, at, lags.log_batch_seconds)


def print_lines(job: SimulatedTrainingJob, shared: SharedState, texts: Sequence[str], at: float) -> None:
    """Lines to CloudWatch Logs, and what the job's metric definitions find in them to CloudWatch metrics.

    Both have them as the service does: nothing is cleaned up, control characters are escaped, and a line that
    is longer than an event may be becomes several, each of which is searched by itself.
    """
    if not texts:
        return
    texts = [event for text in texts for event in events_of(escaped(text))]
    stream = job.stream
    job.lines += [Line(at, stream, text) for text in texts]
    # CloudWatch Logs knows no empty messages (InputLogEvent's reference: at least 1 character). That an agent
    # makes a blank of an empty line is assumed.
    assert job.log_agent is not None
    job.log_agent.take([(at, text if text.strip() else " ") for text in texts], at)
    rules = [_rule(str(one["Name"]), str(one["Regex"])) for one in job.metric_definitions]
    for every in found_apart("service", rules, texts):
        for found in every:
            if found.value is not None:
                _emit(job, shared, Emission(at, found.metric, found.value))


def _emit(job: SimulatedTrainingJob, shared: SharedState, emission: Emission) -> None:
    job.emissions.append(emission)
    if finite(emission.value):
        shared.at(
            emission.at + shared.lags.metric_seconds,
            lambda _: publishing.put_metric(
                job.account, job.region, job.name, emission.metric, emission.value, emission.at
            ),
        )


@lru_cache(maxsize=1024)
def _rule(name: str, regex: str) -> Rule:
    """Of the regex, or one that matches nothing where it is none: the service finds nothing then, too."""
    try:
        return Rule(name, regex)
    except re.error:
        return Rule(name, r"(?!)")
