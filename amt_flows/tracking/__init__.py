"""Runs to look at: a tuning job shown by MLflow while it runs, sent by a process of its own beside the loop.

The record is the truth, and what was sent is found again by tags over there. So whoever goes on after a crash
sends what is missing, and nothing twice.
"""
