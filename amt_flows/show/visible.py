"""Others' texts (log lines, failures, names) with their control characters shown, not obeyed."""

from __future__ import annotations

import re
from typing import Final

# C0 and C1 but for newline and tab, marks that turn the direction of what follows, line separators that only
# some programs know, byte-order marks, and halves of characters.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    """A terminal, a page or a log shows this as it is: ``\\x1b`` is written out and colours nothing. Newlines
    and tabs stay."""
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)
