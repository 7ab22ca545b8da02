"""Serving the simulated AWS over HTTP, for clients in other processes and in other languages."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from amt_flows.testing.sagemaker.credentials import Credentials
from amt_flows.testing.sagemaker.error_answers import Readable, UnknownService
from amt_flows.testing.sagemaker.guard import Guard


@contextmanager
def serve(host: str, port: int, credentials: Credentials, allowed_hosts: Sequence[str] = ()) -> Iterator[str]:
    """Moto's server on a port (0: a free one) until the block is left. Yields its URL for this machine. Only
    requests that are signed with the credentials are answered: see :class:`Guard`, for ``allowed_hosts`` too.

    Every connection is closed and every thread has ended when this returns. Raises OSError if the port is
    taken, ImportError without Flask.
    """
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    def app_of(service: Any) -> Any:
        if service is None:
            raise UnknownService
        return create_backend_app(service)

    # Werkzeug ends the whole process when it can't have a port, so the port is taken here.
    with socket.create_server((host, port)) as place:
        server: Any = make_server(
            host,
            port,
            Guard(Readable(DomainDispatcherApplication(app_of)), credentials, allowed_hosts),
            threaded=True,
            request_handler=_quiet(),
            fd=place.fileno(),
        )
        # Else its threads may outlive it, which to a test looks like a leak. They are short: see _quiet.
        server.daemon_threads, server.block_on_close = False, True
        thread = threading.Thread(
            target=server.serve_forever, args=(0.05,), name="simulated AWS", daemon=True
        )
        thread.start()
        try:
            yield f"http://{_reached_by(host)}:{place.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _reached_by(host: str) -> str:
    """All addresses of a machine are none to call it by."""
    return "127.0.0.1" if host in ("", "0.0.0.0") else host  # noqa: S104 -- looked for, not listened on


def _quiet() -> Any:
    """Moto's request handler without a line of log per request, one connection for each. A connection that is
    kept would keep its thread."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler

    return type(
        "QuietRequestHandler",
        (MotoRequestHandler,),
        {"protocol_version": "HTTP/1.0", "log_request": lambda self, *args, **kwargs: None, "log": _log},
    )


def _log(handler: Any, kind: str, message: str, *args: Any) -> None:
    logging.getLogger(__name__).log(getattr(logging, kind.upper(), logging.INFO), message, *args)
