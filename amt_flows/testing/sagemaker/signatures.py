"""AWS's signatures, checked as AWS checks them: the caller of a request knows the secret of its access key.

Signature Version 4, in headers and in the query of a presigned URL, by
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, and for S3 by
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. Presigned URLs of S3 may be of
Version 2, which boto3 makes unless it is told otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote_from_bytes, unquote_to_bytes

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SKEW_SECONDS: Final = 900.0
"""So far may the clocks of caller and service be apart."""
LONGEST_PRESIGNED_SECONDS: Final = 7 * 86400
LARGEST_UNKNOWN_BODY: Final = 100 * 1024 * 1024
"""Bytes that are read of a caller who is not known yet: some signatures are of the body. AWS takes less."""
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
_S3: Final = ("s3", "s3express", "s3-object-lambda", "s3-outposts")
_HEX: Final = re.compile(r"[0-9a-f]{64}")

SecretOf = Callable[[str, str], "str | None"]
"""From an access key's id and the session token that came with it (or ``""``) to its secret; None for a key
that was never given out."""


class Unsigned(Exception):
    """A request whose caller is not known. ``code`` is AWS's, ``message`` for a person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Signed:
    """A request as it came."""

    method: str
    path: str
    query: str
    """Both as they stood in the request's first line, nothing decoded."""
    headers: Mapping[str, str]
    """By names in small letters; of several with one name, the values with commas between."""
    body_hash: Callable[[int | None], str]
    """SHA-256 of the body in hexadecimal, which may have so many bytes (None: any number) else it raises
    Unsigned. Asked for only where the signature is of it."""


@dataclass(frozen=True)
class Claim:
    """Who a request says that it is of, and how it proves that."""

    key_id: str
    scope: tuple[str, str, str]
    """Day, region and service that the signing key is made for."""
    signed_headers: tuple[str, ...]
    signature: str
    signed_at: str
    """``20261128T101500Z``."""
    token: str
    lasts_seconds: float | None = None
    """Of a presigned URL."""

    @property
    def is_s3(self) -> bool:
        return self.scope[2] in _S3


def check(request: Signed, secret_of: SecretOf, now: float) -> None:
    """Raises Unsigned for a request that isn't signed with the secret of a known access key."""
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    authorization = request.headers.get("authorization", "")
    if authorization.startswith(ALGORITHM):
        claim = _in_headers(authorization, request.headers)
    elif query.get("X-Amz-Algorithm") == ALGORITHM:
        claim = _in_query(query)
    elif "AWSAccessKeyId" in query and "Signature" in query:
        _check_version_2(request, query, secret_of, now)
        return
    else:
        raise Unsigned(
            "MissingAuthenticationToken", "the request is not signed, or not by AWS Signature Version 4"
        )
    _check_time(claim, now)
    secret = secret_of(claim.key_id, claim.token)
    if secret is None:
        raise Unsigned("InvalidAccessKeyId", f"nobody was given the access key {claim.key_id[:20]!r} here")
    payload = _signed_payload(request, claim)
    texts = (_canonical(request, claim, uri, payload) for uri in _uris(request.path, claim.is_s3))
    if not any(_same(_signature(secret, claim, text), claim.signature) for text in texts):
        raise Unsigned("SignatureDoesNotMatch", "the signature is not one by the secret of this access key")
    if _HEX.fullmatch(payload) and payload != request.body_hash(None):
        raise Unsigned("XAmzContentSHA256Mismatch", "the body is not the one that was signed")


def _same(one: str, other: str) -> bool:
    # In a time that doesn't tell how far they are equal.
    return hmac.compare_digest(one.encode(), other.encode())


# -- what a request claims -----------------------------------------------------------------------------------


def _in_headers(authorization: str, headers: Mapping[str, str]) -> Claim:
    parts = dict(part.strip().partition("=")[::2] for part in authorization[len(ALGORITHM) :].split(","))
    return _claim(
        parts.get("Credential", ""),
        parts.get("SignedHeaders", ""),
        parts.get("Signature", ""),
        headers.get("x-amz-date", ""),
        headers.get("x-amz-security-token", ""),
    )


def _in_query(query: Mapping[str, str]) -> Claim:
    lasts = query.get("X-Amz-Expires", "")
    if not re.fullmatch("[0-9]{1,6}", lasts) or int(lasts) > LONGEST_PRESIGNED_SECONDS:
        raise _incomplete("X-Amz-Expires")
    return _claim(
        query.get("X-Amz-Credential", ""),
        query.get("X-Amz-SignedHeaders", ""),
        query.get("X-Amz-Signature", ""),
        query.get("X-Amz-Date", ""),
        query.get("X-Amz-Security-Token", ""),
        float(lasts),
    )


def _claim(
    credential: str, signed: str, signature: str, signed_at: str, token: str, lasts: float | None = None
) -> Claim:
    scope = credential.split("/")
    if len(scope) != 5 or scope[4] != "aws4_request" or not all(scope):
        raise _incomplete("Credential")
    key_id, day, region, service, _ = scope
    names = tuple(name.lower() for name in signed.split(";"))
    if "host" not in names:
        # Else what is signed for one service could be sent to another.
        raise _incomplete("SignedHeaders")
    if not signed_at.startswith(day):
        raise _incomplete("X-Amz-Date")
    return Claim(key_id, (day, region, service), names, signature, signed_at, token, lasts)


def _incomplete(part: str) -> Unsigned:
    return Unsigned("IncompleteSignature", f"the signature's {part} is missing or malformed")


def _check_time(claim: Claim, now: float) -> None:
    try:
        signed_at = (
            datetime.strptime(claim.signed_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
        )
    except ValueError:
        raise _incomplete("X-Amz-Date") from None
    late = SKEW_SECONDS if claim.lasts_seconds is None else claim.lasts_seconds
    if signed_at - now > SKEW_SECONDS:
        raise Unsigned("RequestTimeTooSkewed", "the request was signed in the future; set the clocks")
    if now - signed_at > late:
        code = "RequestTimeTooSkewed" if claim.lasts_seconds is None else "AccessDenied"
        raise Unsigned(code, f"the signature has expired: it held for {late:g} s from {claim.signed_at}")


# -- Version 4 -----------------------------------------------------------------------------------------------


def _signed_payload(request: Signed, claim: Claim) -> str:
    """What the signature says of the body: its hash, or of S3's that it isn't signed."""
    told = request.headers.get("x-amz-content-sha256")
    if told is not None and _HEX.fullmatch(told):
        # The body can wait until the caller is known.
        return told
    if claim.is_s3 and claim.lasts_seconds is not None and told is None:
        return UNSIGNED
    if claim.is_s3 and told is not None and (told == UNSIGNED or told.startswith("STREAMING-")):
        # Parts with checksums or signatures of their own, which are not looked at here.
        return told
    return request.body_hash(LARGEST_UNKNOWN_BODY)


def _canonical(request: Signed, claim: Claim, uri: str, payload: str) -> str:
    missing = [name for name in claim.signed_headers if name not in request.headers]
    if missing:
        raise Unsigned("SignatureDoesNotMatch", f"the signed header {missing[0]!r} did not come")
    headers = [f"{name}:{' '.join(request.headers[name].split())}" for name in claim.signed_headers]
    parts = [
        request.method,
        uri,
        _canonical_query(request.query),
        *headers,
        "",
        ";".join(claim.signed_headers),
        payload,
    ]
    return "\n".join(parts)


def _uris(path: str, is_s3: bool) -> list[str]:
    """The canonical forms that a path may have: S3's is encoded once, that of other services once more and
    without its dots."""
    if is_s3:
        # As it came, for a key that has an encoded slash.
        return list(dict.fromkeys([_encoded(unquote_to_bytes(path), safe="/") or "/", path or "/"]))
    return list(dict.fromkeys([_encoded(_without_dots(path).encode(), safe="/") or "/", _without_dots(path)]))


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            kept = kept[:-1]
        elif part not in ("", "."):
            kept.append(part)
    slash = "/" if path.endswith("/") and kept else ""
    return "/" + "/".join(kept) + slash


def _canonical_query(query: str) -> str:
    pairs = []
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if name != "X-Amz-Signature":
            pairs.append((_encoded(unquote_to_bytes(name)), _encoded(unquote_to_bytes(value))))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encoded(text: bytes, safe: str = "") -> str:
    # quote leaves AWS's unreserved characters: letters, digits, - _ . ~
    return quote_from_bytes(text, safe=safe)


def _signature(secret: str, claim: Claim, canonical: str) -> str:
    scope = "/".join((*claim.scope, "aws4_request"))
    hashed = hashlib.sha256(canonical.encode("latin-1", "replace")).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in (*claim.scope, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = "\n".join((ALGORITHM, claim.signed_at, scope, hashed))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


# -- Version 2, of presigned URLs of S3 ----------------------------------------------------------------


def _check_version_2(request: Signed, query: Mapping[str, str], secret_of: SecretOf, now: float) -> None:
    from botocore.auth import HmacV1Auth
    from botocore.compat import HTTPHeaders
    from botocore.credentials import Credentials

    key_id, expires = query["AWSAccessKeyId"], query.get("Expires", "")
    if not re.fullmatch("[0-9]{1,12}", expires):
        raise _incomplete("Expires")
    if int(expires) < now:
        raise Unsigned("AccessDenied", "the presigned URL has expired")
    token = query.get("x-amz-security-token", "")
    secret = secret_of(key_id, token)
    if secret is None:
        raise Unsigned("InvalidAccessKeyId", f"nobody was given the access key {key_id[:20]!r} here")
    signed = HTTPHeaders.from_dict({n: v for n, v in request.headers.items() if _is_in_version_2(n)})
    if token:
        signed["x-amz-security-token"] = token
    auth = HmacV1Auth(Credentials(key_id, secret))
    split = SplitResult("", "", request.path, request.query, "")
    # A bucket in the host's name stands in front of the path that is signed.
    bucket = request.headers.get("host", "").partition(".")[0]
    for path in (None, f"/{bucket}{request.path}"):
        lines = auth.canonical_string(request.method, split, signed, auth_path=path).split("\n")
        lines[3] = expires  # where a header would have its date
        if _same(_hmac_sha1(secret, "\n".join(lines)), query["Signature"]):
            return
    raise Unsigned("SignatureDoesNotMatch", "the signature is not one by the secret of this access key")


def _is_in_version_2(header: str) -> bool:
    return header in ("content-md5", "content-type") or header.startswith("x-amz-")


def _hmac_sha1(secret: str, text: str) -> str:
    found = hmac.new(secret.encode(), text.encode("latin-1", "replace"), hashlib.sha1).digest()
    return base64.b64encode(found).decode()
