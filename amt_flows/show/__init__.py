"""Ledgers and results as text: tables, markdown, a terminal's summary. Pure."""
