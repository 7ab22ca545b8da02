"""Showing a tuning job while it runs."""
