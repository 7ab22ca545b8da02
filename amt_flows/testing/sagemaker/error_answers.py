"""Errors in the words of whoever asks: JSON, CBOR or XML, as the protocol of a service has them.

For what never reaches moto's services, or comes back from them as a page of HTML, which no client can read.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any, Final
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from botocore.model import OperationNotFoundError

logger = logging.getLogger("amt_flows")

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

_IN_XML: Final = ("s3", "route53", "cloudfront", "the service")
"""Who answers in XML without being asked by a form, by the names under which requests are signed."""
_FORM: Final = "application/x-www-form-urlencoded"
_LONGEST_FORM: Final = 64 * 1024
"""So many bytes of it are looked at."""


def answer_error(
    environ: Environ, start_response: StartResponse, status: str, code: str, message: str, xml_code: str = ""
) -> Iterable[bytes]:
    """``xml_code`` is the code where services that speak XML have another one."""
    kind, text = _told(environ, code, f"The simulated AWS: {message}.", xml_code or code)
    body = text if isinstance(text, bytes) else text.encode()
    headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("x-amzn-ErrorType", code)]
    start_response(status, headers)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]


def _told(environ: Environ, code: str, message: str, xml_code: str) -> tuple[str, str | bytes]:
    content = str(environ.get("CONTENT_TYPE", ""))
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        return "application/cbor", b"\xa2" + b"".join(
            _cbor(one) for one in ("__type", code, "message", message)
        )
    is_form = content.startswith(_FORM)
    if "HTTP_X_AMZ_TARGET" in environ or "json" in content or not (is_form or _service(environ) in _IN_XML):
        return "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})
    error = f"<Code>{xml_code}</Code><Message>{escape(message)}</Message>"
    if is_form:
        error = f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>"
    else:
        error = f"<Error>{error}</Error>"
    return "application/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'


def _cbor(text: str) -> bytes:
    """A text as CBOR has it (RFC 8949)."""
    data = text.encode()
    return b"\x79" + len(data).to_bytes(2, "big") + data


class UnknownService(Exception):
    """A request for a service that nobody has."""


class Readable:
    """A WSGI application in front of moto's: where that has nothing but a page of HTML, or breaks, the answer
    is an error that names what was asked."""

    def __init__(self, behind: Application) -> None:
        self._behind = behind

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        held: list[tuple[str, list[tuple[str, str]]]] = []

        def started(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            kind = next((value for name, value in headers if name.lower() == "content-type"), "")
            if status >= "4" and kind.startswith("text/html") and not _is_motos_own(environ):
                held.append((status, headers))
                return lambda data: None
            return start_response(status, headers, *more)

        if not _is_readable(environ):
            message = f"the body of {_asked(environ)} is no JSON object"
            return answer_error(environ, start_response, "400 Bad Request", "SerializationException", message)
        try:
            answer = self._behind(environ, started)
        except (UnknownService, OperationNotFoundError):
            held.append(("404 Not Found", []))
            answer = [b"<html>"]
        except Exception as error:
            logger.error("The simulated AWS failed at %s.", _asked(environ), exc_info=error)
            held.append(("500 Internal Server Error", []))
            answer = [b"<html>"]
        if not held:
            return answer
        body = b"".join(answer)
        close = getattr(answer, "close", None)
        if close is not None:
            close()
        [(status, headers)] = held
        # Moto says so of empty answers, too, as S3's to HEAD are.
        if not body.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
            start_response(status, headers)
            return [body]
        if status.startswith("5"):
            message = f"{_asked(environ)} failed in the simulation"
            return answer_error(environ, start_response, status, "InternalFailure", message)
        message = f"{_asked(environ)} is not simulated, neither by amt-flows nor by moto"
        code = "UnknownOperationException"
        return answer_error(environ, start_response, "400 Bad Request", code, message, "InvalidAction")


def _is_motos_own(environ: Environ) -> bool:
    return str(environ.get("PATH_INFO", "")).startswith("/moto-api")


def _is_readable(environ: Environ) -> bool:
    """Whether the body of a request to a JSON service is an object, or empty. Moto would break on it."""
    if "HTTP_X_AMZ_TARGET" not in environ:
        return True
    came = environ["wsgi.input"]
    length = -1 if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
    body = came.read(length)
    environ["wsgi.input"] = BytesIO(body)
    try:
        return not body or isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _action(environ: Environ) -> str:
    """The operation that a form asks for, which moto has read by now."""
    try:
        environ["wsgi.input"].seek(0)
    except OSError:
        return ""
    form: bytes = environ["wsgi.input"].read(_LONGEST_FORM)
    return parse_qs(form.decode("latin-1")).get("Action", [""])[0]


def _service(environ: Environ) -> str:
    """The service that a request was signed for."""
    scope = re.search(r"Credential=[^/,]+/\d+/[^/,]*/([^/,]+)/", str(environ.get("HTTP_AUTHORIZATION", "")))
    return scope[1] if scope else "the service"


def _asked(environ: Environ) -> str:
    """The service, and the operation where that is told."""
    what = str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
    if not what and str(environ.get("CONTENT_TYPE", "")).startswith(_FORM):
        what = _action(environ)
    what = what or f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '/')}"
    return f"{_service(environ)}: {what}"[:200]
