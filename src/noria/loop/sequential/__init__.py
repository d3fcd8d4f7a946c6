"""Statistics that stay valid however often one looks, one module each."""
