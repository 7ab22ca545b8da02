"""Backends: places where training jobs run."""
