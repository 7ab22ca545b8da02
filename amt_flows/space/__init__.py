"""The space of configurations: what may be tried."""
