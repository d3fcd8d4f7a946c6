"""From passages to an answer that cites them, or says that it does not know."""
