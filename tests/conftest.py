"""What all tests share: hypothesis without deadlines, since the machines it runs on are noisy; nothing of the
settings of whoever runs them; and the marker ``core``, which a file gets by where it is."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import collecting
from core import is_core, may_hold_core, nothing_of_the_outer_world
from spreading import TwoServers, longest_first, processes

# Before numpy is loaded: on cores that other tests keep busy, small matrices cost many times as much in two
# threads as in one.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

# What passes once passes always: the same examples in each run, without the numbers and texts of those of our
# modules that happen to be loaded. ``--hypothesis-profile=explore`` looks for others.
with suppress(ImportError):  # Older ones have no such pool.
    from hypothesis.internal.conjecture import providers
    from hypothesis.internal.constants_ast import Constants

    providers._get_local_constants = Constants
hypothesis.settings.register_profile("default", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("core", hypothesis.settings.get_profile("default"), max_examples=10)
hypothesis.settings.register_profile("explore", deadline=None, derandomize=False, max_examples=1000)
hypothesis.settings.load_profile("default")


def pytest_configure(config: pytest.Config) -> None:
    collecting.keep_what_is_compiled()
    if config.option.markexpr == "core" and not config.getoption("--hypothesis-profile"):
        # In seconds; the gate tries more.
        hypothesis.settings.load_profile("core")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With ``-m core`` the other files are not even imported: that alone takes longer."""
    ignored = config.option.markexpr == "core" and not may_hold_core(collection_path)
    return True if ignored else None


def pytest_collectstart() -> None:
    # Not earlier: the process that starts the others collects nothing, and lives as long.
    collecting.keep_all_that_is_imported()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if collector.path == collecting.HERE and report.result:
        report.result = list(collecting.from_ones_own_room(report.result))
    return report


def pytest_collection_finish() -> None:
    collecting.look_no_more_at_what_was_collected()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    collecting.in_one_order(items)
    for item in items:  # before ``-m`` chooses
        if is_core(item.path):
            item.add_marker(pytest.mark.core)
    yield
    if hasattr(config, "workerinput"):  # after the order was drawn
        longest_first(items)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TwoServers | None:
    # The long ones would take twice as long on one server.
    return TwoServers(config, log) if "not long" in config.option.markexpr else None


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    return processes(waiting=0 if config.option.markexpr == "core" else 2)


@pytest.fixture(autouse=True)
def _nothing_of_the_outer_world(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("core") is None:
        yield
        return
    if request.config.option.markexpr == "core":
        assert "prefect" not in sys.modules, "a file of the core imports Prefect"
    with nothing_of_the_outer_world():
        yield


@pytest.fixture
def run_from_a_terminal() -> Iterator[None]:
    """Whoever runs these tests under nohup, or in the background, has signals ignored from the start; what a
    test starts would ignore them, too."""
    known = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in known}
    for number in known:
        if before[number] is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    yield
    for number in known:
        signal.signal(number, before[number])


@pytest.fixture(scope="session", autouse=True)
def nobodys_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        patch.setenv("AMT_FLOWS_MACHINE", str(tmp_path_factory.mktemp("machine")))
        for variable in ("AMT_FLOWS_HOME", "AMT_FLOWS_PRICES", "AMT_FLOWS_GPUS", "AMT_FLOWS_RESOURCES"):
            patch.delenv(variable, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def nobody_cuts_the_power() -> Iterator[None]:
    """What is flushed to the disk outlives a power cut, which no test makes: those about it look at what is
    asked for. The disk isn't waited for; others may run meanwhile all the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: time.sleep(0))
        yield


@pytest.fixture(scope="session", autouse=True)
def services_are_described_once(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a service can do is megabytes of JSON, which every session of boto3's parses for itself. Its
    clients share it, so that nobody changes it."""
    with pytest.MonkeyPatch.context() as patch:
        if request.config.option.markexpr != "core":
            from botocore.loaders import JSONFileLoader

            one = JSONFileLoader()
            patch.setattr(JSONFileLoader, "load_file", staticmethod(cache(one.load_file)))
        yield


DRAWN = "amt_flows.tuning.proposals.drawn_seed"


@pytest.fixture(scope="session", autouse=True)
def drawn_seed() -> Iterator[Callable[[], int]]:
    """Tests draw none, nor do the fixtures that they share: what they find out is to be the same tomorrow.
    The value is what draws one."""
    from amt_flows.tuning import proposals

    really = proposals.drawn_seed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DRAWN, lambda: 0)
        yield really


@pytest.fixture
def fresh_seeds(drawn_seed: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test of seeds that are drawn."""
    monkeypatch.setattr(DRAWN, drawn_seed)
