"""From a flow's parameters to the backend that they ask for."""

from __future__ import annotations

from typing import Any

from amt_flows.errors import BackendError
from amt_flows.flows.blocks import LocalTraining, SageMakerTraining
from amt_flows.places import Place, open_place
from amt_flows.ports import Backend


def training_block(name: str) -> Backend:
    """The backend of a block that is named as ``amt-sagemaker-training/prod``. Raises BackendError."""
    slugs = {kind.get_block_type_slug(): kind for kind in (LocalTraining, SageMakerTraining)}
    slug, _, document = name.partition("/")
    if slug not in slugs or not document:
        raise BackendError(
            f"{name!r} is no block of a place for training jobs.",
            remedy=f"write one of {', '.join(f'{slug}/<name>' for slug in slugs)}",
        )
    try:
        block: Any = slugs[slug].load(document)
    except ValueError as error:
        raise BackendError(
            f"The block {name} can't be loaded: {error}",
            remedy="save it first, in the UI or from a file; `prefect block ls` lists what there is",
        ) from error
    return block.backend()  # type: ignore[no-any-return]


def backend_for(backend: str, *, region: str | None, home: str | None, training: str | None) -> Place:
    """The backend that a flow's parameters ask for: the block, if one is named. Raises BackendError."""
    if training:
        return training_block(training)
    # A form sends an empty text for what was left empty, and hooks see the parameters as they were sent.
    return open_place(backend, home=home or None, region=region or None)
