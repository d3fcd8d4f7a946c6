"""Models: where weights come from, and what encodes, writes and scores text."""
