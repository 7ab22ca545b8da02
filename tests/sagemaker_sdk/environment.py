"""Places from which the real SageMaker SDK is imported: v3 and v2, a directory each.

Both versions import as ``sagemaker`` and bring far more than a tuner needs: mlflow, pyarrow, paramiko, 130
packages, minutes with pip. So the SDK is installed without its dependencies. Of what importing a tuner needs,
the tests' own environment has most (boto3, pandas, pydantic); what it lacks is named here.
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
LACKING = (
    "graphene>=3,<4",
    "graphql-core>=3.1,<3.3",
    "graphql-relay>=3.1,<3.3",
    "importlib-metadata<7",
    "omegaconf>=2.4",
    "protobuf<7",
    "schema",
    "smdebug-rulesconfig",
    "zipp",
)


def environment(cache: Path) -> Path:
    """The directory below ``cache`` that has them, made when it isn't there."""
    wanted = repr((SDK, LACKING, sys.version_info[:2]))
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
    # What is never imported, which is most of it, needn't be compiled.
    install = (
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
    )
    for version, distributions in SDK.items():
        _run(*install, "--no-deps", "--target", str(place / f"sdk{version}"), *distributions)
    _run(*install, "--no-deps", "--target", str(place / "lacking"), *LACKING)


def run(place: Path, version: str, *, room: Path, path: list[Path]) -> str:
    """What ``real_sdk.py`` prints about a version of the SDK. ``room``: an empty directory to live in."""
    links = room / "path"
    links.mkdir()
    for package in path:
        (links / package.name).symlink_to(package, target_is_directory=True)
    # The SDK reads defaults from the person's own directories.
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "SAGEMAKER_", "PYTHONDONTWRITE"))
    }
    variables |= {
        "PYTHONPATH": os.pathsep.join([str(place / f"sdk{version}"), str(place / "lacking"), str(links)]),
        "HOME": str(room),
        "XDG_CONFIG_HOME": str(room / "config"),
        "XDG_CONFIG_DIRS": str(room / "config"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
    }
    script = str(links / "sagemaker_sdk" / "real_sdk.py")
    # What the SDK logs goes to standard output too: the answer is the last line.
    return _run(sys.executable, script, version, variables=variables).splitlines()[-1]


def _run(*command: str, variables: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=variables)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout
