"""The credentials by which a served simulated AWS knows its clients: made up, given, or kept in a file."""

from __future__ import annotations

import configparser
import os
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

KEY_ID_VARIABLE: Final = "SIMULATED_AWS_ACCESS_KEY_ID"
SECRET_VARIABLE: Final = "SIMULATED_AWS_SECRET_ACCESS_KEY"  # noqa: S105 -- a variable's name
_KEY_ID, _SECRET = "aws_access_key_id", "aws_secret_access_key"


class CredentialsError(Exception):
    """Credentials that were given can't be used, or made-up ones can't be kept; the text says why."""


@dataclass(frozen=True)
class Credentials:
    """An access key, of AWS's form: 20 capital letters and digits, and a secret of 40 characters."""

    access_key_id: str
    secret_access_key: str = field(repr=False)

    def __post_init__(self) -> None:
        for what, text in (("key id", self.access_key_id), ("secret", self.secret_access_key)):
            if not text or not text.isascii() or not text.isprintable() or set(text) & set(" ,"):
                raise CredentialsError(f"the access {what} is empty, or has blanks, commas or other signs")
        if set(self.access_key_id) & set("/="):
            raise CredentialsError("the access key id has a slash or an equals sign")

    def environment(self) -> dict[str, str]:
        """The variables by which every SDK finds them."""
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}


def made_up() -> Credentials:
    """New ones, from the system's source of randomness. The key's beginning says that it is no real one."""
    letters = string.ascii_uppercase + string.digits
    return Credentials("SIM" + "".join(secrets.choice(letters) for _ in range(17)), secrets.token_hex(20))


def given_in(environment: Mapping[str, str]) -> Credentials | None:
    """Those of ``SIMULATED_AWS_ACCESS_KEY_ID`` and ``SIMULATED_AWS_SECRET_ACCESS_KEY``; never those of a real
    AWS, which would be shown. Raises CredentialsError for one without the other."""
    key, secret = environment.get(KEY_ID_VARIABLE), environment.get(SECRET_VARIABLE)
    if not key and not secret:
        return None
    if not key or not secret:
        raise CredentialsError(f"give both of ${KEY_ID_VARIABLE} and ${SECRET_VARIABLE}, or neither")
    return Credentials(key, secret)


def read(file: Path) -> Credentials:
    """The profile ``default`` of a file of AWS's form. Raises CredentialsError."""
    parser = configparser.RawConfigParser()
    try:
        with file.open(encoding="utf-8") as opened:
            parser.read_file(opened)
        return Credentials(parser.get("default", _KEY_ID), parser.get("default", _SECRET))
    except OSError as error:
        raise CredentialsError(f"{file} can't be read: {error.strerror or error}") from None
    except (ValueError, configparser.Error):
        raise CredentialsError(
            f"{file} has no [default] with {_KEY_ID} and {_SECRET} in it, as AWS's credentials file has"
        ) from None


def write(file: Path, credentials: Credentials) -> None:
    """A new file that only its owner reads, with AWS's own form (``AWS_SHARED_CREDENTIALS_FILE``). Raises
    CredentialsError."""
    text = (
        f"[default]\n{_KEY_ID} = {credentials.access_key_id}\n{_SECRET} = {credentials.secret_access_key}\n"
    )
    try:
        # Never through a link, and never into a file that somebody else has opened before.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise CredentialsError(f"{file} can't be written: {error.strerror or error}") from None
