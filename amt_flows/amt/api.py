"""The calls of SageMaker's tuning API, as plain functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from amt_flows.backends.sagemaker.clients import Clients
from amt_flows.backends.sagemaker.errors import Trouble
from amt_flows.backends.sagemaker.service import PAGE, Answer, Service
from amt_flows.errors import BackendError, LaunchRejected, TuningJobNotFound

_ENDED: Final[Answer] = {"ended": True}


class TuningApi:
    """Every method raises PassingTrouble, or BackendError when asking again would change nothing."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self.service = Service(clients)

    def create(self, body: Mapping[str, Any]) -> bool:
        """Whether the tuning job is new; False when its name is in use. Raises LaunchRejected for a request
        that AMT will never take."""
        name = str(body["HyperParameterTuningJobName"])
        call = self._clients.sagemaker.create_hyper_parameter_tuning_job
        try:
            answer = self.service.attempt(
                f"handing tuning job {name} to AMT", call, body, {Trouble.IN_USE: None}
            )
        except BackendError as error:
            invalid = error.because == Trouble.INVALID.value
            remedy = "change what the message names; nothing was launched" if invalid else error.remedy
            raise LaunchRejected(error.happened, because=error.because, remedy=remedy) from error
        return answer is not None

    def describe(self, name: str) -> Answer | None:
        """None for a tuning job that doesn't exist."""
        call = self._clients.sagemaker.describe_hyper_parameter_tuning_job
        answer: Answer | None = self.service.attempt(
            f"describing tuning job {name}", call, _named(name), {Trouble.NOT_FOUND: None}
        )
        return answer

    def pages_of_training_jobs(self, name: str) -> Iterator[list[Answer]]:
        """The entries of a tuning job's training jobs, the newest first, in pages of a hundred."""
        asked = {**_named(name), "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": PAGE}
        call = self._clients.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job
        for page in self.service.pages(f"listing the training jobs of {name}", call, asked):
            yield list(page["TrainingJobSummaries"])

    def stop(self, name: str) -> bool:
        """Whether the tuning job is stopping now; False when it had ended. Raises TuningJobNotFound."""
        call = self._clients.sagemaker.stop_hyper_parameter_tuning_job
        answer = self.service.attempt(
            f"stopping tuning job {name}",
            call,
            _named(name),
            {Trouble.NOT_FOUND: None, Trouble.ENDED: _ENDED},
        )
        if answer is None:
            raise not_found(name)
        return answer is not _ENDED

    def tags(self, arn: str) -> dict[str, str]:
        return self.service.tags(arn)


def not_found(name: str) -> TuningJobNotFound:
    return TuningJobNotFound(
        f"SageMaker knows no tuning job {name}.",
        because="the name is misspelt, or it was made in another region or account",
        remedy="`aws sagemaker list-hyper-parameter-tuning-jobs` lists those of a region",
    )


def _named(name: str) -> dict[str, str]:
    return {"HyperParameterTuningJobName": name}
