"""An environment of its own in which the real SageMaker SDK runs: v3 and v2, a directory each.

Both versions import as ``sagemaker`` and bring far more than a tuner needs: mlflow, pyarrow, paramiko, 130
packages, minutes with pip. So the SDK is installed without its dependencies, and what importing a tuner
needs is named here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

SDK = {
    "3": ("sagemaker-core==2.27.0", "sagemaker-train==1.27.0"),  # the parts of sagemaker 3.27.0
    "2": ("sagemaker==2.257.7", "sagemaker-core==1.0.78"),
}
NEEDED = (
    "attrs",
    "boto3",
    "graphene>=3,<4",
    "importlib-metadata<7",
    "jsonschema",
    "numpy",
    "omegaconf",
    "packaging",
    "pandas",
    "platformdirs",
    "protobuf<7",
    "pydantic>=2.10,<3",
    "pyyaml",
    "requests",
    "rich",
    "schema",
    "smdebug-rulesconfig",
    "tomli; python_version < '3.11'",
)


def environment(cache: Path) -> Path:
    """The environment below ``cache``, made when it isn't there."""
    wanted = repr((SDK, NEEDED, sys.version_info[:2]))
    place = cache / hashlib.sha256(wanted.encode()).hexdigest()[:12]
    done = place / "done"
    if not done.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        _make(place)
        done.write_text(wanted, encoding="utf-8")
    return place


def _make(place: Path) -> None:
    # By pip, with whose settings the environment of this test was made: another installer may know no index.
    _run(sys.executable, "-m", "venv", str(place))
    install = (
        str(place / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    )
    _run(*install, *NEEDED)
    for version, distributions in SDK.items():
        _run(*install, "--no-deps", "--target", str(place / f"sdk{version}"), *distributions)


def run(place: Path, version: str, *, room: Path, path: list[Path]) -> str:
    """What ``real_sdk.py`` prints about a version of the SDK. ``room``: an empty directory to live in."""
    links = room / "path"
    links.mkdir()
    for package in path:
        (links / package.name).symlink_to(package, target_is_directory=True)
    # The SDK reads defaults from the person's own directories.
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAGEMAKER_"))
    }
    variables |= {
        "PYTHONPATH": os.pathsep.join([str(place / f"sdk{version}"), str(links)]),
        "HOME": str(room),
        "XDG_CONFIG_HOME": str(room / "config"),
        "XDG_CONFIG_DIRS": str(room / "config"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
    }
    script = str(links / "sdk" / "real_sdk.py")
    # What the SDK logs goes to standard output too: the answer is the last line.
    return _run(str(place / "bin" / "python"), script, version, variables=variables).splitlines()[-1]


def _run(*command: str, variables: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=variables)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout
