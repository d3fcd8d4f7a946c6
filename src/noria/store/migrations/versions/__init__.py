"""The steps, oldest first: ``releases``, ``serving``, ``reviews``, ``keys``."""
