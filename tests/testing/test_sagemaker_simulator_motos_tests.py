"""Moto's own tests of SageMaker, in the simulated one: whoever comes from moto finds what he knows, but for
what :mod:`testing.motos_differences` lists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import moto
import pytest

HERE = Path(__file__).parents[1]
TESTS = re.compile(r"[^/]+/(tests/(__init__|conftest)\.py|tests/test_sagemaker/[^/]+\.py)")


@pytest.fixture
def motos_tests(request: pytest.FixtureRequest) -> Path:
    """Unpacked from the source distribution of the version that is installed, which pip brings once."""
    assert request.config.cache is not None
    place: Path = request.config.cache.mkdir(f"moto-{moto.__version__}")
    if not (place / "tests").is_dir():
        _bring(place)
    return place


def _bring(place: Path) -> None:
    source = f"moto=={moto.__version__}"
    asked = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "moto", source]
    found = subprocess.run([*asked, "--dest", place], capture_output=True, text=True, check=False)
    if found.returncode and not os.environ.get("CI"):
        pytest.skip(f"pip can't bring moto's source distribution: {found.stderr.strip()[-300:]}")
    assert found.returncode == 0, found.stderr
    [archive] = place.glob("moto-*.tar.gz")
    with tarfile.open(archive) as opened:
        for entry in opened:
            inside = TESTS.fullmatch(entry.name)
            content = opened.extractfile(entry) if inside else None
            if inside and content is not None:
                path = place / inside[1]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())
    archive.unlink()


@pytest.mark.slow
def test_motos_own_tests_pass_but_for_the_differences_that_are_listed(motos_tests: Path) -> None:
    # A plain pytest: nothing of ours but the plugin.
    own = ["-p", "testing.motos_world", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider"]
    words = [sys.executable, "-m", "pytest", *own, "-q", "--tb=short", "--color=no", "-c", os.devnull]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    found = subprocess.run(
        [*words, "--rootdir", motos_tests, "tests/test_sagemaker"],
        cwd=motos_tests,
        env={**environment, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]
    passed = re.search(r"(\d+) passed", found.stdout)
    assert int(passed[1] if passed else 0) > 200, found.stdout[-500:]
