"""Where tuning jobs are kept: what is given for a place is that place, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from amt_flows.backends.home import expanded, home_directory, home_text, is_in_s3
from amt_flows.deploy import Target, check_target
from amt_flows.errors import AmtFlowsError, DeployRejected, JournalError
from commands import cli


@pytest.mark.parametrize("home", ["gs://bucket/x", "s3:/bucket/x", "https://a/b", Path("s3://bucket/x")])
def test_the_address_of_another_service_is_no_directory(home: str | Path) -> None:
    with pytest.raises(JournalError, match="can't be kept at"):
        home_directory(home)
    with pytest.raises(AmtFlowsError, match="no path of this machine"):
        expanded(home)


def test_an_address_of_ours_is_taken_however_it_is_written() -> None:
    assert home_text("S3://bucket/Folder") == "s3://bucket/Folder"
    assert is_in_s3("S3://bucket/Folder")
    assert home_directory("file:///srv/my%20tunings") == Path("/srv/my tunings")
    assert home_directory("a:b") == Path("a:b")


def test_a_user_without_a_home_directory_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nobody)
    monkeypatch.delenv("AMT_FLOWS_HOME", raising=False)
    for command in (["status"], ["logs", "x-001-00000000"], ["doctor"]):
        done = cli(*command)
        assert "set HOME" in done.output, command


def test_a_model_is_not_promoted_into_a_directory_called_like_an_address() -> None:
    with pytest.raises(DeployRejected, match="no directory of this machine"):
        check_target(Target(directory="s3://bucket/models"))
