"""Imports modules, and runs a script in a copy of this process for each job that is asked for: ``python
script.py --serve CONTROL CONTROLLER SCRIPT MODULE... ROOM``.

Started by path, in place of the script, whose search path it has.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    _, _, control, controller, file, *modules, _ = sys.argv
    # A program that an import starts must not have it.
    os.set_inheritable(int(control), False)
    own = Path(__file__).resolve().parent
    searched = bool(sys.path) and Path(sys.path[0]).resolve() == own
    if searched:  # else Python was told not to
        del sys.path[0]
    sys.path.insert(0, str(own.parents[2]))
    import socket

    from amt_flows.backends.function_job import fork_server, script

    sys.path[:1] = [script.search_path_of(file)] if searched else []
    sys.argv[:] = [file]
    fork_server.serve(
        socket.socket(fileno=int(control)),
        int(controller),
        load=lambda: script.import_all(modules),
        train=lambda _, command: script.run(command),
    )


if __name__ == "__main__":
    main()
