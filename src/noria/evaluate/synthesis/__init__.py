"""Questions written from the documents, each checked before it is kept."""
