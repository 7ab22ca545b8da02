"""What is known of a tuning job: its journal, and the ledger that is folded from it."""
