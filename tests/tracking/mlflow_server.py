"""A real MLflow server for tests: its REST API and SQLite store, in this process, at an address of its own.

Of the server's package that users run it lacks the pages alone (and uvicorn, which serves the same
application); `docs/make_mlflow_picture.py` runs that one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

DATABASE = "mlflow.db"


@contextmanager
def mlflow_server(directory: Path, port: int = 0) -> Iterator[str]:
    """Its address. What it keeps is in ``directory``, from where another one goes on with it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("GIT_PYTHON_REFRESH", "quiet")
        patch.setenv("_MLFLOW_SERVER_FILE_STORE", f"sqlite:///{directory / DATABASE}")
        patch.setenv("_MLFLOW_SERVER_REGISTRY_STORE", f"sqlite:///{directory / DATABASE}")
        patch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "mlflow-artifacts:/")
        patch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", str(directory / "artifacts"))
        patch.setenv("_MLFLOW_SERVER_SERVE_ARTIFACTS", "true")
        server = make_server("127.0.0.1", port, _application(), threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _application() -> Any:
    from mlflow.server import app, handlers

    # One process may have had another one before.
    handlers._tracking_store = handlers._model_registry_store = handlers._artifact_repo = None
    return app
