"""Metrics as a training job prints them: expressions that find them, and values that were found."""
