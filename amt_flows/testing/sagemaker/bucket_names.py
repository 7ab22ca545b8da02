"""Names that S3 gives no bucket: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html.

Moto looks at their length alone.
"""

from __future__ import annotations

import re
from typing import Final

_FORM: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS: Final = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_PREFIXES: Final = ("xn--", "sthree-", "amzn-s3-demo-")
_SUFFIXES: Final = ("-s3alias", "--ol-s3", ".mrap", "--table-s3")


def is_bucket_name(name: str) -> bool:
    """Whether a general purpose bucket may have this name."""
    return (
        _FORM.fullmatch(name) is not None
        and ".." not in name
        and _ADDRESS.fullmatch(name) is None
        and not name.startswith(_PREFIXES)
        and not name.endswith(_SUFFIXES)
    )
