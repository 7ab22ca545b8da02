"""Who may talk to a served simulated AWS: only programs that know its credentials, by a name of this machine,
and no web page.

Without this a page that somebody looks at could have a training job run on his machine: browsers send a form
or a ``no-cors`` request to any port of it, and let a page read the answers too once its name resolves to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from typing import IO, Any, Final, cast
from urllib.parse import urlsplit

from moto.core import request as motos_request
from werkzeug.wsgi import ClosingIterator

from amt_flows.testing.sagemaker.credentials import Credentials
from amt_flows.testing.sagemaker.error_answers import Application, Environ, StartResponse, answer_error
from amt_flows.testing.sagemaker.signatures import Signed, Unsigned, check

_IN_MEMORY: Final = 1024 * 1024
_PART: Final = 64 * 1024
_READ_OF_REFUSED: Final = 1024 * 1024
"""So many bytes of a refused body are read away: a client that still writes may not see the answer."""
_OWN_SITES: Final = ("same-origin", "none")
"""What browsers say of a request that a page of the server itself makes, or the person at the address bar."""
_JSON_CODES: Final = {
    "InvalidAccessKeyId": "UnrecognizedClientException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    "IncompleteSignature": "IncompleteSignatureException",
    "AccessDenied": "AccessDeniedException",
}


class Guard:
    """A WSGI application in front of another one, which sees only what may come in.

    ``allowed_hosts`` are names by which the machine is known beside ``localhost``, its own name and its
    addresses; a name allows the names below it, as S3's buckets have them.
    """

    def __init__(
        self,
        behind: Application,
        credentials: Credentials,
        allowed_hosts: Sequence[str] = (),
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._behind, self._credentials, self._clock = behind, credentials, clock
        own = ("localhost", socket.gethostname(), *allowed_hosts)
        self._names = frozenset(name.lower().rstrip(".") for name in own if name)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = _Body(environ)
        try:
            self._check_place(environ)
            check(_signed(environ, body), self._secret_of, self._clock())
        except Unsigned as refused:
            body.read_away()
            body.close()
            return _refuse(environ, start_response, refused)
        environ["wsgi.input"] = body.rest()
        self._name_for_moto(environ)
        try:
            answer: Iterable[bytes] = ClosingIterator(self._behind(environ, start_response), body.close)
        except BaseException:
            body.close()
            raise
        return answer

    # -- which machine, and which page -----------------------------------------------------------

    def _check_place(self, environ: Environ) -> None:
        host = str(environ.get("HTTP_HOST", ""))
        if not self._is_ours(_hostname(f"//{host}"), environ):
            raise Unsigned(
                "AccessDenied",
                f"{host[:80]!r} is not a name of this machine; where it is one, start the server with "
                "--allow-host NAME",
            )
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and origin.lower() != f"{environ['wsgi.url_scheme']}://{host.lower()}":
            raise Unsigned("AccessDenied", f"a web page of {origin[:80]!r} has no business here")
        site = environ.get("HTTP_SEC_FETCH_SITE")
        if site is not None and site not in _OWN_SITES:
            raise Unsigned(
                "AccessDenied", f"a request of another web page ({site[:20]!r}) has no business here"
            )

    def _is_ours(self, name: str, environ: Environ) -> bool:
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return any(name == one or name.endswith(f".{one}") for one in self._names)
        return name in self._names or address.is_loopback or address == _own_address(environ)

    def _name_for_moto(self, environ: Environ) -> None:
        """Moto takes what stands before a dot for a bucket, in any name but ``localhost``."""
        name, _, port = str(environ["HTTP_HOST"]).lower().partition(":")
        for one in self._names:
            if "." in one and (name == one or name.endswith(f".{one}")):
                environ["HTTP_HOST"] = f"{name.removesuffix(one)}localhost" + (f":{port}" if port else "")
                return

    # -- whose keys ------------------------------------------------------------------------------

    def _secret_of(self, key_id: str, token: str) -> str | None:
        if key_id == self._credentials.access_key_id:
            return self._credentials.secret_access_key
        return _given_out(key_id, token)


def _given_out(key_id: str, token: str) -> str | None:
    """The secret of a key that moto's IAM or STS has given to somebody who was known."""
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    for account in list(iam_backends.values()):
        for backend in list(account.values()):
            for user in list(backend.users.values()):
                for key in user.access_keys:
                    if key.access_key_id == key_id:
                        return str(key.secret_access_key)
    for account in list(sts_backends.values()):
        for backend in list(account.values()):
            for role in backend.assumed_roles:
                if role.access_key_id == key_id and role.session_token == token:
                    return str(role.secret_access_key)
    return None


def _hostname(url: str) -> str:
    """Of an address, without port; in small letters, and empty for what is none."""
    try:
        split = urlsplit(url)
        split.port  # noqa: B018 -- raises for what is no port
        plain = split.path == "" and "@" not in split.netloc and "," not in split.netloc
        return (split.hostname or "").rstrip(".") if plain else ""
    except ValueError:
        return ""


def _own_address(environ: Environ) -> Any:
    """The address of this machine that a connection came in by. An address in numbers is nobody's name that
    could be made to mean another machine."""
    connection = environ.get("werkzeug.socket")
    try:
        return ipaddress.ip_address(connection.getsockname()[0]) if connection is not None else None
    except (OSError, ValueError):
        return None


# -- the request as it came ----------------------------------------------------------------------------------


def _signed(environ: Environ, body: _Body) -> Signed:
    target = str(environ.get("RAW_URI") or "/")
    if not target.startswith("/"):
        split = urlsplit(target)
        target = f"{split.path or '/'}?{split.query}"
    path, _, query = target.partition("?")
    # Those with an underscore in their names, which a WSGI server can't tell from a hyphen.
    # Older versions of moto drop them.
    as_sent = environ.get(getattr(motos_request, "PRESERVED_HEADER_NAMES_ENVIRON_KEY", "")) or {}
    headers = {
        as_sent.get(name, name[5:].replace("_", "-")).lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = str(environ[name])
    return Signed(str(environ["REQUEST_METHOD"]), path, query, headers, body.sha256)


class _Body:
    """A request's body, kept while it is read: large ones on disk."""

    def __init__(self, environ: Environ) -> None:
        self._came: IO[bytes] = environ["wsgi.input"]
        self._is_chunked = bool(environ.get("wsgi.input_terminated"))
        length = str(environ.get("CONTENT_LENGTH") or "0")
        self._left = int(length) if length.isdecimal() else 0
        self._kept: tempfile.SpooledTemporaryFile[bytes] | None = None
        self._hash = ""

    def sha256(self, largest: int | None) -> str:
        """Raises Unsigned for one that is larger, or does not come whole."""
        if self._kept is None:
            self._kept = kept = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
            found, size = hashlib.sha256(), 0
            while part := self._read():
                size += len(part)
                if largest is not None and size > largest:
                    raise Unsigned("EntityTooLarge", "the body is larger than that of any such request")
                found.update(part)
                kept.write(part)
            kept.seek(0)
            self._hash = found.hexdigest()
        return self._hash

    def _read(self) -> bytes:
        try:
            part = self._came.read(_PART if self._is_chunked else min(_PART, self._left))
        except OSError:
            raise Unsigned("IncompleteBody", "the body did not come whole") from None
        self._left -= len(part)
        return part

    def read_away(self) -> None:
        with contextlib.suppress(Unsigned):
            left = _READ_OF_REFUSED
            while left > 0 and (part := self._read()):
                left -= len(part)

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()

    def rest(self) -> IO[bytes]:
        """What the application behind reads."""
        return self._came if self._kept is None else cast("IO[bytes]", self._kept)


# -- refusals ------------------------------------------------------------------------------------------------


def _refuse(environ: Environ, start_response: StartResponse, refused: Unsigned) -> Iterable[bytes]:
    code = _JSON_CODES.get(refused.code, refused.code)
    return answer_error(environ, start_response, "403 Forbidden", code, refused.message, refused.code)
