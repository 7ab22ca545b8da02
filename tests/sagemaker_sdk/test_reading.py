"""The SDK's values are read without its classes."""

from __future__ import annotations

from typing import Any

import pytest

from amt_flows.sagemaker_sdk.reading import Reader, amt_name, without_empty
from sagemaker_sdk import stand_ins_v2, stand_ins_v3


@pytest.mark.parametrize(
    ("name", "amts"),
    [
        ("s3_uri", "S3Uri"),
        ("kms_key_id", "KmsKeyId"),
        ("volume_size_in_gb", "VolumeSizeInGB"),
        ("max_runtime_in_seconds", "MaxRuntimeInSeconds"),
    ],
)
def test_a_field_has_amts_name(name: str, amts: str) -> None:
    assert amt_name(name) == amts


def test_an_object_is_read_without_what_is_unset() -> None:
    source = stand_ins_v3.S3DataSource(s3_uri="s3://bucket/data", attribute_names=["a", "b"])
    channel = stand_ins_v3.Channel(
        channel_name="train", data_source=stand_ins_v3.DataSource(s3_data_source=source)
    )
    reader = Reader()
    assert reader.plain(channel, "inputs") == {
        "ChannelName": "train",
        "DataSource": {"S3DataSource": {"S3Uri": "s3://bucket/data", "AttributeNames": ["a", "b"]}},
    }
    assert reader.get(channel, "content_type", "inputs") is None
    assert reader.get(channel, "no_such_attribute", "inputs") is None
    assert reader.plain(stand_ins_v2.WarmStartTypes.TRANSFER_LEARNING, "type") == "TransferLearning"
    assert reader.problems == []


def test_what_says_nothing_goes_and_0_stays() -> None:
    given: dict[str, Any] = {
        "a": 0,
        "b": False,
        "c": "",
        "d": [],
        "e": {"f": {"g": False}},
        "h": [{"i": "", "j": 0.0}],
        "k": True,
    }
    assert without_empty(given) == {"a": 0, "h": [{"j": 0.0}], "k": True}
