"""Where the record of a tuning job is kept."""
