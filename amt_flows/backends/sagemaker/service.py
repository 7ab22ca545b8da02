"""SageMaker's calls as plain functions, with its oddities put right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from amt_flows.backends.sagemaker.clients import Clients
from amt_flows.backends.sagemaker.errors import Diagnosis, Trouble, call_error, diagnose
from amt_flows.backends.sagemaker.tags import from_pairs

PAGE: Final = 100
"""The most that ListTrainingJobs and Search give at once."""

Answer = Mapping[str, Any]


class PassingTrouble(Exception):
    """A call failed in a way that may be over at the next poll."""

    def __init__(self, what: str, found: Diagnosis) -> None:
        super().__init__(f"While {what}: {found.text}")
        self.error = call_error(what, found)


class Service:
    """Every method raises PassingTrouble, or BackendError when asking again would change nothing."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._worked = False

    def attempt(
        self,
        what: str,
        call: Callable[..., Any],
        asked: Mapping[str, Any],
        expected: Mapping[Trouble, Answer | None] | None = None,
    ) -> Any:
        """The answer to what is asked, or what ``expected`` says for the trouble that it met."""
        try:
            answer = call(**asked)
        except Exception as error:
            found = diagnose(error)
            if expected is not None and found.trouble in expected:
                return expected[found.trouble]
            if self.is_passing(found):
                raise PassingTrouble(what, found) from error
            raise call_error(what, found) from error
        self._worked = True
        return answer

    def is_passing(self, found: Diagnosis) -> bool:
        """Credentials that have worked may have been replaced by others that are not there yet; those that
        never did are wrong."""
        return found.passing or (found.trouble is Trouble.CREDENTIALS and self._worked)

    # -- training jobs ---------------------------------------------------------------------------

    def create(self, body: Mapping[str, Any]) -> None:
        """Raises whatever boto3 raises: what it means is decided where jobs are launched."""
        self._clients.sagemaker.create_training_job(**body)
        self._worked = True

    def describe(self, name: str) -> Answer | None:
        """None for a job that doesn't exist."""
        call = self._clients.sagemaker.describe_training_job
        answer: Answer | None = self.attempt(
            f"describing training job {name}",
            call,
            {"TrainingJobName": name},
            {Trouble.NOT_FOUND: None},
        )
        return answer

    def stop(self, name: str) -> None:
        """A job that has ended, or doesn't exist, is left alone."""
        call = self._clients.sagemaker.stop_training_job
        self.attempt(
            f"stopping training job {name}",
            call,
            {"TrainingJobName": name},
            {Trouble.NOT_FOUND: None, Trouble.ENDED: None},
        )

    def summaries(
        self, prefix: str, *, modified_after: datetime | None = None, created_after: datetime | None = None
    ) -> Iterator[Answer]:
        """ListTrainingJobs' entries of the jobs whose names begin with ``prefix``, newest first."""
        asked: dict[str, Any] = {
            "NameContains": prefix,
            "SortBy": "CreationTime",
            "SortOrder": "Descending",
            "MaxResults": PAGE,
        }
        if modified_after is not None:
            asked["LastModifiedTimeAfter"] = modified_after
        if created_after is not None:
            asked["CreationTimeAfter"] = created_after
        call = self._clients.sagemaker.list_training_jobs
        for page in self.pages("listing training jobs", call, asked):
            for entry in page["TrainingJobSummaries"]:
                if str(entry["TrainingJobName"]).lower().startswith(prefix.lower()):
                    yield entry

    def records(self, prefix: str) -> Iterator[Answer]:
        """What Describe tells, and the tags, of the jobs whose names begin with ``prefix``: 100 a call.

        Search's index lags: it may lack jobs, and tell old statuses.
        """
        asked = {
            "Resource": "TrainingJob",
            "SearchExpression": {
                "Filters": [{"Name": "TrainingJobName", "Operator": "Contains", "Value": prefix}]
            },
            "MaxResults": PAGE,
        }
        call = self._clients.sagemaker.search
        for page in self.pages("searching training jobs", call, asked):
            for result in page["Results"]:
                record = result.get("TrainingJob") or {}
                if str(record.get("TrainingJobName", "")).lower().startswith(prefix.lower()):
                    yield record

    def pages(self, what: str, call: Callable[..., Any], asked: dict[str, Any]) -> Iterator[Any]:
        """The answers to a call that may have more than one, each asked for when it is wanted."""
        while True:
            page = self.attempt(what, call, asked)
            yield page
            if not page.get("NextToken"):
                return
            asked = {**asked, "NextToken": page["NextToken"]}

    def tags(self, arn: str) -> dict[str, str]:
        asked: dict[str, Any] = {"ResourceArn": arn}
        call = self._clients.sagemaker.list_tags
        return from_pairs(
            tag for page in self.pages("reading tags", call, asked) for tag in page.get("Tags", ())
        )
