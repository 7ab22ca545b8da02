"""Metrics as a training job prints them: expressions that find them, and values that were found."""


def __getattr__(name: str) -> object:
    # On first use: a worker loads the search alone, and it starts in milliseconds.
    if name == "read_values":
        from amt_flows.metrics.reading import read_values

        return read_values
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
