"""Real tuning jobs as flows, killed and disturbed: nothing is lost, doubled or left running."""

from __future__ import annotations

import pytest
from prefect.settings import get_current_settings

from amt_flows.testing.chaos.surroundings import surroundings
from scenes import play_some

pytestmark = pytest.mark.slow


# What it would find without S3, the two together do.
@pytest.mark.parametrize("in_s3", [pytest.param(False, marks=pytest.mark.long), True], ids=["", "S3"])
def test_a_scene_breaks_no_promise_as_a_flow(in_s3: bool) -> None:
    server = str(get_current_settings().api.url)
    with surroundings(as_flow=True, in_s3=in_s3, server=server) as around:
        play_some(around)
