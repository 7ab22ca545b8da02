"""What all tests share: hypothesis without deadlines, since the machines it runs on are noisy; and nothing of
the settings of whoever runs them."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest

hypothesis.settings.register_profile("default", deadline=None, derandomize=False, print_blob=True)
hypothesis.settings.load_profile("default")


@pytest.fixture(scope="session", autouse=True)
def nobodys_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        for variable in ("AMT_FLOWS_HOME", "AMT_FLOWS_PRICES"):
            patch.delenv(variable, raising=False)
        yield
