"""The name of a tuning job that was given none."""

from __future__ import annotations

from uuid import UUID

from amt_flows.names import tuning_job_name_from
from amt_flows.series import ID_DIGITS, LONGEST_NAME


def name_for_run(flow_name: str, flow_run_id: UUID) -> str:
    """The same under a retry of the flow run and in a hook after its death; another for every other run.

    From the flow's name and not from the flow run's, which can be changed while it runs. From the end of
    the id: the start of a time-ordered id is the same for two runs of one minute.
    """
    return tuning_job_name_from(f"{flow_name[:LONGEST_NAME]}-{flow_run_id.hex[-ID_DIGITS:]}")
