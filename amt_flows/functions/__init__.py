"""From a function in Python to a spec: how it travels to training jobs, and what it is asked with."""
