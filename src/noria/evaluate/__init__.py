"""Measures what the rooms below do, on data whose right answers are known."""
