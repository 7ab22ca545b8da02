"""A spec's file as plain values: TOML, JSON or YAML, in whatever encoding an editor has saved it.

A plain word of YAML means what a person sees, by TOML's rules: ``1e-5`` and ``1_000`` are numbers, ``no``,
``on``, ``12:30`` and ``2026-01-31`` are texts, and ``010``, which is 8 to some and 10 to others, is refused.
"""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from amt_flows.errors import Problem, SpecError
from amt_flows.spec.given_file import NotAFile, read_given
from amt_flows.spec.plain_values import DEEPEST, TOO_DEEP

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    import yaml

MOST_MEGABYTES: Final = 10
MOST_NODES: Final = 100_000
"""Of a YAML document, those that aliases repeat counted each time."""

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class _Unfit(ValueError):
    """What is wrong with a document, as a sentence without its subject."""


def read_document(path: str | Path) -> dict[str, Any]:
    """The object in a ``.toml``, ``.yaml``, ``.yml`` or (any other name) JSON file. Raises SpecError."""
    path = Path(path)
    kind, parse = _reader(path.suffix.lower())
    try:
        data = parse(_text(read_given(path, MOST_MEGABYTES)))
        _check_depth(data, DEEPEST)
    except FileNotFoundError:
        raise _problem(path, "no such file; give the path of a spec") from None
    except _Unfit as unfit:
        raise _problem(path, str(unfit)) from None
    except RecursionError:
        raise _problem(path, TOO_DEEP) from None
    except NotAFile as error:
        raise _problem(path, str(error)) from None
    except OSError as error:
        raise _problem(path, f"can't be read: {error.strerror or error}") from None
    except ValueError as error:
        if "set_int_max_str_digits" in str(error):
            raise _problem(path, "has a number of thousands of digits, which no field takes") from None
        other = kind == "JSON" and path.suffix.lower() != ".json"
        read_as = "; without .toml or .yaml at the end of its name it is read as JSON" if other else ""
        raise _problem(path, f"is not valid {kind}: {error}{read_as}") from None
    if not isinstance(data, dict):
        raise _problem(path, "must hold one object with the spec's fields")
    return data


def _problem(path: Path, message: str) -> SpecError:
    return SpecError([Problem("file", str(path), message)])


def _reader(suffix: str) -> tuple[str, Callable[[str], Any]]:
    if suffix == ".toml":
        return "TOML", lambda text: tomllib.loads(text)
    if suffix in (".yaml", ".yml"):
        return "YAML", _yaml
    return "JSON", lambda text: json.loads(text, object_pairs_hook=_without_repetition)


def _text(data: bytes) -> str:
    """Raises _Unfit for what is no text."""
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)
    if encoding is None:
        # UTF-16 without a mark: of a spec's first two characters neither is beyond Latin.
        first, second = (*data[:2], 1, 1)[:2]
        encoding = "utf-16-le" if first and not second else "utf-16-be" if second and not first else "utf-8"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _Unfit(
            f"can't be read as a text in UTF-8 or UTF-16 (byte 0x{data[error.start]:02x} in line {line}); "
            "save it as UTF-8"
        ) from None


def _check_depth(value: object, left: int) -> None:
    if left < 0:
        raise _Unfit(TOO_DEEP)
    inner: Iterable[object] = ()
    if isinstance(value, Mapping):
        inner = value.values()
    elif isinstance(value, list):
        inner = value
    for one in inner:
        _check_depth(one, left - 1)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """As TOML: a name that is given twice is a mistake, and not the last of both."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Unfit(f"gives {name!r} twice in one object; keep one of them")
        found[name] = value
    return found


# --- YAML ------------------------------------------------------------------------------------------------

_NUMBER: Final = re.compile(
    r"[-+]?(?:0|[1-9](?:_?[0-9])*)|0x[0-9A-Fa-f](?:_?[0-9A-Fa-f])*|0o[0-7](?:_?[0-7])*|0b[01](?:_?[01])*"
    r"|[-+]?(?:0|[1-9](?:_?[0-9])*)?(?:\.[0-9](?:_?[0-9])*|(?<=[0-9])\.)?(?:(?<=[0-9.])[eE][-+]?[0-9]+)?"
    r"|[-+]?\.?(?:inf|nan)"
)
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9_]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?")
_WORDS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def _yaml(text: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise _Unfit("is YAML, and PyYAML is not installed; `pip install pyyaml`, or write TOML") from None

    class Loader(yaml.SafeLoader):  # type: ignore[misc, unused-ignore]
        """PyYAML's, but for what a word without quotes is: that is decided here."""

        def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
            plain = kind is yaml.ScalarNode and implicit[0]
            return _PLAIN if plain else str(super().resolve(kind, value, implicit))

    try:
        node = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    return None if node is None else _Values(yaml).value(node, 0)


_PLAIN: Final = "plain"
_STANDARD: Final = "tag:yaml.org,2002:"
_NUMBERS: Final = frozenset(f"{_STANDARD}{kind}" for kind in ("int", "float", "bool", "null"))


class _Values:
    """The values of YAML's nodes."""

    def __init__(self, yaml: Any) -> None:
        self._yaml = yaml
        self._count = 0

    def value(self, node: yaml.Node, depth: int) -> Any:
        self._count += 1
        if self._count > MOST_NODES:
            raise _Unfit(f"has more than {MOST_NODES:,} values once its aliases are written out")
        if depth > DEEPEST:
            raise _Unfit(TOO_DEEP)
        if isinstance(node, self._yaml.ScalarNode):
            return self._scalar(node)
        if node.tag not in (f"{_STANDARD}map", f"{_STANDARD}seq"):
            raise _unknown_tag(node)
        if isinstance(node, self._yaml.SequenceNode):
            return [self.value(one, depth + 1) for one in node.value]
        return self._mapping(node, depth)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        pairs: list[tuple[str, Any]] = []
        merged: dict[str, Any] = {}
        for key, given in node.value:
            if not isinstance(key, self._yaml.ScalarNode):
                raise _Unfit(f"has a name that is no text in {_place(key)}")
            value = self.value(given, depth + 1)
            if key.tag == _PLAIN and key.value == "<<":
                for one in value if isinstance(value, list) else [value]:
                    if not isinstance(one, dict):
                        raise _Unfit(f"merges what is no object in {_place(key)}")
                    merged = {**one, **merged}
            else:
                pairs.append((_whole(key.value), value))
        return {**merged, **_without_repetition(pairs)}

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text = _whole(node.value)
        if node.tag == f"{_STANDARD}str":
            return text
        if node.tag != _PLAIN and node.tag not in _NUMBERS:
            raise _unknown_tag(node)
        return _plain(text, node)


def _whole(text: str) -> str:
    """JSON's ``\\ud83d\\ude00`` are one character, which PyYAML leaves as two halves."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _unknown_tag(node: yaml.Node) -> _Unfit:
    return _Unfit(f"has the tag {node.tag} in {_place(node)}, which no spec needs; leave it out")


def _plain(text: str, node: yaml.ScalarNode) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _LEADING_ZERO.fullmatch(text):
        raise _Unfit(
            f"has {text} in {_place(node)}, which is octal to some and decimal to others; write "
            f"the number without the zero in front, or '{text}' if it is a text"
        )
    if text[-1:].isalnum() or text[-1:] == ".":
        return _number(text) if _NUMBER.fullmatch(text) and re.search(r"[0-9]|inf|nan", text) else text
    return text


def _number(text: str) -> int | float:
    bare = text.replace("_", "")
    try:
        return int(bare, 0)
    except ValueError:
        return float(bare.replace(".inf", "inf").replace(".nan", "nan"))


def _place(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"
