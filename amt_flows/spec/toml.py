"""A spec's file, written: the TOML that :meth:`amt_flows.spec.TuningSpec.load` reads back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from amt_flows.errors import Problem, SpecError

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(content: Mapping[str, Any]) -> str:
    """TOML 1.0 for plain JSON values. Raises SpecError for a null, which TOML has no word for."""
    return "\n".join(_table((), content)).strip("\n") + "\n"


def _table(path: tuple[str, ...], content: Mapping[str, Any]) -> Iterator[str]:
    """First what stands in the table itself, then the tables below it."""
    below = {key: value for key, value in content.items() if _is_table(value) or _is_list_of_tables(value)}
    for key, value in content.items():
        if key not in below:
            yield f"{_key(key)} = {_value((*path, key), value)}"
    for key, value in below.items():
        inner = (*path, key)
        dotted = ".".join(map(_key, inner))
        for one in [value] if _is_table(value) else value:
            yield f"\n[{dotted}]" if _is_table(value) else f"\n[[{dotted}]]"
            yield from _table(inner, one)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and all(_is_table(one) for one in value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    # JSON's escapes are TOML's, which also wants DEL escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(path: Sequence[str], value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(path, one) for one in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(key)} = {_value((*path, key), one)}' for key, one in value.items())}}}"
    raise SpecError(
        [Problem(".".join(path), value, "TOML has no null; write the spec as JSON, by `to_json`")]
    )
