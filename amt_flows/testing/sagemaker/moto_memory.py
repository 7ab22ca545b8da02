"""What moto and botocore find out anew at every call, and which stays as it is: half of what a long list of
S3's takes, and a fourth of a description."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from typing import Any

from botocore import utils as botocore_utils
from moto.core import responses, serialize


def patches() -> Iterator[tuple[Any, str, Callable[..., Any]]]:
    """Owners, the names of what they have, and what is to be there."""
    # Through its class moto looks for methods.
    yield responses, "method_names_from_class", cache(responses.method_names_from_class)
    picker = serialize.XFormedAttributePicker
    yield picker, "get_possible_keys", _possible_keys(picker.get_possible_keys)
    # Of botocore's own, and without a promise.
    if read := getattr(botocore_utils, "_parse_timestamp_with_tzinfo", None):
        yield botocore_utils, "_parse_timestamp_with_tzinfo", _read_timestamp(read)


def _possible_keys(original: Callable[[Any, Any], Iterable[str]]) -> Callable[[Any, Any], Iterable[str]]:
    """By which names a member of an answer may be found in an object of moto's."""
    known: dict[Any, tuple[str, ...]] = {}

    def get_possible_keys(self: Any, context: Any) -> Iterable[str]:
        # An object may name its members itself.
        if self.alias_providers is not serialize.DEFAULT_ALIAS_PROVIDERS or hasattr(context.obj, "Meta"):
            return original(self, context)
        asked = context.obj.__class__, context.key, context.shape
        if asked not in known:
            known[asked] = tuple(dict.fromkeys(original(self, context)))
        return known[asked]

    return get_possible_keys


def _read_timestamp(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Written in UTC it means the same everywhere. Of an object it is written and read with every list."""
    remembered = lru_cache(4096)(original)

    def parse(value: Any, tzinfo: Any) -> Any:
        return (remembered if isinstance(value, str) and value.endswith("Z") else original)(value, tzinfo)

    return parse
