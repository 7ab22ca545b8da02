"""The entry point of the worker, run by path; see the package."""

import os
import sys

if __name__ == "__main__":
    # Imported the usual way, the packages above would load all that amt-flows offers. Empty ones in their
    # place let the worker's modules find each other, and nothing else of amt-flows runs in this process.
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 -- pathlib is slow to import
    backends = os.path.dirname(here)  # noqa: PTH120
    for name, place in (("amt_flows", os.path.dirname(backends)), ("amt_flows.backends", backends)):  # noqa: PTH120
        package = sys.modules[name] = type(sys)(name)
        package.__path__ = [place]

    if sys.argv[1] == "--search":
        sagemaker = sys.modules["amt_flows.backends.sagemaker"] = type(sys)("amt_flows.backends.sagemaker")
        sagemaker.__path__ = [f"{backends}/sagemaker"]
        from amt_flows.backends.local_worker.search import main as search

        os._exit(search(sys.argv[2], sys.argv[3:]))

    if sys.argv[1] == "--guard":
        from amt_flows.backends.local_worker.guard import see_to_its_end

        os._exit(see_to_its_end(int(sys.argv[2]), int(sys.argv[3])))

    if sys.argv[1] == "--starter":
        from amt_flows.backends.local_worker.starter import serve

        os._exit(serve())

    from amt_flows.backends.local_worker.main import main

    # Not sys.exit: there is nothing left to tidy up, and a controller waits for this slot.
    os._exit(main(sys.argv[1:]))
