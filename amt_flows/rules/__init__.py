"""Rules: small frozen values with one pure call on a ledger. None of them reads a clock or writes."""
