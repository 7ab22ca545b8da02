"""The settings by which SageMaker's SDK keeps to the simulated AWS.

Its Session asks STS for the account, to name its default bucket, by an endpoint of its own that no variable
changes: without a bucket it calls AWS. It reads the bucket from a file of settings, which a variable names;
there it is told, too, to send nothing about its use.
https://sagemaker.readthedocs.io/en/stable/overview.html#configuring-and-using-defaults-with-the-sagemaker-python-sdk
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from moto.core import DEFAULT_ACCOUNT_ID

VARIABLE: Final = "SAGEMAKER_ADMIN_CONFIG_OVERRIDE"
"""The settings of an administrator: those of the user, in a file of his own, still win."""
BUCKET: Final = f"sagemaker-simulated-{DEFAULT_ACCOUNT_ID}"
_SETTINGS: Final = f"""\
SchemaVersion: '1.0'
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
      Session:
        DefaultS3Bucket: {BUCKET}
"""


def write_settings(directory: Path) -> dict[str, str]:
    """Write the file; the variable that names it."""
    file = directory / "sagemaker-sdk.yaml"
    file.write_text(_SETTINGS, encoding="utf-8")
    return {VARIABLE: str(file)}
