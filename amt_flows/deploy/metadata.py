"""Where a model came from, as the model registry keeps it: 50 pairs of short texts.

The registry's texts have letters, digits, spaces and ``_.:/=+-@``; whatever else a value has is written ``=``
and two hexadecimal digits for each byte, and so is ``=`` itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from amt_flows.deploy.candidate import Candidate
from amt_flows.deploy.champion import Champion
from amt_flows.errors import NotComparable
from amt_flows.space.space import as_text

MOST_PAIRS: Final = 50
LONGEST_KEY: Final = 128
LONGEST_VALUE: Final = 256
# Only ASCII of what the service allows: what counts as a letter elsewhere, Java and Python don't agree on.
_STRANGE: Final = re.compile(r"[^A-Za-z0-9 _.:/+\-@]")
_CODED: Final = re.compile(r"((?:=[0-9A-F]{2})+)")

LEFT_OUT: Final = "left-out"


def encoded(text: str, longest: int = LONGEST_VALUE) -> str:
    """``text`` in the registry's alphabet, cut to ``longest`` characters."""

    def code(match: re.Match[str]) -> str:
        return "".join(f"={byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))

    found = _STRANGE.sub(code, text)
    if len(found) > longest:
        found = re.sub(r"=.?$", "", found[: longest - 3]) + "..."
    return found


def decoded(text: str) -> str:
    """The inverse of :func:`encoded` for texts that were not cut."""
    return _CODED.sub(lambda match: bytes.fromhex(match[0].replace("=", "")).decode(errors="replace"), text)


def metadata_of(candidate: Candidate, training_job_arn: str | None = None) -> dict[str, str]:
    """CustomerMetadataProperties for a model package. What a later comparison needs comes first; if there are
    too many hyperparameters, ``left-out`` says how many are missing."""
    pairs: list[tuple[str, str]] = [
        ("tuning-job", candidate.tuning_job),
        ("training-job", candidate.training_job),
        ("objective-metric", candidate.objective_metric),
        ("objective-type", candidate.objective_type),
        ("objective-value", repr(candidate.objective_value)),
        ("fingerprint", candidate.fingerprint),
        ("journal", candidate.journal),
        ("training-job-arn", training_job_arn or ""),
    ]
    pairs += [(f"hyperparameter:{name}", as_text(value)) for name, value in candidate.hyperparameters.items()]
    pairs += [(f"metric:{name}", repr(value)) for name, value in candidate.metrics.items()]
    found: dict[str, str] = {}
    for key, value in pairs:
        if value:
            found.setdefault(encoded(key, LONGEST_KEY), encoded(value))
    if len(found) > MOST_PAIRS:
        kept = dict(list(found.items())[: MOST_PAIRS - 1])
        return {**kept, LEFT_OUT: str(len(found) - len(kept))}
    return found


def champion_of(package: str, metadata: Mapping[str, str]) -> Champion:
    """The champion that a model package is. Raises NotComparable for one that amt-flows did not register."""
    answer = {key: decoded(value) for key, value in metadata.items()}
    try:
        return Champion(
            name=package,
            training_job=answer["training-job"],
            tuning_job=answer["tuning-job"],
            objective_metric=answer["objective-metric"],
            objective_type=answer["objective-type"],
            objective_value=_number(answer["objective-value"]),
        )
    except (KeyError, ValueError) as error:
        raise NotComparable(
            f"The approved model package {package} doesn't say what its objective's value is ({error}).",
            because="another program registered it, or its metadata was edited",
            remedy="register the champion by amt-flows, or promote the challenger without comparing",
        ) from error


def _number(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else math.nan
