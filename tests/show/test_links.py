"""Where a click on a model or a log leads: to the right console, to a file, and never into a script."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from amt_flows.backends.sagemaker.clients import PARTITION_DOMAINS, Clients
from amt_flows.events import Ended, Outcome
from amt_flows.ledger.ledger import Ledger
from amt_flows.results import TrainingJobRecord, result_of
from amt_flows.show.links import is_local, log_link, model_link
from amt_flows.show.markdown import cell, link, table
from amt_flows.show.page import report_page
from amt_flows.show.report import report_markdown
from worlds import opened, running_job


def job(artifact: str | None = None, log: str | None = None) -> TrainingJobRecord:
    return TrainingJobRecord(
        name="demo-001-00000000",
        trial=1,
        attempt=1,
        status="Completed",
        outcome="completed",
        objective_value=0.5,
        hyperparameters={},
        launched_at=0.0,
        artifact=artifact,
        log=log,
    )


class Session:
    """boto3's, as far as it is asked for the partition of a region."""

    def __init__(self, region_name: str, partition: str) -> None:
        self.region_name, self._partition = region_name, partition

    def get_partition_for_region(self, region: str) -> str:
        return self._partition


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_a_model_in_s3_is_opened_in_the_console_that_has_the_log(region: str, partition: str) -> None:
    log = Clients(Session(region, partition), None, None, None).log_uri("/aws/sagemaker/TrainingJobs", "x-1")
    record = job("s3://bucket/a folder/x-1/output/model.tar.gz", log)
    console = f"https://{region}.{PARTITION_DOMAINS[partition]}"
    assert model_link(record) == (
        f"{console}/s3/object/bucket?region={region}&prefix=a%20folder/x-1/output/model.tar.gz"
    )
    # Nothing in the console's own address is changed: it encodes its dollar signs by hand.
    assert log_link(record) == log
    assert log.startswith(f"{console}/cloudwatch/home?region={region}#logsV2:")


def test_a_folder_in_s3_is_opened_as_one() -> None:
    log = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home"
    assert model_link(job("s3://bucket/models/", log)) == (
        "https://eu-west-1.console.aws.amazon.com/s3/buckets/bucket?region=eu-west-1&prefix=models/"
    )


@pytest.mark.parametrize("log", [None, "file:///x.log", "https://eu-west-1.console.aws.amazon.com.evil.org/"])
def test_a_model_in_s3_without_a_console_has_no_link(log: str | None) -> None:
    assert model_link(job("s3://bucket/model.tar.gz", log)) is None


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "simulated:demo",
        "",
        "//[x",
        "file:x",
        "file://host/x",
    ],
)
def test_what_is_no_place_to_go_to_has_no_link(address: str) -> None:
    assert model_link(job(address)) is None
    assert log_link(job(log=address)) is None


def test_a_file_of_this_machine_is_one() -> None:
    link_to = model_link(job("file:///a%20b/model"))
    assert link_to == "file:///a%20b/model"
    assert is_local(link_to)
    assert not is_local("https://example.org/")


@given(st.text(), st.text())
def test_no_address_ends_its_link(word: str, rest: str) -> None:
    address = log_link(job(log=f"https://example.org/{rest}"))
    assert address is not None
    text = table(["A", "B"], [(link(f"x{word}", address), "end")])
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    (found,) = re.findall(r'<a href="([^"]*)"', reader.render(text))
    assert found.startswith("https://example.org/")
    assert reader.render(text).count("<td>") == 2


# -- in the report --------------------------------------------------------------------------------

CONSOLE = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:x$252Fy"


def ledger_with(artifact: str, log: str) -> Ledger:
    ledger = opened()
    for trial in (1, 2):
        name = running_job(ledger, trial, [0.5 / trial])
        ledger.apply(
            Ended(9.0, name, Outcome.COMPLETED, 1.0, 9.0, {"accuracy": 0.5 / trial}, artifact, log, None)
        )
    return ledger


def test_every_row_of_the_report_leads_to_the_console() -> None:
    ledger = ledger_with("s3://bucket/m.tar.gz", CONSOLE)
    report = report_markdown(ledger, result_of(ledger, "memory:"))
    s3 = "https://eu-west-1.console.aws.amazon.com/s3/object/bucket?region=eu-west-1&prefix=m.tar.gz"
    rows = [line for line in report.splitlines() if line.startswith("| ") and "demo-00" in line]
    assert len(rows) == 2
    assert all(row.endswith(f"| [model]({s3}) | [log]({CONSOLE}) |") for row in rows)
    assert f"`s3://bucket/m.tar.gz` ([open]({s3}))" in report


def test_a_server_s_page_has_paths_and_a_file_has_links() -> None:
    ledger = ledger_with("file:///models/a%20b", "file:///logs/1.log")
    result = result_of(ledger, "memory:")
    report = report_markdown(ledger, result)
    assert "Its model is at `/models/a b`. In a deploy step:" in report
    assert report.count("| `models/a b` | `logs/1.log` |") == 2
    assert "Models and logs are below `/`. `amt-flows logs JOB` prints what a training job wrote." in report
    assert "file:" not in report
    page = report_page(ledger, result)
    assert page.count('<a href="file:///models/a%20b">model</a>') == 2
    assert page.count('<a href="file:///logs/1.log">log</a>') == 2


def test_text_in_the_page_makes_no_link() -> None:
    ledger = ledger_with("file:///m", "javascript:alert(1)")
    page = report_page(
        ledger, result_of(ledger, "memory:").model_copy(update={"name": "[x](javascript:alert(1))"})
    )
    assert 'href="javascript' not in page
    assert cell("[x](https://example.org)") == "\\[x\\](https://example.org)"
