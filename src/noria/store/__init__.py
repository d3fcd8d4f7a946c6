"""State that must not be lost: SQL rows that say what is live."""
