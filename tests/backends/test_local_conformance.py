from __future__ import annotations

from pathlib import Path

from amt_flows.backends.local import LocalBackend
from amt_flows.spec import TrainingJobTemplate
from amt_flows.testing.backend_conformance import (
    CURVE,
    FIRST_VALUES,
    OBJECTIVE,
    REASON,
    BackendConformance,
    Behaviour,
)


def printing(values: tuple[float, ...]) -> str:
    return "".join(f"echo 'amt-report {OBJECTIVE}={value!r};'\n" for value in values)


SCRIPTS = {
    Behaviour.SUCCEED: printing(CURVE) + 'echo weights > "$SM_MODEL_DIR/weights"',
    Behaviour.FAIL: printing(CURVE[:1]) + f"echo '{REASON}' >&2; exit 3",
    Behaviour.RUN: printing(FIRST_VALUES) + "exec sleep 600",
    Behaviour.IGNORE_STOP: "trap '' TERM\n" + printing(FIRST_VALUES) + "exec sleep 600",
}


class TestLocalBackend(BackendConformance):
    def make(self, place: Path) -> LocalBackend:
        return LocalBackend(place)

    def template(self, behaviour: Behaviour) -> TrainingJobTemplate:
        return TrainingJobTemplate(command=("/bin/sh", "-c", SCRIPTS[behaviour]), stop_grace_seconds=0.5)
