"""The flows that put a model to work: compared, approved, promoted."""
