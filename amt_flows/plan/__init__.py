"""What a tuning job would do, without doing it."""
