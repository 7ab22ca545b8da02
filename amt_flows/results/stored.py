"""Models that were written down and come back from where others may have changed them: a file, a server."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError

Stored = TypeVar("Stored", bound=BaseModel)


class Unreadable(ValueError):
    """What is there is no model of this kind; the text says why, without a subject."""


def read_stored(kind: type[Stored], content: bytes | str | object) -> Stored:
    """The model of JSON, as a text or as plain values. Raises Unreadable for anything else, however deep it
    is nested."""
    try:
        return kind.model_validate(json.loads(content) if isinstance(content, bytes | str) else content)
    except RecursionError:
        raise Unreadable("can't be read: its JSON is nested deeper than any that we write") from None
    except ValidationError as error:
        raise Unreadable(_what_is_wrong(error)) from None
    except UnicodeDecodeError:
        raise Unreadable("can't be read: it is no text in UTF-8") from None
    except ValueError as error:
        raise Unreadable(f"can't be read: it is no JSON ({error})") from None


def _what_is_wrong(error: ValidationError) -> str:
    """The first of it: who restores a file restores all of it."""
    first, *others = error.errors(include_url=False, include_context=False, include_input=False)
    place = ".".join(map(str, first["loc"]))[:200]
    more = f" (and {len(others)} more)" if others else ""
    return f"can't be read: {f'{place}: ' if place else ''}{first['msg']}{more}"
