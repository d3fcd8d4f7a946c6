"""The HTTP service: who asks, which release answers, what is kept of it."""
