"""The ways to answer that are compared: what each reads, how it is asked, what it answered."""
