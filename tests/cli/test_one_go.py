"""Commands that only look do without the search for rings of references, and leave it as it was."""

from __future__ import annotations

import gc

import pytest

from amt_flows.cli.one_go import in_one_go


@pytest.mark.parametrize("was_on", [True, False])
def test_a_command_that_looks_leaves_the_collector_as_it_was_however_it_ends(was_on: bool) -> None:
    seen: list[bool] = []

    @in_one_go
    def look(fails: bool) -> None:
        seen.append(gc.isenabled())
        if fails:
            raise KeyboardInterrupt

    (gc.enable if was_on else gc.disable)()
    try:
        look(False)
        assert gc.isenabled() is was_on
        with pytest.raises(KeyboardInterrupt):
            look(True)
        assert gc.isenabled() is was_on
    finally:
        gc.enable()
    assert seen == [False, False]
