"""Lines of output as a person sees them, whatever a terminal or a progress bar put into them.

Colours, cursor moves and other control sequences are not seen; backspaces take back what they overtype; NULs
and byte-order marks are nothing, so that UTF-16 is read too where it is ASCII. A carriage return begins a
line anew: each state of a progress bar is a line of its own. Standard library only: the local worker uses
it, too.
"""

from __future__ import annotations

import re

LINE_BYTES = 64 * 1024
"""What is searched of a line."""

_CONTROL = re.compile(
    r"(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])"  # colours, erasing, cursor moves
    r"|\x1b[]PX^_].*?(?:\x07|\x1b\\|$)"  # titles, links
    r"|\x1b[ -/]*[0-~]"
    r"|[\x00-\x07\x0e-\x1f\x7f\ufeff]"
)
_SPECIAL = re.compile("[\x00-\x08\x0e-\x1f\x7f\x9b\ufeff]")
_MOVES = "ABEFGHdf"
_TO_THE_RIGHT = "C"
_WIDEST_MOVE = 1000


_SPECIAL_BYTES = bytes([*range(0x09), *range(0x0E, 0x20), 0x7F])


def is_plain(block: bytes) -> bool:
    """Whether nothing in the output keeps a person from seeing all of it as it was printed."""
    whole = len(block.translate(None, _SPECIAL_BYTES)) == len(block)
    return whole and b"\xc2\x9b" not in block and b"\xef\xbb\xbf" not in block


def printed_lines(block: bytes) -> list[str]:
    """The lines of a block of output as they were printed, cut at ``LINE_BYTES``; bytes that are no UTF-8 are
    replaced. The block begins and ends with a line."""
    lines = block.replace(b"\r\0\n\0", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return [_text(line[:LINE_BYTES]) for line in lines if line]


def _text(line: bytes) -> str:
    if line[:2] in (b"\xff\xfe", b"\xfe\xff"):
        line = line[2:]
    return line.decode("utf-8", "replace")


def seen_lines(printed: str) -> list[str]:
    """What a person sees of a printed line: several lines where the cursor was moved away meanwhile."""
    if not _SPECIAL.search(printed):
        return [printed]
    return [_overtyped(line) for line in _CONTROL.sub(_seen, printed).split("\r") if line]


def _seen(control: re.Match[str]) -> str:
    amount, kind = control[1], control[2]
    if kind is None:
        return ""
    if kind == _TO_THE_RIGHT:
        return " " * min(int(amount) if amount.isdecimal() else 1, _WIDEST_MOVE)
    return "\r" if kind in _MOVES else ""


def _overtyped(line: str) -> str:
    if "\b" not in line:
        return line
    cells: list[str] = []
    at = 0
    for character in line:
        if character == "\b":
            at = max(at - 1, 0)
        else:
            cells[at : at + 1] = [character]
            at += 1
    return "".join(cells)


_ESCAPED = re.compile("[\x00-\x1f\x7f]")
_ESCAPE = re.compile(r"#(0[0-3][0-7]|177)")


def escaped(text: str) -> str:
    """Control characters as SageMaker's logs have them: ``#011`` for a tab, ``#015`` for a carriage return,
    ``#033`` for the beginning of a colour."""
    return _ESCAPED.sub(lambda found: f"#{ord(found[0]):03o}", text)


def unescaped(text: str) -> str:
    """The inverse of :func:`escaped`; a text that had such a thing itself loses it."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), text)
