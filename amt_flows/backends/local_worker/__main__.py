"""The entry point of the worker; see the package."""

import os
import sys

if __name__ == "__main__":
    # Run by path there is no package around this file, and only this directory would be searched. The one
    # above it comes last, so that nothing in there can take the place of a standard module.
    here = sys.path.pop(0)
    sys.path.append(os.path.dirname(here))  # noqa: PTH120 -- pathlib would double the start-up time
    __package__ = "local_worker"
    from .job import main

    # Not sys.exit: there is nothing left to tidy up, and a controller waits for this slot.
    os._exit(main(sys.argv[1]))
