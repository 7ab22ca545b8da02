"""Input data as AMT's channels: v3's ``InputData`` and ``Channel``, v2's ``TrainingInput`` and its kin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from amt_flows.sagemaker_sdk.reading import Reader, kind_of, without_empty

Channel = dict[str, Any]

ADDRESSES: Final = ("s3://", "https://")
# What the SDK calls the channel of inputs that have no name.
UNNAMED: Final = "training"
V3_INPUTS: Final = "an S3 address, a dict of names to addresses, or a list of InputData and Channel"
V2_INPUTS: Final = "an S3 address, TrainingInput, FileSystemInput or RecordSet, or a dict of names to them"
# An attribute that only one kind of data source has, and AMT's name of that kind.
_SOURCES: Final = (
    ("s3_uri", "S3DataSource"),
    ("file_system_id", "FileSystemDataSource"),
    ("dataset_arn", "DatasetSource"),
)


def _prefix(address: str) -> dict[str, Any]:
    return {
        "S3DataSource": {
            "S3DataType": "S3Prefix",
            "S3Uri": address,
            "S3DataDistributionType": "FullyReplicated",
        }
    }


def _at_address(reader: Reader, name: str, address: str, at: str) -> Channel:
    if not address.startswith(ADDRESSES):
        reader.refuse(
            at,
            address,
            "is not an S3 address, and nothing is uploaded here; upload it (the SDK's session has "
            "`upload_data`) and give its address",
        )
    return {"ChannelName": name, "DataSource": _prefix(address)}


# --- v3 --------------------------------------------------------------------------------------------------


def v3_channels(reader: Reader, inputs: Any, at: str) -> list[Channel]:
    """The channels of ``tune(inputs)``, or of a ModelTrainer's ``input_data_config``."""
    if inputs is None:
        return []
    if isinstance(inputs, str):
        return [_at_address(reader, UNNAMED, inputs, at)]
    if isinstance(inputs, Mapping):
        return [_v3_named(reader, str(name), data, f"{at}.{name}") for name, data in inputs.items()]
    if isinstance(inputs, list | tuple):
        return [_v3_channel(reader, one, f"{at}[{i}]") for i, one in enumerate(inputs)]
    reader.refuse(at, kind_of(inputs), f"must be {V3_INPUTS}")
    return []


def _v3_channel(reader: Reader, one: Any, at: str) -> Channel:
    name, source = reader.get(one, "channel_name", at), getattr(one, "data_source", None)
    if name is None or source is None:
        reader.refuse(at, kind_of(one), "must be an InputData or a Channel with a name and a data source")
        return {}
    if not isinstance(source, str) and any(hasattr(source, f"{kind}_data_source") for kind in ("s3", "file")):
        return dict(without_empty(reader.plain(one, at)))
    channel = _v3_named(reader, str(name), source, f"{at}.data_source")
    content_type = reader.get(one, "content_type", at)
    return {**channel, "ContentType": content_type} if content_type else channel


def _v3_named(reader: Reader, name: str, source: Any, at: str) -> Channel:
    if isinstance(source, str):
        return _at_address(reader, name, source, at)
    for attribute, kind in _SOURCES:
        if hasattr(source, attribute):
            return {"ChannelName": name, "DataSource": {kind: without_empty(reader.plain(source, at))}}
    # Refuses a pipeline's variable with its own reason.
    if reader.plain(source, at) is not None:
        reader.refuse(at, kind_of(source), "must be an S3 address or a data source of the SDK")
    return {}


# --- v2 --------------------------------------------------------------------------------------------------


def v2_channels(reader: Reader, inputs: Any, at: str) -> list[Channel] | None:
    """The channels of ``fit(inputs)``; None when there are no inputs."""
    if inputs is None:
        return None
    if isinstance(inputs, list | tuple):
        return [channel for i, one in enumerate(inputs) for channel in _records(reader, one, f"{at}[{i}]")]
    if callable(getattr(inputs, "data_channel", None)):
        return _records(reader, inputs, at)
    named: Iterable[tuple[object, Any]] = (
        inputs.items() if isinstance(inputs, Mapping) else [(UNNAMED, inputs)]
    )
    return [_v2_named(reader, str(name), data, f"{at}.{name}") for name, data in named]


def _records(reader: Reader, records: Any, at: str) -> list[Channel]:
    """A RecordSet names its channel itself."""
    if not callable(getattr(records, "data_channel", None)):
        reader.refuse(at, kind_of(records), f"must be a RecordSet; inputs are {V2_INPUTS}")
        return []
    return [
        _v2_named(reader, str(name), data, f"{at}.{name}") for name, data in records.data_channel().items()
    ]


def _v2_named(reader: Reader, name: str, data: Any, at: str) -> Channel:
    if isinstance(data, str):
        return _at_address(reader, name, data, at)
    configured = getattr(data, "config", None)
    if not isinstance(configured, Mapping):
        reader.refuse(at, kind_of(data), f"can't be read; inputs are {V2_INPUTS}")
        return {}
    if "FileDataSource" in configured.get("DataSource", {}):
        reader.refuse(at, kind_of(data), "is for the SDK's local mode; give an S3 address")
        return {}
    return {**reader.plain(configured, f"{at}.config"), "ChannelName": name}


def v2_model_channel(reader: Reader, estimator: Any, at: str) -> Channel | None:
    """The channel of a pre-trained model, with its terms of use when they had to be accepted."""
    address = reader.get(estimator, "model_uri", at)
    if not address:
        return None
    channel = _at_address(
        reader, str(reader.get(estimator, "model_channel_name", at)), str(address), f"{at}.model_uri"
    )
    source = channel["DataSource"]["S3DataSource"]
    for attribute, member in (
        ("model_access_config", "ModelAccessConfig"),
        ("hub_access_config", "HubAccessConfig"),
    ):
        granted = reader.get(estimator, attribute, at)
        if granted is not None:
            source[member] = granted
    return {**channel, "ContentType": "application/x-sagemaker-model", "InputMode": "File"}


def v2_code_channel(reader: Reader, estimator: Any, at: str) -> Channel | None:
    """The channel by which code reaches a training job that has no network."""
    address = reader.get(estimator, "code_uri", at)
    if not address:
        return None
    return _at_address(
        reader, str(reader.get(estimator, "code_channel_name", at)), str(address), f"{at}.code_uri"
    )
