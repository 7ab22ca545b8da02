"""The production variants of an endpoint, as Describe tells them: what each serves, its weight and its
instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from amt_flows.testing.sagemaker.refusals import validation

_MEMORIES = [1024, 2048, 3072, 4096, 5120, 6144]
_MEMBERS = {"DesiredWeight": "CurrentWeight", "DesiredInstanceCount": "CurrentInstanceCount"}

Variant = dict[str, Any]


def as_configured(configuration: Mapping[str, Any], image_of: Mapping[str, str]) -> list[Variant]:
    """The variants of a configuration that has been deployed; ``image_of`` has the images of its models."""
    return [_variant(one, image_of) for one in configuration.get("ProductionVariants") or ()]


def _variant(asked: Mapping[str, Any], image_of: Mapping[str, str]) -> Variant:
    image = image_of.get(str(asked.get("ModelName")))
    weight, count = float(asked.get("InitialVariantWeight", 1.0)), asked.get("InitialInstanceCount")
    serverless = asked.get("ServerlessConfig")
    told = {
        "VariantName": asked["VariantName"],
        "DeployedImages": [{"SpecifiedImage": image, "ResolvedImage": image}] if image else None,
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
        "CurrentServerlessConfig": serverless,
        "DesiredServerlessConfig": serverless,
    }
    return {name: value for name, value in told.items() if value is not None}


def desired(
    variants: Sequence[Variant], asked: Sequence[Mapping[str, Any]], configuration: str
) -> list[Variant]:
    """What UpdateEndpointWeightsAndCapacities makes of them at first. Raises a ValidationException."""
    names = [str(one["VariantName"]) for one in asked]
    for name in names:
        if names.count(name) > 1:
            raise validation(f'The variant name "{name}" was non-unique within the request.')
        if name not in [variant["VariantName"] for variant in variants]:
            raise validation(
                f'The variant name(s) "{name}" is/are not present within endpoint configuration '
                f'"{configuration}".'
            )
    changes = {
        str(one["VariantName"]): {member: one[member] for member in _MEMBERS if member in one}
        for one in asked
    }
    return [{**variant, **changes.get(str(variant["VariantName"]), {})} for variant in variants]


def settled(variants: Sequence[Variant]) -> list[Variant]:
    """And when it is done."""
    return [
        {
            **variant,
            **{now: variant[wanted] for wanted, now in _MEMBERS.items() if wanted in variant},
        }
        for variant in variants
    ]


def check_memory(configuration: Mapping[str, Any]) -> None:
    """A serverless variant has whole gigabytes, says the reference of ProductionVariantServerlessConfig.
    Raises a ValidationException."""
    for one in configuration.get("ProductionVariants") or ():
        size = (one.get("ServerlessConfig") or {}).get("MemorySizeInMB", _MEMORIES[0])
        if size not in _MEMORIES:
            raise validation(
                f"Value '{size}' at 'MemorySizeInMB' failed to satisfy constraint: Member must satisfy enum "
                f"value set: {_MEMORIES}"
            )
